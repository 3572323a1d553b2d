"""What the services hand to the panes: frozen values."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.errors import UserError


class Phase(StrEnum):
    """What the engine is doing."""

    UNLOADED = "unloaded"
    LOADING = "loading"
    READY = "ready"
    READING = "reading"
    ANSWERING = "answering"
    STALLED = "stalled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class EngineState:
    """The status line.

    ``progress`` is 0 to 1: of the weights while LOADING, of the prompt while READING. ``tokens_per_s`` is that of
    the running answer, or of the last one; 0 before the first. ``context`` in tokens, 0 while nothing is loaded.
    ``error`` is why the phase is FAILED. ``explanation`` says where the loaded model runs and why. ``freed``: UNLOADED
    because nobody used it, or asked for.
    """

    phase: Phase = Phase.UNLOADED
    model_name: str = ""
    progress: float = 0.0
    tokens_per_s: float = 0.0
    context: int = 0
    error: UserError | None = None
    explanation: str = ""
    freed: bool = False


@dataclass(frozen=True, slots=True)
class AnswerGrowth:
    """The new text of an answer since the last growth, per channel."""

    node_id: int
    reasoning: str = ""
    commentary: str = ""
    answer: str = ""
