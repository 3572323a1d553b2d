"""The line in a chat above which the model sees nothing any more, and which messages it sees all the same."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QGuiApplication, QPainter, QPen

from app.domain.conversation import Role
from app.domain.tree import Horizon
from app.ui.theme import Theme
from app.ui.transcript.buttons import Wanted, text_width
from app.ui.transcript.measures import Measures

if TYPE_CHECKING:
    from app.ui.transcript.entry import Entry
    from app.ui.transcript.view import TranscriptView

_LEAST_LINE = 28  # beside the words; where there is less, the line is drawn over them

translate = QCoreApplication.translate


# ---- words


def above(count: int) -> str:
    """What the line says."""
    if count == 1:
        return translate("Transcript", "The model no longer sees 1 message above this line")
    return translate("Transcript", "The model no longer sees {count} messages above this line").format(
        count=f"{count:,}"
    )


def explanation() -> str:
    """Why, and what can be done."""
    return translate(
        "Transcript",
        "The model can only have so much of a chat in view, and this one has grown beyond it. The messages stay here, "
        "but the model answers without them. To keep an important one in view, pin it with the button below it. To "
        "make room for more, raise the context length in the settings; for another topic, start a new chat.",
    )


def why() -> str:
    """The button that shows the explanation."""
    return translate("Transcript", "Why?")


def why_name(is_open: bool) -> str:
    """The same for screen readers."""
    if is_open:
        return translate("Transcript", "Why the model no longer sees them, open")
    return translate("Transcript", "Why the model no longer sees them, folded")


def still_seen() -> str:
    """Of a message above the line."""
    return translate("Transcript", "Still in view")


def pin(pinned: bool) -> str:
    """The button that keeps a message in view, or no longer."""
    if pinned:
        return translate("Transcript", "Pinned: no longer keep in the model's view")
    return translate("Transcript", "Keep in the model's view")


def pinned() -> str:
    """Of a message, for screen readers."""
    return translate("Transcript", "Pinned")


# ---- the mark under a message


@dataclass(slots=True)
class Mark:
    """The line under the last message that is out of sight; ``open``: with its explanation."""

    left_out: int
    open: bool = False


@dataclass(slots=True)
class LaidMark:
    """Where its parts are, from the message's top left corner. ``lines`` are one pixel high."""

    top: float
    height: float
    text: QRectF
    button: QRectF
    lines: list[QRectF] = field(default_factory=list)
    card: QRectF | None = None

    def wanted(self, node_id: int, mark: Mark) -> Wanted:
        """Its button."""
        icon = "chevron-down" if mark.open else "chevron-right"
        return Wanted((node_id, "horizon", 0, 0), QRectF(self.button), icon, why(), name=why_name(mark.open))


def lay_out_mark(theme: Theme, mark: Mark, top: float, width: float) -> LaidMark:
    """Places a mark in a column: between two lines where there is room, else under one, in as many rows as needed."""
    m = Measures.of(theme)
    font = _font(theme)
    metrics = QFontMetricsF(font)
    words = above(mark.left_out)
    between, gap = m.px(4), m.px(12)
    probe = Wanted((0, "horizon", 0, 0), QRectF(), "chevron-right", why())
    button_width = text_width(theme, probe)
    words_width = metrics.horizontalAdvance(words) + 2
    y = top + m.px(10)
    side = (width - words_width - between - button_width) / 2 - gap
    if side >= m.px(_LEAST_LINE):
        middle = round(y + m.button / 2)
        x = side + gap
        places = [words_width, button_width]
        text, button = QRectF(x, y, places[0], m.button), QRectF(x + places[0] + between, y, places[1], m.button)
        if _mirrored():
            button.moveLeft(x)
            text.moveLeft(x + places[1] + between)
        lines = [QRectF(0, middle, side, 1), QRectF(width - side, middle, side, 1)]
        y += m.button
    else:
        lines = [QRectF(0, round(y), width, 1)]
        y += m.px(8)
        room = QRectF(0, 0, width, 1e6)
        height = metrics.boundingRect(room, _WRAPPED, words).height()
        text = QRectF(0, y, width, height)
        y += height + m.px(2)
        button = QRectF((width - button_width) / 2, y, button_width, m.button)
        y += m.button
    card = None
    if mark.open:
        padding = m.code_padding
        room = QRectF(0, 0, max(40.0, width - 2 * padding), 1e6)
        y += m.px(6)
        card = QRectF(0, y, width, metrics.boundingRect(room, _CARD, explanation()).height() + 2 * m.px(11))
        y += card.height()
    y += m.px(18)
    return LaidMark(top, y - top, text, button, lines, card)


