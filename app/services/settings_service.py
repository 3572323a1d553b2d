"""The settings: read once, changed by the panes, saved in the background."""

from PySide6.QtCore import QObject, QTimer, Signal

from app.domain.errors import UserError
from app.domain.setting import Setting, Value
from app.domain.settings import SETTINGS, Settings, setting_of
from app.services.job_thread import JobThread
from app.store.settings_file import LoadedSettings, SettingsFile


class SettingsService(QObject):
    """``changed(str)``: a setting's key; ``problem(UserError)``: it could not be read or saved."""

    changed = Signal(str)
    problem = Signal(object)

    def __init__(self, loaded: LoadedSettings, file: SettingsFile, files: JobThread[None]) -> None:
        super().__init__()
        self._settings = loaded.settings
        self._saved = loaded.settings
        self._file = file
        self._files = files
        self._saving = False
        for problem in loaded.problems:
            # The window does not listen yet.
            QTimer.singleShot(0, self, lambda problem=problem: self.problem.emit(problem))

    @property
    def settings(self) -> Settings:
        """All values, frozen."""
        return self._settings

    def value(self, key: str) -> Value:
        """The value of one setting."""
        return self._settings.value(key)

    def set_value(self, key: str, value: object) -> None:
        """Change a setting; raises ``UserError(SETTING_INVALID)`` when it is out of bounds."""
        self._take(self._settings.with_value(setting_of(key), value), setting_of(key))

    def reset(self, key: str) -> None:
        """Back to the default."""
        self._take(self._settings.without(setting_of(key)), setting_of(key))

    def reset_group(self, group: str) -> None:
        """All settings of a group that the pane shows back to their defaults."""
        members = [setting for setting in SETTINGS if setting.group == group and not setting.hidden]
        self._take(self._settings.without(*members), *members)

    def _take(self, settings: Settings, *touched: Setting[Value]) -> None:
        before, self._settings = self._settings, settings
        self._save()
        for setting in touched:
            if before.get(setting) != settings.get(setting):
                self.changed.emit(setting.key)

    def _save(self) -> None:
        """Save in the background; changes that come while it saves are saved together after it."""
        if self._saving or self._settings == self._saved:
            return
        self._saving = True
        settings = self._settings
        self._files.submit(
            lambda _: self._file.save(settings), done=lambda _: self._after_save(settings), failed=self._save_failed
        )

    def _after_save(self, settings: Settings) -> None:
        self._saving = False
        self._saved = settings
        self._save()

    def _save_failed(self, error: UserError) -> None:
        # Tried again with the next change; until then the value holds for this run.
        self._saving = False
        self.problem.emit(error)

    def close(self) -> None:
        """Save what is not saved yet; the files' thread does it before it ends."""
        if self._settings != self._saved:
            settings = self._settings
            self._files.submit(lambda _: self._file.save(settings))
