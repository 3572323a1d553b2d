"""The chosen model and the settings, as the engine is told of them."""

import math

from PySide6.QtCore import QObject

from app.domain.errors import ErrorCode
from app.domain.generation import Sampling
from app.domain.settings import IDLE_UNLOAD, PREPARE_NEXT_TURN
from app.engine.model_loading import Target
from app.engine.protocol import SettleWhen
from app.services.engine_reports import target_of
from app.services.engine_service import EngineService
from app.services.model_service import ModelService
from app.services.settings_service import SettingsService

# Models that are loaded only when the user insists.
_REFUSED = frozenset({ErrorCode.ALWAYS_CRASHED, ErrorCode.MODEL_TOO_LARGE})


class ModelInUse(QObject):
    """Has the chosen model loaded, and says how answers are to be made."""

    def __init__(self, engine: EngineService, models: ModelService, settings: SettingsService) -> None:
        super().__init__()
        self._engine = engine
        self._models = models
        self._settings = settings
        models.current_changed.connect(self.prepare)
        settings.changed.connect(self._setting_changed)
        self._setting_changed(IDLE_UNLOAD.key)

    @property
    def name(self) -> str:
        """What the model is called."""
        return self._models.current().name

    @property
    def target(self) -> Target:
        """The model, and how the user wants it placed."""
        return target_of(self._models.current(), self._settings.settings)

    @property
    def sampling(self) -> Sampling:
        """How the next answer is drawn."""
        return self._settings.settings.sampling()

    @property
    def settle(self) -> SettleWhen:
        """When the turn after the next answer is prepared."""
        return SettleWhen(self._settings.settings.get(PREPARE_NEXT_TURN))

    def prepare(self, *_: object) -> None:
        """Load it in the background."""
        self._engine.prepare(self.target)

    def reload(self) -> None:
        """Load it again, for example after it failed; also one that was refused."""
        error = self._engine.state.error
        self._engine.prepare(self.target, insist=error is not None and error.code in _REFUSED)

    def _setting_changed(self, key: str) -> None:
        if key == IDLE_UNLOAD.key:
            minutes = self._settings.settings.get(IDLE_UNLOAD)
            self._engine.set_idle_limit(minutes * 60 if minutes else math.inf)
