"""From a model file to a loaded model: plan, load, and what to do when that fails. No pipe, no thread, no Qt."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.domain import offload
from app.domain.errors import ErrorCode, UserError
from app.domain.hardware import Hardware
from app.domain.load_plan import LoadPlan
from app.domain.model_weights import ModelWeights
from app.domain.offload import Planned, Verdict
from app.domain.plan_wishes import PlanWishes
from app.domain.safer_plans import safer
from app.engine.load_attempts import LoadAttempts
from app.engine.plan_memory import PlanMemory, machine_key, model_key
from app.engine.protocol import Adapter, Keeping, Load
from app.gguf.parts import part_paths, read_parts
from app.gguf.weights import weights_of

NOWHERE = Keeping()

FAILED_BEFORE = "It could not be loaded in the usual way on this computer."


@dataclass(frozen=True, slots=True)
class Target:
    """The model that has to be loaded, and how the user wants it."""

    path: str
    name: str
    wishes: PlanWishes = field(default_factory=PlanWishes)
    adapters: tuple[Adapter, ...] = ()


class ModelLoading:
    """One wish for a model, through all attempts to load it.

    ``begin`` when it is known what there is of hardware; then the request of ``load`` goes to an engine child, and its
    outcome to ``works`` or ``fails``. After ``fails`` said True, ``load`` has the next plan, for a child of its own.
    """

    def __init__(self, target: Target, memory: PlanMemory, *, insist: bool = False) -> None:
        """``insist``: the user wants it tried whatever is known against it."""
        self.target = target
        self._memory = memory
        self._insist = insist
        self._keys = ("", "")
        self._planned: Planned | None = None
        self._weights: ModelWeights | None = None
        self._hardware = Hardware()
        self._attempts: LoadAttempts | None = None

    @property
    def begun(self) -> bool:
        """Whether there is a plan."""
        return self._attempts is not None

    def begin(self, hardware: Hardware, backends: tuple[str, ...]) -> None:
        """Read the headers of the model's files and make the plan. ``hardware`` as it is when no model is loaded.

        Raises UserError: a file that is no model, wishes that cannot be fulfilled, a model that is too large for the
        machine, one that has always crashed.
        """
        path = Path(self.target.path)
        if "\0" in self.target.path:  # a name no file can have; Python's file functions call it a bug
            raise UserError(ErrorCode.FILE_NOT_FOUND, path=self.target.path)
        first, *others = read_parts(path)
        weights = weights_of(first, self.target.path, others)
        planned = offload.plan(weights, hardware, self.target.wishes)
        if planned.verdict is Verdict.TOO_SMALL and not self._insist:
            raise UserError(ErrorCode.MODEL_TOO_LARGE, explanation=str(planned.explanation))
        self._keys = (self._model_key(part_paths(path, 1 + len(others))), machine_key(hardware, backends))
        if self._insist:
            self._memory.forget(*self._keys)
        plans = (planned.plan, *safer(weights, hardware, planned))
        self._attempts = LoadAttempts(self.target.name, plans, hardware, self._memory.recall(*self._keys))
        self._planned = planned
        self._weights, self._hardware = weights, hardware

    def load(self, request_id: int, keeping: Keeping = NOWHERE) -> Load:
        """The request for the plan of the moment."""
        assert self._attempts is not None
        return Load(request_id, self.target.path, self._attempts.plan, self.target.adapters, keeping)

    def fails(self, error: UserError) -> bool:
        """The load ended in an error, or in the child's death. Whether to try again in another child."""
        if self._attempts is None:
            return False
        again = self._attempts.fails(error)
        self._memory.remember(*self._keys, self._attempts.lesson)
        return again

    def works(self) -> None:
        """The model is loaded."""
        assert self._attempts is not None
        before = self._attempts.lesson
        self._attempts.works()
        if self._attempts.lesson != before:
            self._memory.remember(*self._keys, self._attempts.lesson)

    @property
    def plan(self) -> LoadPlan:
        """The plan of the moment."""
        assert self._attempts is not None
        return self._attempts.plan

    @property
    def explanation(self) -> str:
        """Why it runs as it does, a sentence for people; "" when that is not known."""
        if self._planned is None or self._weights is None:
            return ""
        if self.plan == self._planned.plan:
            return str(self._planned.explanation)
        told = offload.explained(self._weights, self._hardware, self.plan)
        return f"{told} {FAILED_BEFORE}"

    @property
    def notices(self) -> tuple[UserError, ...]:
        """What to tell the user once it is loaded."""
        assert self._attempts is not None
        advice = None if self._planned is None else self._planned.advice
        tight = () if advice is None else (UserError(ErrorCode.MEMORY_TIGHT, advice=str(advice)),)
        return tight if self._attempts.notice is None else (*tight, self._attempts.notice)

    @staticmethod
    def _model_key(files: Sequence[Path]) -> str:
        try:
            return model_key(*files)
        except OSError:  # gone since its header was read; the child will say so
            return str(files[0])
