"""The models on this machine and the chosen one."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.hub.library import InstalledModel


class ModelService(QObject):
    """The library of installed models and which of them answers.

    ``models_changed()``; ``current_changed(InstalledModel)``; ``problem(UserError)``: a file that cannot be added.
    """

    models_changed = Signal()
    current_changed = Signal(object)
    problem = Signal(object)

    def models(self) -> tuple[InstalledModel, ...]:
        """All installed models; the demo guide is always there."""
        raise NotImplementedError

    def current(self) -> InstalledModel:
        """The chosen model."""
        raise NotImplementedError

    def select(self, model_id: str) -> None:
        """Choose a model; it is loaded in the background, and the choice is remembered."""
        raise NotImplementedError

    def add_file(self, path: Path) -> None:
        """Take a GGUF file into the library, where it lies, and choose it."""
        raise NotImplementedError

    def forget(self, model_id: str) -> None:
        """Take a model out of the library; its file stays."""
        raise NotImplementedError
