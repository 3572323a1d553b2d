"""The words between the engine child and the process that a chat template runs in. Bounded JSON, as on every pipe."""

from dataclasses import dataclass, field
from enum import StrEnum

from app.engine.frames import Codec

MAX_ORDER_BYTES = 8 * 1024 * 1024
MAX_REPLY_BYTES = 8 * 1024 * 1024

MAX_OUTPUT = 2_000_000
"""Characters of a drawn prompt, in which every text of the conversation is a mark of some 30 characters."""


class Trouble(StrEnum):
    """What was wrong with a drawing."""

    TEMPLATE = "template"
    """The template is faulty, or refuses this conversation: another shape of it may be taken."""
    MEMORY = "memory"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Open:
    """Take this template. ``mark`` is what every text's mark begins with; ``bos`` and ``eos`` are tokens' names."""

    source: str
    mark: str
    bos: str = ""
    eos: str = ""


@dataclass(frozen=True, slots=True)
class Draw:
    """Draw a prompt. ``messages``, ``tools`` and ``options`` are what Hugging Face's templates take."""

    messages: list[dict[str, object]]
    tools: list[dict[str, object]] | None
    options: dict[str, object]
    date: str


Order = Open | Draw


@dataclass(frozen=True, slots=True)
class Ready:
    """The process is up and has nothing left to load."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The template is understood."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the template wrote."""

    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The template wrote nothing; ``reason`` is its own words or Python's, maybe hostile."""

    trouble: Trouble
    reason: str = field(default="")


Reply = Ready | Opened | Drawn | Refused


def order_codec() -> Codec[Order]:
    """The codec of what goes to the template's process."""
    return Codec((Open, Draw), MAX_ORDER_BYTES)


def reply_codec() -> Codec[Reply]:
    """The codec of what comes back."""
    return Codec((Ready, Opened, Drawn, Refused), MAX_REPLY_BYTES)
