"""What a setting is: its declaration, and the check that every value passes on its way in."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar, cast

from app.domain.errors import ErrorCode, UserError

Value = bool | int | float | str
V_co = TypeVar("V_co", bound=Value, covariant=True)

LONGEST_TEXT = 100_000
_SHOWN = 60


class Kind(StrEnum):
    """What a setting's value is; the pane picks its editor by this."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    CHOICE = "choice"
    TEXT = "text"


class Group(StrEnum):
    """Where a setting stands in the pane; the value is the heading."""

    GENERAL = "General"
    CHAT = "Chat"
    GENERATION = "Generation"
    HARDWARE = "Hardware"
    MODELS = "Models"
    ADVANCED = "Advanced"


class Applies(StrEnum):
    """When a change takes effect; the value is what the pane says."""

    AT_ONCE = "at once"
    NEXT_MESSAGE = "with the next message"
    NEXT_LOAD = "when a model is next loaded"
    RESTART = "when Alcove is next started"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values of a setting, and what the pane calls it."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[V_co]):
    """A setting, declared once; file, pane, checks and documentation follow from it.

    ``key`` is ``table.name`` in the settings file. ``minimum`` and ``maximum`` bound a number (both inclusive);
    ``special`` is a number that is allowed beside them and ``special_label`` what it means, for example 0:
    "automatic". ``step`` and ``decimals`` are for the editor alone. A hidden setting is kept in the file but not
    shown in the pane.
    """

    key: str
    kind: Kind
    default: V_co
    group: Group
    label: str
    help: str
    applies: Applies = Applies.AT_ONCE
    minimum: int | float | None = None
    maximum: int | float | None = None
    special: int | None = None
    special_label: str = ""
    step: int | float = 1
    decimals: int = 0
    unit: str = ""
    choices: tuple[Choice, ...] = ()
    multiline: bool = False
    hidden: bool = False

    @property
    def expected(self) -> str:
        """What the value can be, as a sentence for the user."""
        match self.kind:
            case Kind.BOOL:
                return "Choose true or false."
            case Kind.INT | Kind.FLOAT:
                number = "a whole number" if self.kind is Kind.INT else "a number"
                also = "" if self.special is None else f"; {self.special} means “{self.special_label}”"
                unit = f" {self.unit}" if self.unit else ""
                return f"Choose {number} from {self.minimum} to {self.maximum}{unit}{also}."
            case Kind.CHOICE:
                return "Choose one of: " + ", ".join(choice.value for choice in self.choices) + "."
            case _:  # text
                return f"Write at most {LONGEST_TEXT:,} characters, without control characters."

    def checked(self, value: object) -> V_co:
        """``value`` as this setting keeps it (a whole number becomes a float where one is asked for).

        Raises ``UserError(SETTING_INVALID)`` when it is of another type or out of bounds.
        """
        kept = value
        if self.kind is Kind.FLOAT and isinstance(value, int) and not isinstance(value, bool):
            kept = _as_float(value)
        if not self._fits(kept):
            raise UserError(
                ErrorCode.SETTING_INVALID, key=self.key, label=self.label, value=_shown(value), expected=self.expected
            )
        return cast("V_co", kept)

    def _fits(self, value: object) -> bool:
        match self.kind:
            case Kind.BOOL:
                return isinstance(value, bool)
            case Kind.INT:
                return isinstance(value, int) and not isinstance(value, bool) and self._in_bounds(value)
            case Kind.FLOAT:
                return isinstance(value, float) and math.isfinite(value) and self._in_bounds(value)
            case Kind.CHOICE:
                return any(value == choice.value for choice in self.choices)
            case _:  # text
                return isinstance(value, str) and len(value) <= LONGEST_TEXT and _is_plain(value)

    def _in_bounds(self, value: int | float) -> bool:
        above = self.minimum is None or value >= self.minimum
        below = self.maximum is None or value <= self.maximum
        return (above and below) or (self.special is not None and value == self.special)


def _as_float(value: int) -> float:
    """``value`` as a float; an integer too large for one is as good as infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_plain(text: str) -> bool:
    """Whether a TOML file can hold it and get it back: no lone surrogates, no control characters but \\t and \\n."""
    return not any((c < " " and c not in "\t\n") or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in text)


def _shown(value: object) -> str:
    """A value for a sentence, shortened."""
    text = (
        str(value).lower()
        if isinstance(value, bool)
        else str(value)
        if isinstance(value, int | float)
        else f"“{value}”"
    )
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
