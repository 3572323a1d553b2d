"""Blocks as text documents that can load nothing."""

import re
from dataclasses import dataclass

from PySide6.QtCore import QByteArray, Qt, QUrl
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrameFormat,
    QTextImageFormat,
    QTextLength,
    QTextOption,
    QTextTableCellFormat,
    QTextTableFormat,
)

from app.ui.theme import Theme
from app.ui.transcript.blocks import Block, BlockKind, Span, Table
from app.ui.transcript.formula import Formula, draw, picture

HIDDEN = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
BREAK = "\u2028"
ALIGNMENTS = {
    "center": Qt.AlignmentFlag.AlignHCenter,
    "right": Qt.AlignmentFlag.AlignRight,
}


class SafeDocument(QTextDocument):
    """A document that answers every request for a resource itself.

    Qt opens a picture's name as a local file when it gets no answer, so there is one for everything.
    """

    def __init__(self) -> None:
        super().__init__()
        self.chips: list[tuple[int, int]] = []
        """Where inline code stands: first and last position. Its ground is drawn by the transcript, rounded."""

        self.formulas: list[tuple[int, str]] = []
        """Where drawn formulas stand, and their LaTeX with its marks."""

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        if kind == QTextDocument.ResourceType.ImageResource.value:
            blank = QImage(1, 1, QImage.Format.Format_ARGB32_Premultiplied)
            blank.fill(Qt.GlobalColor.transparent)
            return blank
        return QByteArray()


