"""Marks: what a template sees in place of every text, so that what it writes can be told apart from what was said.

A text's leading and trailing space stays around its mark: a template that trims, trims it as it would the text. Its
middle is a word of letters and digits that nobody can guess. What the template then writes is cut at the marks:
whatever stands between them is the template's own, and may name control tokens; a text never may.
"""

import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from app.engine.templates.protocol import MAX_OUTPUT

_LETTERS: Final = "abcdefghijklmnop"  # none of those that stand in a mark beside them
_LENGTH: Final = 20
_PIECE: Final = 8
_ESCAPES: Final = 3
"""How often a text may have gone through ``tojson``: each time may double it."""
_CHUNK: Final = 65536
# A content in parts that was not taken for one, but written as Python or JSON write a list.
_SPELLED_PART: Final = re.compile(r"""(['"])type\1: *(['"])text\2""")


class LostTextError(Exception):
    """The template left out, cut or changed what it must repeat."""


class TooMuchTextError(Exception):
    """The template repeats or escapes texts until they are more than a prompt can be."""


@dataclass(frozen=True, slots=True)
class Own:
    """The template's own words."""

    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """A text of the conversation, without the space around it. ``index`` is its mark's."""

    text: str
    index: int


Part = Own | Said


def new_stem() -> str:
    """What all marks of a model begin with; a new one for every template process."""
    return "zq" + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


class Marks:
    """The marks of one prompt."""

    def __init__(self, stem: str) -> None:
        self._stem = stem
        self._texts: list[str] = []
        self._named: dict[str, str] = {}
        self._required: set[int] = set()

    def mark(self, text: str, *, required: bool = False) -> str:
        """What the template gets for ``text``; a ``required`` one must come back.

        Empty texts and those of space alone are handed over as they are: templates ask for them.
        """
        body = text.strip()
        if not body:
            return text
        begin = text.index(body)
        index = len(self._texts)
        self._texts.append(body)
        if required:
            self._required.add(index)
        return f"{text[:begin]}{self._stem}x{index}x{text[begin + len(body) :]}"

    def name(self, text: str) -> str:
        """The same for a text that must stay equal to itself, as a name that is looked up."""
        if text not in self._named:
            self._named[text] = self.mark(text)
        return self._named[text]

    @property
    def count(self) -> int:
        """How many marks there are; the next one has this index."""
        return len(self._texts)

    def parts(self, drawing: str) -> tuple[Part, ...]:
        """What a template wrote, cut at the marks, which are texts again.

        Raises ``LostTextError`` when a required one is missing or any is not whole, and ``TooMuchTextError`` before
        the texts come to more than twice those of the conversation and ``MAX_OUTPUT``.
        """
        room = 2 * sum(map(len, self._texts)) + MAX_OUTPUT
        escaped: dict[tuple[int, str], str] = {}
        parts: list[Part] = []
        missing = set(self._required)
        begin = 0
        for found in re.finditer(rf"{self._stem}x(\d+)([ja]{{0,{_ESCAPES}}})x", drawing):
            index = int(found[1][:9])
            if index >= len(self._texts):
                raise LostTextError
            missing.discard(index)
            key = (index, found[2])
            if key not in escaped:
                escaped[key] = _escaped(self._texts[index], found[2], room)
            text = escaped[key]
            room -= len(text)
            if room < 0:
                raise TooMuchTextError
            parts += (Own(drawing[begin : found.start()]), Said(text, index))
            begin = found.end()
        parts.append(Own(drawing[begin:]))
        if missing or self._damaged(parts):
            raise LostTextError
        return tuple(part for part in parts if part.text)

    def _damaged(self, parts: Iterable[Part]) -> bool:
        """Whether something of a mark or its wrapping is left among the template's own words, in whatever case."""
        own = "\n".join(part.text for part in parts if isinstance(part, Own)).lower()
        return self._stem[:_PIECE] in own or self._stem[-_PIECE:] in own or _SPELLED_PART.search(own) is not None


class NoMarks(Marks):
    """The texts themselves in place of marks, to see what a template makes of them. For texts that are no secret."""

    def __init__(self) -> None:
        super().__init__("")

    def mark(self, text: str, *, required: bool = False) -> str:
        """The text as it is."""
        return text


def _escaped(text: str, forms: str, room: int) -> str:
    """The text as JSON has it inside its quotes, once for every ``tojson`` it went through.

    Raises ``TooMuchTextError`` as soon as it is longer than ``room``.
    """
    for form in forms:
        pieces: list[str] = []
        left = room
        for begin in range(0, len(text), _CHUNK):
            piece = json.dumps(text[begin : begin + _CHUNK], ensure_ascii=form == "a")[1:-1]
            left -= len(piece)
            if left < 0:
                raise TooMuchTextError
            pieces.append(piece)
        text = "".join(pieces)
    return text
