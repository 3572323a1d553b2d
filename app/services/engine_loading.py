"""The loading side of the engine's worker: asks a child what there is, loads, tries a safer plan when that fails."""

import itertools
from dataclasses import dataclass
from enum import Enum, auto

from app.domain.errors import ErrorCode, UserError
from app.domain.hardware import Device, Hardware
from app.engine.client import EngineClient
from app.engine.failures import error_of
from app.engine.load_attempts import in_short, is_crash
from app.engine.model_loading import ModelLoading, Target
from app.engine.plan_memory import PlanMemory
from app.engine.protocol import (
    Cancel,
    Event,
    Failed,
    HardwareFound,
    Hello,
    Keeping,
    Load,
    Loaded,
    LoadProgress,
    Probe,
    Unload,
    Unloaded,
)


class _Stage(Enum):
    IDLE = auto()
    LOOKING = auto()  # for the child's first word, or its look at the machine
    LOADING = auto()
    BETWEEN = auto()  # a try failed, the child of the next one is not there yet


@dataclass(frozen=True, slots=True)
class LoadGoesOn:
    """``fraction`` of the weights is in place."""

    fraction: float


@dataclass(frozen=True, slots=True)
class LoadDone:
    """The model is ready. ``notices`` are to be said."""

    loaded: Loaded
    explanation: str
    notices: tuple[UserError, ...]


@dataclass(frozen=True, slots=True)
class LoadAgain:
    """It failed; ``resume`` it in a new child."""

    target: Target


@dataclass(frozen=True, slots=True)
class LoadGivenUp:
    """Nobody wanted it any more."""


@dataclass(frozen=True, slots=True)
class LoadEnded:
    """It failed for good."""

    target: Target
    error: UserError


Outcome = LoadGoesOn | LoadDone | LoadAgain | LoadGivenUp | LoadEnded


