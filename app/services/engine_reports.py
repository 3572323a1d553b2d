"""What goes to the engine's worker thread and what comes back from it: frozen values."""

from dataclasses import dataclass, field

from app.domain.conversation import Dialogue
from app.domain.errors import UserError
from app.domain.generation import FinishReason, Sampling, Timings, Usage
from app.domain.load_plan import LoadPlan
from app.domain.settings import CONTEXT_LENGTH, THREADS, Settings
from app.hub.library import InstalledModel


@dataclass(frozen=True, slots=True)
class Target:
    """The model that has to be loaded, and how."""

    path: str
    name: str
    plan: LoadPlan = field(default_factory=LoadPlan)


def target_of(model: InstalledModel, settings: Settings) -> Target:
    """A model as these settings want it placed."""
    plan = LoadPlan(context=settings.get(CONTEXT_LENGTH), threads=settings.get(THREADS))
    return Target(str(model.path), model.name, plan)


@dataclass(frozen=True, slots=True)
class GenerationJob:
    """One answer to make. ``id`` is the request id that the engine child sees."""

    id: int
    target: Target
    dialogue: Dialogue
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Reading:
    """``done`` of ``total`` prompt tokens are in the model's memory."""

    job_id: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class TextGrew:
    """New text of an answer, per channel."""

    job_id: int
    reasoning: str = ""
    commentary: str = ""
    answer: str = ""

    def __add__(self, other: "TextGrew") -> "TextGrew":
        return TextGrew(
            self.job_id,
            self.reasoning + other.reasoning,
            self.commentary + other.commentary,
            self.answer + other.answer,
        )


@dataclass(frozen=True, slots=True)
class ToolCallMade:
    """The model called a tool."""

    job_id: int
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The last report of a job. ``error`` tells why ``reason`` is ERROR; ``reasoning_s`` is how long it thought."""

    job_id: int
    reason: FinishReason
    usage: Usage = field(default_factory=Usage)
    timings: Timings = field(default_factory=Timings)
    reasoning_s: float = 0.0
    error: UserError | None = None


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """The model that was wanted could not be loaded, and no job waited for it."""

    error: UserError


JobReport = Reading | TextGrew | ToolCallMade | Ended
Report = JobReport | LoadFailed


def gathered(reports: tuple[Report, ...]) -> tuple[Report, ...]:
    """The same reports with neighbours of one kind made one: text joined, only the last reading kept."""
    result: list[Report] = []
    for report in reports:
        last = result[-1] if result else None
        if isinstance(report, TextGrew) and isinstance(last, TextGrew) and last.job_id == report.job_id:
            result[-1] = last + report
        elif isinstance(report, Reading) and isinstance(last, Reading) and last.job_id == report.job_id:
            result[-1] = report
        else:
            result.append(report)
    return tuple(result)