def paint_mark(painter: QPainter, theme: Theme, mark: Mark, laid: LaidMark) -> None:
    """Draws a mark; its button is a widget."""
    m = Measures.of(theme)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)  # whole pixels, however the view is scrolled
    for line in laid.lines:
        painter.fillRect(line, theme.colour("control_border"))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(_font(theme))
    painter.setPen(theme.colour("muted"))
    painter.drawText(laid.text, _WRAPPED, above(mark.left_out))
    if laid.card is None:
        return
    painter.setPen(QPen(theme.colour("border"), 1))
    painter.setBrush(theme.colour("surface"))
    radius = theme.radii.medium
    painter.drawRoundedRect(laid.card.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
    painter.setPen(theme.colour("text"))
    painter.setLayoutDirection(QGuiApplication.layoutDirection())
    inside = laid.card.adjusted(m.code_padding, m.px(11), -m.code_padding, -m.px(11))
    painter.drawText(inside, _CARD, explanation())


_WRAPPED = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
_CARD = int(Qt.AlignmentFlag.AlignLeft) | int(Qt.AlignmentFlag.AlignTop) | int(Qt.TextFlag.TextWordWrap)


def _font(theme: Theme) -> QFont:
    return theme.font(theme.type.interface)


def _mirrored() -> bool:
    return QGuiApplication.layoutDirection() is Qt.LayoutDirection.RightToLeft


# ---- the mark in a view


class HorizonLine:
    """Keeps the mark of a view where the model's memory begins."""

    def __init__(self, view: "TranscriptView") -> None:
        self._view = view
        self._horizon: Horizon | None = None

    def show(self, horizon: Horizon | None) -> None:
        """Moves the line; None takes it away. What the reader looks at stays where it is."""
        if horizon == self._horizon:
            return
        place = self._view.place.anchor()
        self._horizon = horizon
        for index in self._marked(self._view.column.entries):
            self._view.column.lay_out(index)
        self._view.column.settle()
        self._view.settle(place)
        self._view.viewport().update()

    def start(self, horizon: Horizon | None, entries: "Sequence[Entry]") -> None:
        """Puts the line between messages that will be shown from now on."""
        self._horizon = horizon
        self._marked(entries)

    def append(self, entries: "Sequence[Entry]") -> None:
        """A message has joined these."""
        self._marked(entries)

    def _marked(self, entries: "Sequence[Entry]") -> list[int]:
        """Tells every message where it stands; the places of those that look different now."""
        horizon = self._horizon
        changed: list[int] = []
        ids = [entry.node.id for entry in entries]
        begins = ids.index(horizon.begins) if horizon is not None and horizon.begins in ids else 0
        first = next((index for index, entry in enumerate(entries) if entry.role is Role.USER), None)
        kept = set(horizon.kept) if horizon is not None and begins else set[int]()
        for index, entry in enumerate(entries):
            entry.first = index == first
            entry.still_seen = entry.node.id in kept
            left_out = horizon.left_out if horizon is not None and begins and index == begins - 1 else 0
            if left_out != (entry.mark.left_out if entry.mark is not None else 0):
                entry.mark = Mark(left_out) if left_out else None
                entry.height = None
                changed.append(index)
        return changed

    def toggle(self, entry: "Entry") -> None:
        """Opens or closes the explanation under a message; what is above it stays where it is."""
        index = self._view.column.index_of(entry.node.id)
        if index is None or entry.mark is None:
            return
        entry.mark.open = not entry.mark.open
        self._view.place.unfold(index)
