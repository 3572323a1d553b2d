"""Lays messages out: documents for their blocks, and places for everything."""

import time

from markdown_it import MarkdownIt
from PySide6.QtCore import QRectF

from app.domain.conversation import Role
from app.ui.theme import Theme
from app.ui.transcript import wording
from app.ui.transcript.blocks import Block, BlockKind, Nest, NestKind
from app.ui.transcript.document import DocumentBuilder, TextStyle
from app.ui.transcript.entry import Entry, Section
from app.ui.transcript.highlight import Highlighter
from app.ui.transcript.horizon import lay_out_mark
from app.ui.transcript.layout_values import Laid, Placed
from app.ui.transcript.measures import Measures

SCROLL_ROOM = 10  # under code that is wider than its frame
QUOTE_INDENT = 18
LIST_INDENT = 28
DIGIT = 9
BUBBLE_PADDING_X = 16
BUBBLE_PADDING_Y = 10
BUBBLE_SHARE = 0.84
AFTER_MESSAGE = 22
COLOURING_SHARE = 0.04


class Typesetter:
    """Lays out messages in one theme. ``layouts`` counts the messages laid out, ``documents`` the documents made."""

    def __init__(self, theme: Theme, parser: MarkdownIt, density: float = 1.0) -> None:
        reading = theme.type.reading
        self.theme = theme
        self.measures = Measures.of(theme)
        self.parser = parser
        self.layouts = 0
        self.documents = 0
        self._width = 0.0  # of the column that is being laid out
        self._text = DocumentBuilder(TextStyle(theme, reading, density=density))
        self._quiet = DocumentBuilder(TextStyle(theme, reading * 0.93, "muted", density))
        self._highlighter = Highlighter(theme)

    def lay_out(self, entry: Entry, width: float) -> Laid:
        """Places everything of a message in a column of this width. Documents of unchanged blocks are kept."""
        self.layouts += 1
        self._width = width
        old = entry.laid.by_section() if entry.laid is not None else {}
        laid = Laid()
        place = self._bubble if entry.role is Role.USER else self._answer
        y = place(entry, width, laid, old)
        laid.footer = QRectF(0, y, width, self.measures.footer)
        y += self.measures.footer
        laid.height = y + (4 if entry.role is not Role.ASSISTANT else AFTER_MESSAGE)
        if entry.role is Role.TOOL:
            laid.footer = None
            laid.height = y - self.measures.footer + 8
        if entry.mark is not None:
            laid.horizon = lay_out_mark(self.theme, entry.mark, laid.height, width)
            laid.height += laid.horizon.height
        entry.laid, entry.height, entry.laid_width = laid, laid.height, width
        return laid

    def _bubble(self, entry: Entry, width: float, laid: Laid, old: dict[int, list[Placed]]) -> float:
        room = width * BUBBLE_SHARE - 2 * BUBBLE_PADDING_X
        bottom = self._blocks(entry, Section.ANSWER, 0, BUBBLE_PADDING_Y + 2, room, laid, old)
        if any(placed.block.kind is not BlockKind.PARAGRAPH for placed in laid.placed):
            inner = room
        else:
            inner = min(room, max((placed.document.idealWidth() for placed in laid.placed), default=0.0) + 1)
        left = width - inner - BUBBLE_PADDING_X
        for placed in laid.placed:
            if placed.block.kind is BlockKind.PARAGRAPH:
                placed.document.setTextWidth(inner)
                placed.frame.setWidth(inner)
                placed.inner.setWidth(inner)
            placed.frame.translate(left, 0)
            placed.inner.translate(left, 0)
        height = bottom + BUBBLE_PADDING_Y
        laid.bubble = QRectF(left - BUBBLE_PADDING_X, 0, inner + 2 * BUBBLE_PADDING_X, height)
        return height + 2

    def _answer(self, entry: Entry, width: float, laid: Laid, old: dict[int, list[Placed]]) -> float:
        m = self.measures
        y = 0.0
        if entry.foldable:
            laid.fold = QRectF(0, y, width, m.fold)
            y += m.fold + 4
        for section in entry.sections():
            indent = m.thread_indent if section is Section.REASONING else 0
            start = len(laid.placed)
            bottom = self._blocks(entry, section, indent, y, width - indent, laid, old)
            if len(laid.placed) > start:
                if indent:
                    laid.thread = QRectF(m.icon // 2 - 1, y + 2, 2, bottom - y - 2)
                y = bottom + 14
        if entry.streaming and entry.empty:
            laid.status = QRectF(0, y, width, m.status)
            y += m.status
        elif laid.placed:
            y -= 8
        if not entry.streaming and entry.role is Role.ASSISTANT and wording.interruption(entry.node):
            laid.mark = QRectF(0, y + 2, width, m.mark)
            y += m.mark + 4
        return y

    def _blocks(
        self,
        entry: Entry,
        section: Section,
        left: float,
        top: float,
        width: float,
        laid: Laid,
        old: dict[int, list[Placed]],
    ) -> float:
        """Places a section's blocks one under another; the bottom of the last."""
        quiet = section in (Section.REASONING, Section.COMMENTARY)
        before = old.get(section, [])
        blocks = entry.blocks(section, self.parser)
        kept = self._kept(entry, before, blocks, top)
        laid.placed += before[:kept]
        previous = blocks[kept - 1] if kept else None
        y = before[kept - 1].frame.bottom() if kept else top
        for index, block in enumerate(blocks[kept:], kept):
            y += gap(previous, block)
            indent = sum(indent_of(nest) for nest in block.nest)
            placed = self._place(
                block,
                (section, index),
                before[index] if index < len(before) else None,
                left if block.nest and block.right_to_left else left + indent,
                y,
                max(40.0, width - indent),
                quiet,
                growing=entry.streaming,
            )
            placed.scroll = min(entry.scrolls.get(placed.key, 0.0), placed.overflow)
            laid.placed.append(placed)
            y = placed.frame.bottom()
            previous = block
        return y

    def _kept(self, entry: Entry, before: list[Placed], blocks: tuple[Block, ...], top: float) -> int:
        """How many of the section's first blocks stand where they stood: of a growing answer nearly all."""
        same_place = before and before[0].frame.y() == top and entry.laid_width == self._width
        if not same_place or entry.role is Role.USER:  # a bubble's blocks are moved after they are placed
            return 0
        pairs = zip(before, blocks, strict=False)
        changed = (i for i, (old, block) in enumerate(pairs) if old.block is not block or old.colourless)
        return next(changed, min(len(before), len(blocks)))

    def _place(
        self,
        block: Block,
        key: tuple[int, int],
        old: Placed | None,
        x: float,
        y: float,
        width: float,
        quiet: bool,
        growing: bool,
    ) -> Placed:
        builder = self._quiet if quiet else self._text
        if old is not None and old.block.same_text(block):
            if (old.frame.width() == width and block.kind is not BlockKind.PARAGRAPH) or old.inner.width() == width:
                dy, dx = y - old.frame.y(), x - old.frame.x()
                old.block = block
                old.frame.translate(dx, dy)
                old.inner.translate(dx, dy)
                if block.kind is BlockKind.CODE:
                    self._colour(old, growing)
                return old
            placed = old
            placed.block = block
        elif old is not None and _grown(old.block, block):
            builder.grow_code(old.document, block.code[len(old.block.code) :])
            placed = old
            placed.block = block
        else:
            self.documents += 1
            placed = Placed(block, *key, builder.build(block), QRectF(), QRectF())
        self._measure(placed, x, y, width)
        if block.kind is BlockKind.CODE:
            self._colour(placed, growing)
        return placed

    def _measure(self, placed: Placed, x: float, y: float, width: float) -> None:
        document = placed.document
        header, padding = self.measures.code_header, self.measures.code_padding
        match placed.block.kind:
            case BlockKind.CODE:
                placed.natural = document.idealWidth()
                height = document.size().height() if placed.block.code else 0
                inner = width - 2 * padding
                placed.inner = QRectF(x + padding, y + header, inner, height)
                room = padding if height else 0
                room += SCROLL_ROOM if placed.natural > inner else 0
                placed.frame = QRectF(x, y, width, header + height + room)
            case BlockKind.MATH:
                placed.natural = document.idealWidth()
                height = document.size().height()
                if document.formulas:  # drawn: in the middle, without a frame
                    room = SCROLL_ROOM if placed.natural > width else 0
                    left = max(0.0, (width - placed.natural) / 2)
                    placed.inner = QRectF(x + left, y + 4, width - left, height)
                    placed.frame = QRectF(x, y, width, height + 8 + room)
                else:
                    placed.inner = QRectF(x + padding, y + 10, width - 2 * padding, height)
                    placed.frame = QRectF(x, y, width, height + 20)
            case BlockKind.TABLE:
                document.setTextWidth(width)
                placed.natural = document.size().width()
                height = document.size().height()
                if placed.natural <= width:
                    placed.natural = min(width, document.idealWidth())
                overflow = SCROLL_ROOM if placed.natural > width else 0
                placed.inner = QRectF(x, y, width, height)
                placed.frame = QRectF(x, y, width, height + overflow)
            case BlockKind.RULE:
                placed.inner = QRectF(x, y, width, 1)
                placed.frame = QRectF(x, y, width, 1)
            case _:
                document.setTextWidth(width)
                placed.inner = QRectF(x, y, width, document.size().height())
                placed.frame = QRectF(placed.inner)

    def _colour(self, placed: Placed, growing: bool) -> None:
        """Colours code; while it grows only so often that it costs a small share of the time."""
        text = placed.document.characterCount()
        now = time.perf_counter()
        if placed.coloured_for == text:
            return
        placed.colourless = growing and now - placed.coloured_at < placed.coloured_s / COLOURING_SHARE
        if placed.colourless:
            return
        self._highlighter.colour(placed.document, placed.block.language)
        placed.coloured_for = text
        placed.coloured_at = time.perf_counter()
        placed.coloured_s = placed.coloured_at - now


def _grown(old: Block, new: Block) -> bool:
    return (
        old.kind is new.kind is BlockKind.CODE
        and old.language == new.language
        and old.label == new.label
        and old.nest == new.nest
        and bool(old.code)
        and new.code.startswith(old.code)
    )


def indent_of(nest: Nest) -> float:
    """How far what stands in a list item or a quote is indented."""
    match nest.kind:
        case NestKind.QUOTE:
            return QUOTE_INDENT
        case _:
            return LIST_INDENT + max(0, len(nest.marker) - 3) * DIGIT


def gap(previous: Block | None, block: Block) -> float:
    """The distance between two blocks."""
    if previous is None:
        return 0
    if block.kind is BlockKind.RULE or previous.kind is BlockKind.RULE:
        return 20
    if block.kind is BlockKind.HEADING:
        return 26 if block.level <= 2 else 22
    if previous.kind is BlockKind.HEADING:
        return 8
    if BlockKind.CODE in (block.kind, previous.kind) or BlockKind.TABLE in (block.kind, previous.kind):
        return 10 if block.nest else 14
    if block.tight and previous.nest and block.nest[0].kind is previous.nest[0].kind:
        return 5
    if block.nest and previous.nest and block.nest[0].kind is previous.nest[0].kind:
        return 9
    return 13
