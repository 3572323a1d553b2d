"""What the header of a generated message says, however it is written.

A well-formed header is ``<|start|>assistant<|channel|>commentary to=functions.x <|constrain|>json<|message|>``. Models
also leave parts out, put them elsewhere, glue them together, or answer where a header should stand. So a header
is kept as text until it is complete or can no longer be one, and then it is read for what is there.
"""

import re
from dataclasses import dataclass
from enum import Enum

from app.domain.conversation import Message

# More than any real header has; tool names are the only long part.
MAX_CHARS = 320
MAX_WORDS = 6

_CHANNELS = ("analysis", "commentary", "final")
# What a header may begin with when the model did not write <|start|> itself.
_OPENINGS = ("assistant", *_CHANNELS, "to=")
_NAME = r"""[^\s{(\["'<]"""
_RECIPIENT = re.compile(rf"(?:to=\s*|(?<!\S))functions?\.({_NAME}+)|to=({_NAME}*)")
_CHANNEL_WORD = re.compile(r"analysis|commentary|final")
_CHANNEL_FIRST = re.compile(r"[\W_]*(analysis|commentary|final)(?![a-z])")
_GLUED_CHANNEL = re.compile(r"\s*(?:assistant)+(analysis|commentary|final)(?![a-z])")
_SPEAKER = re.compile(r"\s*(?:assistant)+\s*")
_FOREIGN = re.compile(
    r"\s*(?:(?:user|system|developer|tool)(?![^\s:])|functions\.|(?!assistant)\S+\s+to=assistant(?!\S))"
)
_CONTENT_TYPE = re.compile(r"\s*(?:json|code|text|python)(?=\s*(?:[\[{]|$))")
# Recipients that are people or channels, not tools.
_NO_TOOL = ("", "assistant", "user", "all", *_CHANNELS)


class Channel(Enum):
    """Where the text of a message goes."""

    REASONING = "analysis"
    COMMENTARY = "commentary"
    ANSWER = "final"


def open_channel(message: Message) -> Channel | None:
    """Where an assistant's message that was cut short goes on; None when the next thing is a new header.

    The message keeps no order of its own, so the later of reasoning, commentary and answer counts as the last. A call
    is only kept when it is complete.
    """
    if message.content:
        return Channel.ANSWER
    if message.tool_calls:
        return None
    if message.commentary:
        return Channel.COMMENTARY
    return Channel.REASONING if message.reasoning else None


# Names that models make up for the channels, by how they begin.
_SIMILAR = (
    (re.compile(r"\W*(?:anal|think|thought|reason|reflect)", re.IGNORECASE), Channel.REASONING),
    (re.compile(r"\W*comment", re.IGNORECASE), Channel.COMMENTARY),
)


@dataclass(frozen=True, slots=True)
class ToolRecipient:
    """The message is a call of this tool, and its text the arguments."""

    name: str


Destination = Channel | ToolRecipient


@dataclass(slots=True)
class Header:
    """The text of a header so far, by the control token that it follows.

    ``started`` tells that the model wrote ``<|start|>`` itself; ``channel`` and ``constraint`` are None until their
    tokens came. ``resumes`` is the channel of the message that this header interrupts, if it does: text that turns
    out not to be a header goes on there.
    """

    started: bool = False
    role: str = ""
    channel: str | None = None
    constraint: str | None = None
    resumes: Channel | None = None

    def add(self, text: str) -> None:
        """Text that follows the newest control token."""
        if self.constraint is not None:
            self.constraint += text
        elif self.channel is not None:
            self.channel += text
        else:
            self.role += text

    @property
    def possible(self) -> bool:
        """Whether this can still become a header; once it cannot, more text never makes it one."""
        text = f"{self.role} {self.channel or ''} {self.constraint or ''}"
        if len(text) > MAX_CHARS or len(text.split()) > MAX_WORDS:
            return False
        if self.started or self.channel is not None or self.constraint is not None:
            return True
        begun = self.role.lstrip()
        return any(begun.startswith(opening) or opening.startswith(begun) for opening in _OPENINGS)

    @property
    def is_foreign(self) -> bool:
        """Whether it opens a message that is not the assistant's: the model plays the user or a tool."""
        return self.started and _FOREIGN.match(self.role) is not None

    @property
    def recipient(self) -> ToolRecipient | None:
        """The tool that is called, wherever the header names it; the last name counts."""
        found = _RECIPIENT.findall(f"{self.role} {self.channel or ''} {self.constraint or ''}")
        return _tool(*found[-1]) if found else None

    def destination(self) -> Destination | None:
        """Where the message goes whose header ended with ``<|message|>``; None when it names nothing known."""
        if tool := self.recipient:
            return tool
        for part in (self.channel or "", _RECIPIENT.sub("", self.role)):
            if word := _CHANNEL_WORD.search(part):
                return Channel(word.group())
        return next((channel for name, channel in _SIMILAR if name.match(self.channel or "")), None)

    def as_text(self) -> tuple[Destination, str]:
        """Where the text goes of a header that never ended with ``<|message|>``, and what of it is text.

        Only what is certainly part of a header is taken away: nothing that was said is lost.
        """
        destination: Destination = self.resumes or Channel.ANSWER
        role, rest = self.role, self.channel or ""
        if self.started and (glued := _GLUED_CHANNEL.match(role)):
            destination, role = Channel(glued.group(1)), role[glued.end() :]
        elif self.started or self.channel is not None:
            role = _without(_SPEAKER, role)
        if first := _CHANNEL_FIRST.match(rest):
            destination, rest = Channel(first.group(1)), rest[first.end() :]
        role_tool, role = _leading_tool(role)
        rest_tool, rest = _leading_tool(rest)
        if role.strip() in _CHANNELS:
            role = ""
        if self.constraint is not None:
            rest += _without(_CONTENT_TYPE, "" if self.constraint.strip().isidentifier() else self.constraint)
        text = role + _without(_CONTENT_TYPE, rest)
        destination = rest_tool or role_tool or destination
        return destination, text if destination is self.resumes else text.lstrip()


def _tool(function: str, other: str) -> ToolRecipient | None:
    name = (function or other).rstrip(".,;:")
    return None if name in _NO_TOOL else ToolRecipient(name)


def _leading_tool(text: str) -> tuple[ToolRecipient | None, str]:
    """The tool that the text begins by naming, and the rest; any other recipient is no text either."""
    found = _RECIPIENT.match(text.lstrip())
    if found is None:
        return None, text
    return _tool(*found.groups(default="")), text.lstrip()[found.end() :]


def _without(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.match(text)
    return text[found.end() :] if found else text