class ModelLoader:
    """Lives on the worker's thread. One load at a time: ``begin``, then ``take`` every event of the child."""

    def __init__(self, memory: PlanMemory, ids: "itertools.count[int]") -> None:
        self._memory = memory
        self._ids = ids
        self._stage = _Stage.IDLE
        self._client: EngineClient | None = None
        self._loading: ModelLoading | None = None
        self._request: Load | None = None
        self._probe = 0
        self._clearing = 0
        self._backends: tuple[str, ...] = ()
        self._hardware: Hardware | None = None
        self._giving_up = False
        self._loaded: Target | None = None
        self._proven = False
        self._driver_trouble: UserError | None = None
        self.keeping = Keeping()
        """Where the next model to be loaded keeps chats' memories."""
        self.graphics = True
        """Whether the next child may touch the drivers of graphics cards; not after one died of it."""

    @property
    def busy(self) -> bool:
        """Whether a model is being loaded."""
        return self._stage is not _Stage.IDLE

    @property
    def looking(self) -> bool:
        """Whether the child is to say first what there is; it may have another model to give back before."""
        return self._stage is _Stage.LOOKING

    @property
    def clearing(self) -> int:
        """The request for the memory of the model before, as long as the child is at it; otherwise 0."""
        return self._clearing

    @property
    def giving_up(self) -> bool:
        """Whether the load was cancelled and its end is waited for."""
        return self._giving_up

    @property
    def target(self) -> Target | None:
        """What is being loaded."""
        return self._loading.target if self._loading is not None and self.busy else None

    @property
    def loaded(self) -> Target | None:
        """What is loaded."""
        return self._loaded

    def uses(self, device: Device) -> bool:
        """Whether the loaded model has layers on this device."""
        if self._loaded is None or self._loading is None:
            return False
        plan = self._loading.plan
        return plan.gpu_layers > 0 and plan.device in ("", device.name)

    @property
    def hardware(self) -> Hardware | None:
        """What the child last said of the machine, before anything was loaded."""
        return self._hardware

    def begin(self, client: EngineClient, target: Target, *, insist: bool = False) -> None:
        """Load ``target`` into this child, which may have another model."""
        fresh = client is not self._client
        self._loading = ModelLoading(target, self._memory, insist=insist)
        self._loaded = None
        self._giving_up = False
        self._stage = _Stage.LOOKING
        self._client = client
        self._request = None
        self._probe = 0
        if not fresh and self._hardware is not None:
            # How much is free counts without the old model.
            self._probe = next(self._ids)
            self._clearing = next(self._ids)
            client.send(Unload(self._clearing))
            client.send(Probe(self._probe))

    def resume(self, client: EngineClient) -> None:
        """The next try, in a new child."""
        assert self._stage is _Stage.BETWEEN
        self._client = client
        self._stage = _Stage.LOOKING

    def give_up(self) -> Outcome | None:
        """Nobody wants it any more. Its end, when that need not be waited for."""
        self._giving_up = True
        if self._stage is _Stage.LOADING and self._client is not None and self._request is not None:
            self._client.send(Cancel(self._request.request_id))
            return None
        return self._ended(LoadGivenUp())

    def take(self, event: Event) -> Outcome | None:
        """What an event of the child means for the load; None when nothing."""
        match event:
            case Unloaded(request_id=self._clearing):
                self._clearing = 0
                return None
            case Hello():
                self._backends, self._hardware = event.backends, event.hardware
                return self._plan_and_load(event.hardware) if self._stage is _Stage.LOOKING else None
            case HardwareFound() if self._stage is _Stage.LOOKING and event.request_id == self._probe:
                self._hardware = event.hardware
                return self._plan_and_load(event.hardware)
            case _ if self._stage is _Stage.LOADING and self._request is not None:
                return self._take_outcome(event, self._request.request_id)
            case _:
                return None

    def lost(self, error: UserError, *, answering: bool = False) -> Outcome | None:
        """The child is gone, perhaps in the middle of an answer; None when nothing was being loaded."""
        self._client = None
        self._clearing = 0
        loaded, self._loaded = self._loaded, None
        unknown, self._hardware = self._hardware is None, None
        if self._stage is _Stage.IDLE:
            if answering and loaded is not None and self._loading is not None and not self._proven and is_crash(error):
                self._loading.fails(error)  # it loaded, and died of its first answer
            return None
        assert self._loading is not None
        if unknown and self.graphics and not self._giving_up:
            # Before its first word a child does little but load the drivers.
            self.graphics = False
            self._driver_trouble = error
            self._stage = _Stage.BETWEEN
            return LoadAgain(self._loading.target)
        return self._failed(error)

    def forget(self) -> None:
        """The child was ended: nothing is loaded, nor being loaded."""
        self._client = None
        self._clearing = 0
        self._loaded = None
        self._hardware = None
        self._stage = _Stage.IDLE

    def prove(self) -> None:
        """An answer came to its end: what happens now is not the plan's fault."""
        self._proven = True

    def distrust(self) -> None:
        """The model's state is unknown: it is loaded again for the next answer."""
        self._loaded = None

    def _plan_and_load(self, hardware: Hardware) -> Outcome | None:
        assert self._loading is not None
        assert self._client is not None
        if not self._loading.begun:
            try:
                self._loading.begin(hardware, self._backends)
            except UserError as error:
                return self._ended(LoadEnded(self._loading.target, error))
        self._stage = _Stage.LOADING
        self._request = self._loading.load(next(self._ids), self.keeping)
        self._client.send(self._request)
        return None

    def _take_outcome(self, event: Event, request_id: int) -> Outcome | None:
        assert self._loading is not None
        match event:
            case LoadProgress(request_id=id_, fraction=fraction) if id_ == request_id:
                return LoadGoesOn(fraction)
            case Loaded(request_id=id_) if id_ == request_id:
                self._loading.works()
                self._loaded = self._loading.target
                self._proven = False
                return self._ended(LoadDone(event, self._loading.explanation, self._notices()))
            case Unloaded(request_id=id_) if id_ == request_id:
                return self._ended(LoadGivenUp())
            case Failed(request_id=id_) if id_ == request_id:
                return self._failed(error_of(event))
            case _:
                return None

    def _notices(self) -> tuple[UserError, ...]:
        assert self._loading is not None
        trouble, self._driver_trouble = self._driver_trouble, None
        if trouble is None:
            return self._loading.notices
        name = self._loading.target.name
        told = UserError(ErrorCode.LOADED_ON_PROCESSOR, name=name, reason=in_short(trouble))
        return (told, *self._loading.notices)

    def _failed(self, error: UserError) -> Outcome:
        assert self._loading is not None
        if self._giving_up:
            return self._ended(LoadGivenUp())
        if self._driver_trouble is not None and self._hardware is None and not self._loading.begun:
            self.graphics = True  # the drivers had no part in it
            self._driver_trouble = None
        if self._loading.fails(error):
            self._stage = _Stage.BETWEEN
            return LoadAgain(self._loading.target)
        return self._ended(LoadEnded(self._loading.target, error))

    def _ended(self, outcome: Outcome) -> Outcome:
        self._stage = _Stage.IDLE
        self._giving_up = False
        self._request = None
        return outcome
