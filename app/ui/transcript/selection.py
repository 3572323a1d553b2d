"""What is selected across messages, and its text."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtGui import QTextCursor

from app.ui.transcript.blocks import Block, BlockKind, NestKind, plain_block
from app.ui.transcript.layout_values import Laid, Placed

FIRST = (-1, -1)
"""A block key before all blocks of a message."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the transcript: the message's index, the block's section and index, the document's position."""

    message: int
    block: tuple[int, int]
    character: int


@dataclass(frozen=True, slots=True)
class Selection:
    """From where the reader began to where they are; empty where both are the same."""

    anchor: Position
    cursor: Position

    @property
    def start(self) -> Position:
        """The earlier end."""
        return min(self.anchor, self.cursor)

    @property
    def end(self) -> Position:
        """The later end."""
        return max(self.anchor, self.cursor)

    @property
    def empty(self) -> bool:
        """Whether nothing is selected."""
        return self.anchor == self.cursor

    def within(self, message: int, placed: Placed) -> tuple[int, int] | None:
        """The selected positions of a block's document; None when there are none."""
        here = (message, placed.key)
        start, end = self.start, self.end
        if here < (start.message, start.block) or here > (end.message, end.block):
            return None
        first = min(start.character, placed.length) if here == (start.message, start.block) else 0
        last = min(end.character, placed.length) if here == (end.message, end.block) else placed.length
        return (first, last) if last > first or placed.length == 0 else None


def selected_text(selection: Selection, laid: Callable[[int], Laid], count: int) -> str:
    """The selection as plain text; ``laid`` gives the layout of each of the ``count`` messages."""
    messages: list[str] = []
    for index in range(selection.start.message, min(selection.end.message + 1, count)):
        parts: list[tuple[Block, str]] = []
        for placed in laid(index).placed:
            span = selection.within(index, placed)
            if span is not None:
                parts.append((placed.block, _with_marker(placed.block, span[0], text_between(placed, *span))))
        if parts:
            messages.append(_joined(parts))
    return "\n\n".join(messages)


def text_between(placed: Placed, first: int, last: int) -> str:
    """The plain text between two positions of a block's document. What was made visible is given back as it is."""
    if first == 0 and last >= placed.length and placed.block.kind in (BlockKind.CODE, BlockKind.TABLE, BlockKind.MATH):
        return plain_block(placed.block)
    cursor = QTextCursor(placed.document)
    cursor.setPosition(first)
    cursor.setPosition(last, QTextCursor.MoveMode.KeepAnchor)
    text = cursor.selectedText()
    formulas = (latex for position, latex in placed.document.formulas if first <= position < last)
    text = re.sub("\ufffc", lambda _: next(formulas, ""), text)
    return text.replace("\u2029", "\n").replace("\u2028", "\n").replace("\u00a0", " ")


def _with_marker(block: Block, first: int, text: str) -> str:
    """Text of a list item or a quote with its mark in front, where the selection has its beginning."""
    if first or not block.nest:
        return text
    lead = ""
    for nest in block.nest:
        if nest.kind is NestKind.QUOTE:
            lead += "> "
        elif not nest.first:
            lead += " " * (len(nest.marker) + 1)
        elif nest.checked is not None:
            lead += f"- [{'x' if nest.checked else ' '}] "
        else:
            lead += "- " if nest.kind is NestKind.BULLETS else f"{nest.marker} "
    rest = "".join("> " if nest.kind is NestKind.QUOTE else " " * (len(nest.marker) + 1) for nest in block.nest)
    return lead + text.replace("\n", "\n" + rest)


def _joined(parts: Sequence[tuple[Block, str]]) -> str:
    text = parts[0][1]
    for (before, _), (block, part) in pairwise(parts):
        close = block.tight and before.nest and block.nest
        text += ("\n" if close else "\n\n") + part
    return text
