"""A prompt before it becomes token ids: control tokens and plain text, told apart by their types."""

from dataclasses import dataclass

from app.harmony.vocabulary import ControlToken


@dataclass(frozen=True, slots=True)
class Control:
    """A control token; only the renderer makes these."""

    token: ControlToken


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text, whatever it contains."""

    text: str


Segment = Control | Text
