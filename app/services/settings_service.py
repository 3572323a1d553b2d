"""The settings: read once, changed by the panes, saved in the background."""

from PySide6.QtCore import QObject, Signal

from app.domain.settings import Settings


class SettingsService(QObject):
    """``changed(str)``: a setting's key; ``problem(UserError)``: it could not be read or saved."""

    changed = Signal(str)
    problem = Signal(object)

    @property
    def settings(self) -> Settings:
        """All values, frozen."""
        raise NotImplementedError

    def value(self, key: str) -> object:
        """The value of one setting."""
        raise NotImplementedError

    def set_value(self, key: str, value: object) -> None:
        """Change a setting; raises UserError(SETTING_INVALID) when it is out of bounds."""
        raise NotImplementedError

    def reset(self, key: str) -> None:
        """Back to the default."""
        raise NotImplementedError

    def reset_group(self, group: str) -> None:
        """All settings of a group back to their defaults."""
        raise NotImplementedError
