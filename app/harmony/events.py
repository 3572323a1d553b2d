"""What the parser makes of generated tokens."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """New text of the ``analysis`` channel."""

    text: str


@dataclass(frozen=True, slots=True)
class CommentaryDelta:
    """New text of the ``commentary`` channel that is not a tool call: a preamble."""

    text: str


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """New text of the ``final`` channel."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallEvent:
    """A finished tool call; ``name`` without its ``functions.`` namespace, ``arguments`` verbatim."""

    name: str
    arguments: str


HarmonyEvent = ReasoningDelta | CommentaryDelta | AnswerDelta | ToolCallEvent
