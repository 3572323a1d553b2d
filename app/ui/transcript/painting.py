"""Draws laid-out messages."""

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPalette,
    QPen,
    QTextCharFormat,
    QTextCursor,
)

from app.ui import icons
from app.ui.theme import Theme
from app.ui.transcript import wording
from app.ui.transcript.blocks import BlockKind, Nest, NestKind
from app.ui.transcript.entry import Entry
from app.ui.transcript.horizon import paint_mark
from app.ui.transcript.layout_values import Placed
from app.ui.transcript.measures import Measures
from app.ui.transcript.selection import Selection
from app.ui.transcript.typesetter import indent_of

REACH = 4  # what is drawn of a block outside its frame
BAR = 4  # height of a code block's scroll bar


@dataclass(frozen=True, slots=True)
class Reading:
    """How much of a prompt has been read, in tokens."""

    done: int = 0
    total: int = 0


class Painter:
    """Draws messages in one theme."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._measures = Measures.of(theme)
        self._small = theme.font(theme.type.caption)

    def paint(
        self,
        painter: QPainter,
        entry: Entry,
        index: int,
        dirty: QRectF,
        selection: Selection | None,
        reading: Reading,
    ) -> None:
        """Draws a message whose top left corner is the painter's origin; ``dirty`` is in its coordinates."""
        laid = entry.laid
        if laid is None:
            return
        if laid.bubble is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("bubble"))
            radius = min(self._theme.radii.large, laid.bubble.height() / 2)
            painter.drawRoundedRect(laid.bubble, radius, radius)
        if laid.thread is not None:
            painter.fillRect(laid.thread, self._theme.colour("border"))
        for placed in laid.between(dirty.top() - REACH, dirty.bottom() + REACH):
            self._block(painter, placed, index, dirty, selection)
        if laid.status is not None:
            self._status(painter, laid.status, reading)
        if laid.mark is not None:
            self._mark(painter, laid.mark, entry)
        if laid.horizon is not None and entry.mark is not None:
            paint_mark(painter, self._theme, entry.mark, laid.horizon)

    def _block(self, painter: QPainter, placed: Placed, index: int, dirty: QRectF, selection: Selection | None) -> None:
        self._nests(painter, placed)
        match placed.block.kind:
            case BlockKind.RULE:
                painter.fillRect(placed.frame, self._theme.colour("border"))
                return
            case BlockKind.CODE | BlockKind.MATH if not placed.document.formulas:
                self._code_frame(painter, placed)
            case _:
                pass
        painter.save()
        if placed.overflow:
            painter.setClipRect(placed.inner, Qt.ClipOperation.IntersectClip)
        if placed.block.kind is BlockKind.TABLE:
            painter.setClipPath(self._table_shape(placed, 0), Qt.ClipOperation.IntersectClip)
        origin = placed.origin()
        painter.translate(origin)
        context = QAbstractTextDocumentLayout.PaintContext()
        context.clip = dirty.translated(-origin).intersected(  # pyright: ignore[reportAttributeAccessIssue]
            QRectF(placed.scroll, 0, placed.inner.width() + 1, placed.inner.height() + 1)
        )
        context.palette.setColor(QPalette.ColorRole.Text, self._theme.colour("text"))  # pyright: ignore[reportAttributeAccessIssue]
        self._chips(painter, placed, context.clip)  # pyright: ignore[reportAttributeAccessIssue]
        span = selection.within(index, placed) if selection is not None else None
        if span is not None:
            context.selections = [self._selected(placed, *span)]  # pyright: ignore[reportAttributeAccessIssue]
        placed.document.documentLayout().draw(painter, context)
        painter.restore()
        if placed.block.kind is BlockKind.TABLE:
            painter.setPen(QPen(self._theme.colour("border"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPath(self._table_shape(placed, 0.5))
        if placed.overflow:
            self._bar(painter, placed)

    def _selected(self, placed: Placed, first: int, last: int) -> QAbstractTextDocumentLayout.Selection:
        result = QAbstractTextDocumentLayout.Selection()
        cursor = QTextCursor(placed.document)
        cursor.setPosition(first)
        cursor.setPosition(last, QTextCursor.MoveMode.KeepAnchor)
        style = QTextCharFormat()
        style.setBackground(self._theme.colour("selection"))
        result.cursor = cursor  # pyright: ignore[reportAttributeAccessIssue]
        result.format = style  # pyright: ignore[reportAttributeAccessIssue]
        return result

    def _nests(self, painter: QPainter, placed: Placed) -> None:
        """Marks of lists and bars of quotes, on the side where the text begins."""
        nests = placed.block.nest
        offset = 0.0
        for nest in nests:
            indent = indent_of(nest)
            if nest.kind is NestKind.QUOTE:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(self._theme.colour("border"))
                # Reaches over the distance to the block before, so that the bars of one quote are one line.
                painter.drawRect(
                    QRectF(self._beside(placed, offset + 2, 3), placed.frame.y() - 2, 3, placed.frame.height() + 4)
                )
            elif nest.first:
                self._marker(painter, nest, placed, offset + indent - 9)
            offset += indent

    def _beside(self, placed: Placed, offset: float, width: float) -> float:
        """The left end of something this wide, ``offset`` from the side where the text and its lists begin."""
        indent = sum(indent_of(nest) for nest in placed.block.nest)
        if placed.block.right_to_left:
            return placed.frame.right() + indent - offset - width
        return placed.frame.x() - indent + offset

    def _marker(self, painter: QPainter, nest: Nest, placed: Placed, end: float) -> None:
        line = placed.document.begin().layout().lineAt(0)
        plain = placed.block.kind in (BlockKind.PARAGRAPH, BlockKind.HEADING) and line.isValid()
        font = self._theme.font(self._theme.type.reading)
        baseline = placed.inner.y() + (line.y() + line.ascent() if plain else QFontMetricsF(font).ascent() + 8)
        middle = baseline - QFontMetricsF(font).xHeight() / 2
        colour = self._theme.colour("muted")
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if nest.checked is not None:
            self._box(painter, QRectF(self._beside(placed, end - 14, 15), middle - 7.5, 15, 15), nest.checked)
        elif nest.kind is NestKind.NUMBERS:
            painter.setFont(font)
            painter.setPen(colour)
            width = QFontMetricsF(font).horizontalAdvance(nest.marker)
            painter.drawText(QPointF(self._beside(placed, end + 2 - width, width), baseline), nest.marker)
        else:
            filled = nest.marker != "◦"
            painter.setPen(Qt.PenStyle.NoPen if filled else QPen(colour, 1.2))
            painter.setBrush(colour if filled else Qt.BrushStyle.NoBrush)
            dot = QRectF(self._beside(placed, end - 5.6, 5.2), middle - 2.6, 5.2, 5.2)
            if nest.marker == "▪":
                painter.drawRect(dot.adjusted(0.6, 0.6, -0.6, -0.6))
            else:
                painter.drawEllipse(dot)

    def _box(self, painter: QPainter, box: QRectF, checked: bool) -> None:
        painter.setPen(QPen(self._theme.colour("accent" if checked else "control_border"), 1.3))
        painter.setBrush(self._theme.colour("accent") if checked else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, 4, 4)
        if checked:
            pen = QPen(self._theme.colour("on_accent"), 1.8)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            points = [QPointF(box.x() + x, box.y() + y) for x, y in ((3.8, 7.8), (6.4, 10.4), (11.2, 4.8))]
            painter.drawPolyline(points)

    def _code_frame(self, painter: QPainter, placed: Placed) -> None:
        painter.setPen(QPen(self._theme.colour("border"), 1))
        painter.setBrush(self._theme.colour("code"))
        radius = self._theme.radii.medium
        painter.drawRoundedRect(placed.frame.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        if placed.block.kind is BlockKind.MATH:
            return
        m = self._measures
        room = placed.inner.width() - m.px(70)
        header = QRectF(placed.frame.x() + m.code_padding, placed.frame.y(), room, m.code_header)
        if placed.block.label:
            self.icon(painter, "tool", "muted", self._square(header, m.icon))
            header.adjust(m.icon + m.px(7), 0, 0, 0)
        font = QFont(self._small)
        text = placed.block.language or wording.no_language()
        if placed.block.label:
            font = self._theme.mono(self._theme.type.caption)
            text = placed.block.label
        painter.setFont(font)
        painter.setPen(self._theme.colour("muted"))
        text = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, header.width())
        painter.drawText(header, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)

    def _table_shape(self, placed: Placed, inset: float) -> QPainterPath:
        width = min(placed.natural, placed.inner.width())
        frame = QRectF(placed.inner.x(), placed.inner.y(), width, placed.inner.height())
        radius = self._theme.radii.small + 2
        path = QPainterPath()
        path.addRoundedRect(frame.adjusted(inset, inset, -inset, -inset), radius, radius)
        return path

    def _chips(self, painter: QPainter, placed: Placed, clip: QRectF) -> None:
        """The grounds of inline code, line by line."""
        if not placed.document.chips:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("inline_code"))
        layout = placed.document.documentLayout()
        metrics = QFontMetricsF(placed.document.defaultFont())
        for first, last in placed.document.chips:
            block = placed.document.findBlock(first)
            origin = layout.blockBoundingRect(block).topLeft()
            if origin.y() > clip.bottom():
                break
            text = block.layout()
            for number in range(text.lineCount()):
                line = text.lineAt(number)
                start = max(first - block.position(), line.textStart())
                end = min(last - block.position(), line.textStart() + line.textLength())
                if start >= end:
                    continue
                x, width = line.cursorToX(start)[0], line.cursorToX(end)[0]  # pyright: ignore[reportIndexIssue]
                baseline = origin.y() + line.y() + line.ascent()
                top = baseline - metrics.ascent() + 2
                chip = QRectF(
                    QPointF(origin.x() + min(x, width) - 2, top),
                    QPointF(origin.x() + max(x, width) + 2, baseline + metrics.descent() - 1),
                )
                painter.drawRoundedRect(chip, 4, 4)

    def _bar(self, painter: QPainter, placed: Placed) -> None:
        room = placed.inner.width()
        length = max(30.0, room * room / placed.natural)
        x = placed.inner.x() + (room - length) * placed.scroll / placed.overflow
        painter.setPen(Qt.PenStyle.NoPen)
        colour = QColor(self._theme.colour("muted"))
        colour.setAlpha(110)
        painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(x, placed.frame.bottom() - BAR - 5, length, BAR), BAR / 2, BAR / 2)

    def _status(self, painter: QPainter, place: QRectF, reading: Reading) -> None:
        font = self._theme.font(self._theme.type.interface)
        painter.setFont(font)
        painter.setPen(self._theme.colour("muted"))
        text = wording.tokens_left(reading.done, reading.total) if reading.total else wording.getting_ready()
        px = self._measures.px
        line = QRectF(place.x(), place.y(), place.width(), px(26))
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        if not reading.total:
            return
        bar = QRectF(place.x(), place.y() + px(31), min(px(260), place.width()), px(4))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("pressed"))
        painter.drawRoundedRect(bar, bar.height() / 2, bar.height() / 2)
        bar.setWidth(max(bar.height(), bar.width() * min(1.0, reading.done / reading.total)))
        painter.setBrush(self._theme.colour("accent"))
        painter.drawRoundedRect(bar, bar.height() / 2, bar.height() / 2)

    def _mark(self, painter: QPainter, place: QRectF, entry: Entry) -> None:
        font = self._small
        px = self._measures.px
        text = wording.interruption(entry.node)
        width = QFontMetricsF(font).horizontalAdvance(text) + px(40)
        pill = QRectF(place.x(), place.y() + px(3), min(width, place.width()), px(24))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("warning_soft"))
        painter.drawRoundedRect(pill, pill.height() / 2, pill.height() / 2)
        sign = "stop" if wording.stopped(entry.node) else "warning"
        self.icon(painter, sign, "warning", self._square(pill.adjusted(px(9), 0, 0, 0), px(15)))
        painter.setFont(font)
        painter.setPen(self._theme.colour("warning"))
        painter.drawText(
            pill.adjusted(px(28), 0, -px(8), 0), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text
        )

    def receipt(self, painter: QPainter, place: QRectF, text: str) -> None:
        """Draws the line about how an answer came about."""
        painter.setFont(self._small)
        painter.setPen(self._theme.colour("muted"))
        text = QFontMetricsF(self._small).elidedText(text, Qt.TextElideMode.ElideRight, place.width())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)

    @staticmethod
    def _square(line: QRectF, side: int) -> QRectF:
        """A place for an icon at the left end of a line, in the middle of its height."""
        return QRectF(line.x(), line.y() + (line.height() - side) / 2, side, side)

    def icon(self, painter: QPainter, name: str, colour: str, place: QRectF) -> None:
        """Draws an icon of the theme's colour into a square."""
        density = painter.device().devicePixelRatio()
        picture = icons.image(name, getattr(self._theme.colours, colour), round(place.width()), density)
        painter.drawImage(place.topLeft(), picture)
