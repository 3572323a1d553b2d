"""Which way of loading a model is tried, learning from what went wrong before: plain values and rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.domain.errors import ErrorCode, UserError
from app.domain.hardware import Hardware
from app.domain.load_plan import CacheType, LoadPlan

MOST_TRIES = 2
"""A load that fails is tried once more by itself; after that it is the user's turn."""

MOST_FAILURES = 16
"""Kept for one model: a lesson is a few numbers, not a diary."""

MORE_ROOM = 1.1
"""With this many times the free memory, a plan that did not fit is worth another try."""

SIMILAR_CONTEXT = 0.8
SIMILAR_LAYERS = 2

KILLED = "signal SIGKILL"
"""How a child's end is told that the system took for its memory, or that somebody killed: not the plan's crash."""

# A safer plan may help after these; a broken file stays broken.
_WORTH_ANOTHER = frozenset(
    {
        ErrorCode.OUT_OF_MEMORY,
        ErrorCode.MODEL_LOAD_FAILED,
        ErrorCode.DECODE_FAILED,
        ErrorCode.ENGINE_DIED,
        ErrorCode.ENGINE_OUT_OF_MEMORY,
        ErrorCode.ENGINE_GARBAGE,
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A plan that did not work. ``crashed``: it will not, until something changes; otherwise it only did not fit.

    ``free_ram`` and ``free_device`` are the bytes that were free then.
    """

    plan: LoadPlan
    crashed: bool
    free_ram: int = 0
    free_device: int = 0


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is known of a model on this machine: the plan that worked last, and those that did not."""

    worked: LoadPlan | None = None
    failures: tuple[Failure, ...] = ()


class LoadAttempts:
    """One load of a model: the plan of the moment, and what follows from its outcome."""

    def __init__(self, name: str, plans: Sequence[LoadPlan], hardware: Hardware, lesson: Lesson) -> None:
        """``plans`` are the wanted one and then ever safer ones.

        Raises UserError when all of them are known to fail.
        """
        self._name = name
        self._hardware = hardware
        self._lesson = lesson
        self._plans = self._in_question(plans)
        if not self._plans:
            raise UserError(ErrorCode.ALWAYS_CRASHED, name=name)
        self._tries = 1
        self._trouble: UserError | None = None
        self._first = self._plans[0]

    @property
    def plan(self) -> LoadPlan:
        """The plan to load with now."""
        return self._plans[0]

    @property
    def lesson(self) -> Lesson:
        """What is known now."""
        return self._lesson

    def works(self) -> None:
        """The model is loaded, and its first decode went well."""
        others = tuple(failure for failure in self._lesson.failures if failure.plan != self.plan)
        self._lesson = Lesson(self.plan, others)

    def fails(self, error: UserError) -> bool:
        """The load ended with ``error``. Whether there is another plan to try, which is then `plan`."""
        if error.code is ErrorCode.ENGINE_HUNG:  # a busy computer looks the same: nothing is learned from it
            self._trouble = error
            return self._go_on_with(self._safer())
        if error.code not in _WORTH_ANOTHER:
            return False
        self._trouble = error
        crashed = is_crash(error)
        failed = Failure(
            self.plan,
            crashed=crashed,
            free_ram=self._hardware.free_ram_bytes,
            free_device=_free_on(self._hardware, self.plan),
        )
        worked = None if self._lesson.worked == self.plan else self._lesson.worked
        others = [other for other in self._lesson.failures if other.plan != self.plan]
        self._lesson = Lesson(worked, (*others, failed)[-MOST_FAILURES:])
        rest = self._safer()
        if crashed:  # a driver that crashes with all of a model does so with half of it
            rest = [plan for plan in rest if plan.gpu_layers == 0] or rest
        return self._go_on_with(rest)

    def _safer(self) -> list[LoadPlan]:
        return [plan for plan in self._plans[1:] if not asks_as_much(plan, self.plan)]

    def _go_on_with(self, rest: list[LoadPlan]) -> bool:
        if self._tries == MOST_TRIES or not rest:
            return False
        self._tries += 1
        self._plans = rest
        return True

    @property
    def notice(self) -> UserError | None:
        """What to tell the user once the model is loaded; None when it went as planned."""
        if self._trouble is None:
            return None
        off_card = self._first.gpu_layers > 0 and self.plan.gpu_layers == 0
        code = ErrorCode.LOADED_ON_PROCESSOR if off_card else ErrorCode.LOADED_SAFER
        return UserError(code, name=self._name, reason=in_short(self._trouble))

    def _in_question(self, plans: Sequence[LoadPlan]) -> list[LoadPlan]:
        """The plans to try in their order, without those that are known to fail."""
        known = self._lesson.worked
        if known is not None and self._is_known_to_fail(known):
            known = None
        rest = [plan for plan in plans if not self._is_known_to_fail(plan)]
        if not rest or known is None:
            return rest
        if rest[0] != plans[0]:
            # The wanted plan fails here: no other is tried before one that asks no more than what worked.
            return [plan for plan in rest if asks_as_much(known, plan)] or rest
        if _is_as_good(known, rest[0]):
            # Free memory is never twice the same: a plan that is only a little better gives way to the one that
            # worked, so that the context's size, on which kept chats depend, stays from start to start.
            return [known, *rest[1:]]
        return rest

    def _is_known_to_fail(self, plan: LoadPlan) -> bool:
        return any(
            asks_as_much(plan, failure.plan) and (failure.crashed or not self._has_more_room_than(failure))
            for failure in self._lesson.failures
        )

    def _has_more_room_than(self, failure: Failure) -> bool:
        free_device = _free_on(self._hardware, failure.plan)
        return (
            self._hardware.free_ram_bytes > failure.free_ram * MORE_ROOM
            or free_device > failure.free_device * MORE_ROOM
        )


def is_crash(error: UserError) -> bool:
    """Whether a plan is to blame for this end of a child or a load, rather than a file, or want of memory."""
    return error.code in _WORTH_ANOTHER and not _for_want_of_memory(error)


def asks_as_much(plan: LoadPlan, other: LoadPlan) -> bool:
    """Whether ``plan`` wants at least as much of the machine as ``other``, in the same way: then it fares no better."""
    return (
        (plan.device == other.device or plan.gpu_layers == other.gpu_layers == 0)
        and plan.gpu_layers >= other.gpu_layers
        and (plan.gpu_layers == 0 or plan.cpu_experts <= other.cpu_experts)
        and plan.output_beside <= other.output_beside
        and plan.context >= other.context
        and _bits(plan.cache_type) >= _bits(other.cache_type)
        and plan.batch >= other.batch
        and (plan.flash_attention, plan.mapped, plan.repacked, plan.locked)
        == (other.flash_attention, other.mapped, other.repacked, other.locked)
    )


def _is_as_good(known: LoadPlan, plan: LoadPlan) -> bool:
    """Whether ``known`` differs from ``plan`` in nothing but a little less of what depends on free memory."""
    return (
        asks_as_much(plan, known)
        and replace(known, context=0, gpu_layers=0, cpu_experts=0)
        == replace(plan, context=0, gpu_layers=0, cpu_experts=0)
        and known.context >= plan.context * SIMILAR_CONTEXT
        and known.gpu_layers >= plan.gpu_layers - SIMILAR_LAYERS
        and known.cpu_experts <= plan.cpu_experts + SIMILAR_LAYERS
    )


def _bits(cache_type: CacheType) -> int:
    return 16 if cache_type is CacheType.F16 else 8


def _free_on(hardware: Hardware, plan: LoadPlan) -> int:
    """Bytes free on the devices that the plan uses."""
    if plan.gpu_layers == 0:
        return 0
    return sum(device.free_bytes for device in hardware.graphics if plan.device in ("", device.name))


def _for_want_of_memory(error: UserError) -> bool:
    told = error.code in (ErrorCode.OUT_OF_MEMORY, ErrorCode.ENGINE_OUT_OF_MEMORY)
    return told or error.values.get("reason") == KILLED


def in_short(error: UserError) -> str:
    """Why, in a few words."""
    if error.code is ErrorCode.ENGINE_HUNG:
        return "the engine did not respond"
    if _for_want_of_memory(error):
        return "there was not enough memory"
    return error.values.get("reason") or "the engine stopped"
