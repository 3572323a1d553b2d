"""How a load plan is told to people: a code with values, and one table of sentences, as for errors."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

GIB: Final = 1 << 30


class PlanCode(StrEnum):
    """Stable names of what can be said about a plan."""

    ON_CARD = "on-card"
    ON_SHARED = "on-shared"
    EXPERTS_BESIDE = "experts-beside"
    ALL_EXPERTS_BESIDE = "all-experts-beside"
    LAYERS_BESIDE = "layers-beside"
    LAYERS_AND_EXPERTS_BESIDE = "layers-and-experts-beside"
    ON_PROCESSOR = "on-processor"
    ONE_CARD_ONLY = "one-card-only"
    TOO_SMALL = "too-small"
    TOO_SMALL_WITH_CARD = "too-small-with-card"
    CLOSE_PROGRAMS = "close-programs"
    SMALLER_MODEL = "smaller-model"
    # what a wish that cannot fit is called
    WISH_CONTEXT = "wish-context"
    WISH_LAYERS = "wish-layers"
    WISH_EXPERTS = "wish-experts"
    WISH_BATCH = "wish-batch"
    WISH_NO_FLASH = "wish-no-flash"
    WISH_REPACKED = "wish-repacked"
    WISH_COPIED = "wish-copied"
    WISH_LOCKED = "wish-locked"
    WISH_DEVICE = "wish-device"
    WISHES = "wishes"


# Templates for str.format.
PLAN_SENTENCES: Final[dict[PlanCode, str]] = {
    PlanCode.ON_CARD: "Runs fully on the graphics card ({device}), with {context} tokens of context.",
    PlanCode.ON_SHARED: "Runs fully on the graphics processor ({device}), with {context} tokens of context.",
    PlanCode.EXPERTS_BESIDE: (
        "Attention runs on the graphics card ({device}), the experts of {experts} of {layers} layers on the processor, "
        "with {context} tokens of context."
    ),
    PlanCode.ALL_EXPERTS_BESIDE: (
        "Attention runs on the graphics card ({device}), all experts on the processor, "
        "with {context} tokens of context."
    ),
    PlanCode.LAYERS_BESIDE: (
        "{on_device} of {layers} layers run on {device}, the others on the processor, with {context} tokens of context."
    ),
    PlanCode.LAYERS_AND_EXPERTS_BESIDE: (
        "{on_device} of {layers} layers run on {device}, {bare} of them without their experts, the rest on the "
        "processor, with {context} tokens of context."
    ),
    PlanCode.ON_PROCESSOR: "Runs on the processor, with {context} tokens of context.",
    PlanCode.ONE_CARD_ONLY: "A model uses one graphics card only; not used: {others}.",
    PlanCode.TOO_SMALL: "This machine has {ram} GB of memory; {name} needs about {needed} GB: too small.",
    PlanCode.TOO_SMALL_WITH_CARD: (
        "This machine has {ram} GB of memory and {card} GB on the graphics card; {name} needs about {needed} GB of "
        "memory beside the card: too small."
    ),
    PlanCode.CLOSE_PROGRAMS: (
        "Memory is tight: close browsers and other large programs until about {missing} GB more are free."
    ),
    PlanCode.SMALLER_MODEL: "Choose a smaller model.",
    PlanCode.WISH_CONTEXT: "A context of {value} tokens",
    PlanCode.WISH_LAYERS: "The model with {value} layers on the graphics card",
    PlanCode.WISH_EXPERTS: "The model with the experts of {value} layers on the processor",
    PlanCode.WISH_BATCH: "Reading {value} tokens at once",
    PlanCode.WISH_NO_FLASH: "The model without flash attention",
    PlanCode.WISH_REPACKED: "The model with its weights rearranged",
    PlanCode.WISH_COPIED: "The model as a copy of its file",
    PlanCode.WISH_LOCKED: "The model kept in memory",
    PlanCode.WISH_DEVICE: "The model on this device alone",
    PlanCode.WISHES: "The model with these hardware settings",
}


@dataclass(frozen=True, slots=True)
class PlanNote:
    """Something to say about a plan. ``values`` are shown as they are; ``more`` is said after it."""

    code: PlanCode
    values: tuple[tuple[str, str], ...] = ()
    more: "PlanNote | None" = None

    def __str__(self) -> str:
        """In English."""
        told = PLAN_SENTENCES[self.code].format_map(dict(self.values))
        return told if self.more is None else f"{told} {self.more}"


def note(code: PlanCode, /, **values: str | int) -> PlanNote:
    """A note; whole numbers get their thousands set apart."""
    return PlanNote(
        code, tuple((key, f"{value:,}" if isinstance(value, int) else value) for key, value in values.items())
    )


def gigabytes(size: int) -> str:
    """As memory is sold and shown, with a decimal below 100 GB; rounded up."""
    tenths = -(-size * 10 // GIB)
    return f"{tenths / 10:g}" if tenths < 1000 else about(size)


def room(size: int) -> str:
    """What there is room for: as `gigabytes`, rounded down."""
    return gigabytes(max(0, size - GIB // 10 + 1))


def about(size: int) -> str:
    """Whole GB, rounded up."""
    return f"{-(-size // GIB):,}"


def built_in(size: int) -> str:
    """A machine's memory as its maker calls it: what the system reports lacks a little, sizes are even numbers."""
    even = -(-size // (2 * GIB)) * 2
    return f"{even if even * GIB - size <= GIB else max(1, round(size / GIB)):,}"
