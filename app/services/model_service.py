"""The models on this machine and the chosen one."""

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from app.domain.settings import CURRENT_MODEL
from app.hub.library import InstalledModel, Library
from app.services.job_thread import JobThread
from app.services.settings_service import SettingsService


class ModelService(QObject):
    """The library of installed models and which of them answers.

    ``models_changed()``; ``current_changed(InstalledModel)``; ``problem(UserError)``: a file that cannot be added.
    """

    models_changed = Signal()
    current_changed = Signal(object)
    problem = Signal(object)

    def __init__(self, library: Library, settings: SettingsService, files: JobThread[None]) -> None:
        """``library`` is used on the files' thread from here on."""
        super().__init__()
        self._library = library
        self._settings = settings
        self._files = files
        self._models = library.models()
        for problem in library.problems:
            # The window does not listen yet.
            QTimer.singleShot(0, self, lambda problem=problem: self.problem.emit(problem))
        settings.changed.connect(self._setting_changed)

    def models(self) -> tuple[InstalledModel, ...]:
        """All installed models; the demo guide is always there."""
        return self._models

    def current(self) -> InstalledModel:
        """The chosen model; the demo guide when it is not in the library (any more)."""
        chosen = self._settings.settings.get(CURRENT_MODEL)
        return next((model for model in self._models if model.id == chosen), self._demo())

    def select(self, model_id: str) -> None:
        """Choose a model; it is loaded in the background, and the choice is remembered."""
        self._settings.set_value(CURRENT_MODEL.key, "" if model_id == self._demo().id else model_id)

    def add_file(self, path: Path) -> None:
        """Take a GGUF file into the library, where it lies, and choose it."""
        self._files.submit(
            lambda _: (self._library.add(path), self._library.models()),
            done=lambda found: self._added(*found),
            failed=self.problem.emit,
        )

    def forget(self, model_id: str) -> None:
        """Take a model out of the library; its file stays. The demo guide stays in any case."""
        if model_id == self._demo().id:
            return

        def forget(_: None) -> tuple[InstalledModel, ...]:
            self._library.forget(model_id)
            return self._library.models()

        self._files.submit(forget, done=lambda models: self._forgotten(model_id, models), failed=self.problem.emit)

    def _added(self, model: InstalledModel, models: tuple[InstalledModel, ...]) -> None:
        self._models = models
        self.models_changed.emit()
        self.select(model.id)

    def _forgotten(self, model_id: str, models: tuple[InstalledModel, ...]) -> None:
        chosen = self._settings.settings.get(CURRENT_MODEL) == model_id
        self._models = models
        self.models_changed.emit()
        if chosen:
            self._settings.reset(CURRENT_MODEL.key)

    def _demo(self) -> InstalledModel:
        return next(model for model in self._models if model.builtin)

    def _setting_changed(self, key: str) -> None:
        if key == CURRENT_MODEL.key:
            self.current_changed.emit(self.current())
