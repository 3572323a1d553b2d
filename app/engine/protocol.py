"""The messages between the window's process and the engine child: frozen values, sent as bounded JSON frames.

Requests go down, events come up. Every event but ``Hello`` and ``Heartbeat`` carries the id of the request that it
answers, so that a stale one can be told apart and dropped.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.conversation import Dialogue
from app.domain.generation import FinishReason, Sampling, Timings, Usage
from app.domain.hardware import Hardware
from app.domain.load_plan import LoadPlan


class SettleWhen(StrEnum):
    """When the engine prepares the next turn while the user reads an answer."""

    ALWAYS = "always"
    ON_MAINS = "on_mains"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter's GGUF file, and how strongly it counts."""

    path: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Keeping:
    """Whether and where chats' memories are kept on the disk.

    ``folder`` "" or ``space_bytes`` 0 keep none; ``least_s`` is how long reading a memory again must take to be worth
    it.
    """

    folder: str = ""
    space_bytes: int = 0
    least_s: float = 5.0


# ---- Requests ----


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model file in place of the one before, if any.

    Answered by ``LoadProgress``... then ``Loaded``, ``Failed``, or ``Unloaded`` when it was cancelled.
    """

    request_id: int
    path: str
    plan: LoadPlan = field(default_factory=LoadPlan)
    adapters: tuple[Adapter, ...] = ()
    keeping: Keeping = field(default_factory=Keeping)


@dataclass(frozen=True, slots=True)
class Generate:
    """Answer a dialogue; answered by ``PromptReady``, progress, deltas and tool calls, then ``Finished`` or ``Failed``.

    ``chat`` names the conversation, so that its memory can be kept on disk; "" (a temporary chat) keeps nothing.
    ``continuing``: the last message is an assistant's that was cut short, and is gone on with.
    """

    request_id: int
    dialogue: Dialogue
    sampling: Sampling = field(default_factory=Sampling)
    chat: str = ""
    settle: SettleWhen = SettleWhen.NEVER
    continuing: bool = False


@dataclass(frozen=True, slots=True)
class Render:
    """Render a dialogue to its exact prompt; answered by ``Rendered`` or ``Failed``."""

    request_id: int
    dialogue: Dialogue


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop request ``request_id`` (a load or a generation); it still ends with its own last event."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Unload:
    """Give the model's memory back; answered by ``Unloaded``."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Leave:
    """The user left the chat: keep its memory on disk where reading it again would take long. Answered by ``Left``."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Forget:
    """A chat is deleted: nothing of it may stay on the disk, or get there later. Answered by ``Left``."""

    request_id: int
    chat: str


@dataclass(frozen=True, slots=True)
class KeepWithin:
    """From now on, and for models loaded later too, chats' memories may take ``space_bytes`` of the disk; 0 keeps none.
    What is over it goes. Answered by ``Left``.
    """

    request_id: int
    space_bytes: int


@dataclass(frozen=True, slots=True)
class Probe:
    """Look at the machine again: how much is free now; answered by ``HardwareFound``. The list of devices stays that of
    the start.
    """

    request_id: int


@dataclass(frozen=True, slots=True)
class Shutdown:
    """End the child."""

    request_id: int


Request = Load | Generate | Render | Cancel | Unload | Leave | Forget | KeepWithin | Probe | Shutdown


# ---- Events ----


@dataclass(frozen=True, slots=True)
class Hello:
    """The child is up. ``backends`` names the processor variant and other backends that were loaded."""

    pid: int
    backends: tuple[str, ...]
    hardware: Hardware = field(default_factory=Hardware)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sent several times a second by a thread of its own: the child's process is alive and scheduled."""


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """``fraction`` of the weights that is in place, 0 to 1."""

    request_id: int
    fraction: float


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model is ready. ``context`` in tokens; ``trained_context`` is what the model was made for."""

    request_id: int
    name: str
    architecture: str
    context: int
    trained_context: int
    load_s: float


@dataclass(frozen=True, slots=True)
class HardwareFound:
    """The machine as it is now."""

    request_id: int
    hardware: Hardware


@dataclass(frozen=True, slots=True)
class PromptReady:
    """The prompt is made and nothing of it is read yet.

    ``reused_tokens`` of its ``prompt_tokens`` are in the model's memory already. ``left_out`` are the places (in the
    dialogue's messages) of those that had to leave the prompt, because the memory is full.
    """

    request_id: int
    prompt_tokens: int
    reused_tokens: int
    left_out: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PrefillProgress:
    """``done`` of ``total`` prompt tokens are in the model's memory (reused ones count as done)."""

    request_id: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ReasoningText:
    """New text of the reasoning, and how many tokens were generated since the text before it."""

    request_id: int
    text: str
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class CommentaryText:
    """New text of the commentary, and how many tokens were generated since the text before it."""

    request_id: int
    text: str
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class AnswerText:
    """New text of the answer, and how many tokens were generated since the text before it."""

    request_id: int
    text: str
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A complete tool call."""

    request_id: int
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a generation that ran."""

    request_id: int
    reason: FinishReason
    usage: Usage
    timings: Timings


@dataclass(frozen=True, slots=True)
class Rendered:
    """The exact prompt: token ids, the text of each, and which of them are control tokens."""

    request_id: int
    tokens: tuple[int, ...]
    pieces: tuple[str, ...]
    control: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Unloaded:
    """The model's memory is given back."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Settled:
    """After an answer, while nobody asked anything: ``tokens`` of the next prompt were read ahead.

    ``request_id`` is the answer's. Comes after its ``Finished``, or not at all.
    """

    request_id: int
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Left:
    """The chat is left; about ``saved_bytes`` are being written for its return, 0 when that is not worthwhile."""

    request_id: int
    saved_bytes: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A request ended with a known error: an ``ErrorCode`` and the values of its sentences."""

    request_id: int
    code: str
    values: dict[str, str] = field(default_factory=dict)


Event = (
    Hello
    | Heartbeat
    | LoadProgress
    | Loaded
    | HardwareFound
    | PromptReady
    | PrefillProgress
    | ReasoningText
    | CommentaryText
    | AnswerText
    | ToolCalled
    | Finished
    | Rendered
    | Unloaded
    | Settled
    | Left
    | Failed
)
