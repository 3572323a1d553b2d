"""What goes to the engine's worker thread and what comes back from it: frozen values."""

from dataclasses import dataclass, field

from app.domain.conversation import Dialogue
from app.domain.errors import UserError
from app.domain.generation import FinishReason, Sampling, Timings, Usage
from app.domain.settings import Settings
from app.engine.model_loading import Target
from app.engine.protocol import SettleWhen
from app.hub.library import InstalledModel


def target_of(model: InstalledModel, settings: Settings) -> Target:
    """A model as these settings want it placed."""
    return Target(str(model.path), model.name, settings.wishes())


@dataclass(frozen=True, slots=True)
class AnswerWish:
    """An answer that is wanted; the fields are those of the engine's ``Generate``."""

    dialogue: Dialogue
    sampling: Sampling
    chat: str = ""
    settle: SettleWhen = SettleWhen.NEVER
    continuing: bool = False


@dataclass(frozen=True, slots=True)
class GenerationJob:
    """One answer to make. ``id`` is the request id that the engine child sees."""

    id: int
    target: Target
    wish: AnswerWish


@dataclass(frozen=True, slots=True)
class PromptMade:
    """The prompt is made; ``left_out`` and ``kept`` are those of its `Usage`."""

    job_id: int
    left_out: int
    kept: tuple[int, ...]


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


@dataclass(frozen=True, slots=True)
class LoadNotice:
    """The model is loaded, but not as it was meant to be, or with little room: to be said."""

    notice: UserError


JobReport = PromptMade | Reading | TextGrew | ToolCallMade | Ended
Report = JobReport | LoadFailed | LoadNotice


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