def reveal(text: str) -> str:
    """The text with characters that turn the writing direction shown by their numbers.

    In code and in links they are used to make one thing look like another.
    """
    return HIDDEN.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How a section's text looks: its size in pixels, and the theme's name of its colour."""

    theme: Theme
    pixels: float
    colour: str = "text"
    density: float = 1.0  # of the screen, for pictures

    @property
    def font(self) -> QFont:
        """The font of its paragraphs."""
        return self.theme.font(self.pixels)


class DocumentBuilder:
    """Makes documents of blocks in one style."""

    def __init__(self, style: TextStyle) -> None:
        self._style = style
        self._formats: dict[Span, QTextCharFormat] = {}

    def build(self, block: Block) -> SafeDocument:
        """A document for the block; its width is still to be set."""
        document = SafeDocument()
        document.setUndoRedoEnabled(False)
        document.setDocumentMargin(0)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        drawn = self._drawn(block.code, display=True) if block.kind is BlockKind.MATH else None
        match block.kind:
            case BlockKind.MATH if drawn is not None:
                option.setWrapMode(QTextOption.WrapMode.NoWrap)
                document.setDefaultTextOption(option)
                self._insert_formula(QTextCursor(document), drawn, block.code, display=True)
            case BlockKind.CODE | BlockKind.MATH:
                option.setWrapMode(QTextOption.WrapMode.NoWrap)
                option.setTextDirection(Qt.LayoutDirection.LeftToRight)
                option.setTabStopDistance(4 * self._style.theme.type.code * 0.6)
                document.setDefaultTextOption(option)
                document.setDefaultFont(self._style.theme.mono())
                cursor = QTextCursor(document)
                self._set_leading(cursor)
                cursor.insertText(reveal(block.code), self._plain(self._style.theme.mono()))
            case BlockKind.TABLE if block.table is not None:
                document.setDefaultTextOption(option)
                document.setDefaultFont(self._style.theme.font(self._style.pixels * 0.95))
                self._insert_table(document, block.table)
            case _:
                document.setDefaultTextOption(option)
                document.setDefaultFont(self._font(block))
                cursor = QTextCursor(document)
                cursor.beginEditBlock()
                self._set_leading(cursor)
                self.insert(cursor, block.spans, heading=block.level)
                cursor.endEditBlock()
        return document

    def grow_code(self, document: QTextDocument, more: str) -> None:
        """Appends to a code block's document."""
        cursor = QTextCursor(document)
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(reveal(more), self._plain(self._style.theme.mono()))

    def insert(self, cursor: QTextCursor, spans: tuple[Span, ...], heading: int = 0, bold: bool = False) -> None:
        """Writes spans at the cursor."""
        for span in spans:
            drawn = self._drawn(span.text, display=False) if span.math else None
            if drawn is not None:
                self._insert_formula(cursor, drawn, span.text, display=False)
                continue
            text = reveal(span.text) if span.code or span.href else span.text
            start = cursor.position()
            cursor.insertText(text.replace("\n", BREAK), self._format(span, heading, bold))
            document = cursor.document()
            if (span.code or span.math) and isinstance(document, SafeDocument):
                document.chips.append((start, cursor.position()))

    def _drawn(self, latex: str, display: bool) -> Formula | None:
        size = self._style.pixels * (1.2 if display else 1.1)
        return draw(latex, display, round(size, 1), getattr(self._style.theme.colours, self._style.colour))

    def _insert_formula(self, cursor: QTextCursor, formula: Formula, latex: str, display: bool) -> None:
        document = cursor.document()
        assert isinstance(document, SafeDocument)
        x_height = 0.0 if display else QFontMetricsF(self._style.font).xHeight()
        image = picture(formula, self._style.density, x_height)
        name = f"formula:{len(document.formulas)}"
        document.addResource(QTextDocument.ResourceType.ImageResource.value, QUrl(name), image)
        place = QTextImageFormat()
        place.setName(name)
        place.setWidth(image.width() / self._style.density)
        place.setHeight(image.height() / self._style.density)
        if not display:
            place.setVerticalAlignment(QTextCharFormat.VerticalAlignment.AlignMiddle)
        document.formulas.append((cursor.position(), f"\\[\n{latex}\n\\]" if display else f"\\({latex}\\)"))
        cursor.insertImage(place)

    def _plain(self, font: QFont) -> QTextCharFormat:
        result = QTextCharFormat()
        result.setFont(font)
        result.setForeground(QColor(getattr(self._style.theme.colours, self._style.colour)))
        return result

    def _font(self, block: Block) -> QFont:
        scale = self._style.theme.type
        if block.kind is not BlockKind.HEADING:
            return self._style.font
        ratio = self._style.pixels / scale.reading
        size = {1: scale.heading1, 2: scale.heading2, 3: scale.heading3}.get(block.level, scale.reading)
        return self._style.theme.font(size * ratio, QFont.Weight.DemiBold)

    def _set_leading(self, cursor: QTextCursor) -> None:
        block = QTextBlockFormat()
        leading = self._style.theme.type.leading * 100
        block.setLineHeight(leading, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        cursor.setBlockFormat(block)

    def _format(self, span: Span, heading: int, bold: bool) -> QTextCharFormat:
        theme = self._style.theme
        key = Span("", span.bold or bold, span.italic, span.strike, span.code or span.math, False, span.href)
        found = self._formats.get(key) if not heading else None
        if found is not None:
            return found
        result = QTextCharFormat()
        result.setForeground(QColor(getattr(theme.colours, "link" if span.href else self._style.colour)))
        if span.code or span.math:
            result.setFontFamilies(list(theme.mono_families))
            result.setFontFixedPitch(True)
            result.setProperty(QTextFormat.Property.FontPixelSize.value, round(self._style.pixels * 0.9))
        if span.bold or bold:
            result.setFontWeight(QFont.Weight.Bold if heading else QFont.Weight.DemiBold)
        if span.italic:
            result.setFontItalic(True)
        if span.strike:
            result.setFontStrikeOut(True)
        if span.href:
            result.setAnchor(True)
            result.setAnchorHref(span.href)
            result.setFontUnderline(True)
        if not heading:
            self._formats[key] = result
        return result

    def _insert_table(self, document: QTextDocument, table: Table) -> None:
        theme = self._style.theme
        border = QBrush(QColor(theme.colours.border))
        shape = QTextTableFormat()
        shape.setBorder(0)
        shape.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_None)
        shape.setCellPadding(0)
        shape.setCellSpacing(0)
        shape.setBorderCollapse(True)
        columns = max(1, len(table.header))
        shape.setColumnWidthConstraints([QTextLength()] * columns)
        cursor = QTextCursor(document)
        cursor.beginEditBlock()
        grid = cursor.insertTable(1 + len(table.rows), columns, shape)
        cell_format = QTextTableCellFormat()
        cell_format.setTopPadding(7)
        cell_format.setBottomPadding(7)
        cell_format.setLeftPadding(12)
        cell_format.setRightPadding(12)
        cell_format.setBottomBorder(1)
        cell_format.setBottomBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
        cell_format.setBottomBorderBrush(border)
        head_format = QTextTableCellFormat(cell_format)
        head_format.setBackground(QColor(theme.colours.surface))
        last_format = QTextTableCellFormat(cell_format)
        last_format.setBottomBorder(0)
        last_format.setBottomBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_None)
        for y, row in enumerate((table.header, *table.rows)):
            format_ = head_format if y == 0 else last_format if y == len(table.rows) else cell_format
            for x in range(columns):
                cell = grid.cellAt(y, x)
                cell.setFormat(format_)
                writer = cell.firstCursorPosition()
                block = QTextBlockFormat()
                block.setLineHeight(108, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
                if x < len(table.alignments) and table.alignments[x] in ALIGNMENTS:
                    block.setAlignment(ALIGNMENTS[table.alignments[x]])
                writer.setBlockFormat(block)
                if x < len(row):
                    self.insert(writer, row[x], bold=y == 0)
        cursor.endEditBlock()
