"""What a prompt is made of: messages, tools and the frame around them."""

from dataclasses import dataclass
from enum import StrEnum


class Effort(StrEnum):
    """How long the model thinks before it answers (harmony's ``Reasoning:`` line)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Role(StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call.

    ``parameters`` is the text of a JSON Schema object, or "" when the function takes nothing. It stays text so
    that the value is immutable and the order of its keys is kept.
    """

    name: str
    description: str = ""
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call the assistant made; ``arguments`` is the model's own text, usually JSON, kept verbatim."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. In an assistant's turn the order is reasoning, commentary, tool calls, content (final channel).

    ``name`` is the tool that a tool result answers. ``pinned``: it stays in the prompt when older messages have to
    leave it.
    """

    role: Role
    content: str = ""
    reasoning: str = ""
    commentary: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    name: str = ""
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The straight line of messages that a prompt is rendered from.

    ``date`` is an ISO date, fixed when the conversation starts, so that the prompt's beginning never changes.
    """

    messages: tuple[Message, ...]
    date: str
    effort: Effort = Effort.MEDIUM
    instructions: str = ""
    tools: tuple[Tool, ...] = ()
