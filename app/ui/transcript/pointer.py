"""The mouse on the transcript: selecting by character, word and block, links, and scrolling while selecting."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent, QTextCursor, QWheelEvent
from PySide6.QtWidgets import QApplication

from app.ui.transcript.blocks import BlockKind
from app.ui.transcript.layout_values import Placed
from app.ui.transcript.markdown import is_safe_link
from app.ui.transcript.selection import Position, Selection

if TYPE_CHECKING:
    from app.ui.transcript.view import TranscriptView

AUTOSCROLL_MS = 30


class Pointer(QObject):
    """Turns mouse events of a view into its selection and its links."""

    def __init__(self, view: "TranscriptView") -> None:
        super().__init__(view)
        self._view = view
        self._pressed: QPointF | None = None
        self._last = QPointF()
        self._clicks = 0
        self._double = QTimer(self)
        self._double.setSingleShot(True)
        self._scroll = QTimer(self)
        self._scroll.setInterval(AUTOSCROLL_MS)
        self._scroll.timeout.connect(self._scroll_on)

    def press(self, event: QMouseEvent) -> None:
        """A button goes down: a selection begins, or the present one is extended with Shift."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        hit = self.hit(event.position())
        if self._double.isActive() and hit is not None:
            self._select(hit, Selection(*self._around(hit, QTextCursor.SelectionType.BlockUnderCursor)))
            return
        self._pressed = event.position()
        if hit is None:
            self._view.set_selection(None)
            return
        position = hit[0]
        old = self._view.selection
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and old is not None:
            self._view.set_selection(Selection(old.anchor, position))
        else:
            self._view.set_selection(Selection(position, position))

    def double(self, event: QMouseEvent) -> None:
        """A second click selects the word, a third one the paragraph."""
        hit = self.hit(event.position())
        if event.button() == Qt.MouseButton.LeftButton and hit is not None:
            self._select(hit, Selection(*self._around(hit, QTextCursor.SelectionType.WordUnderCursor)))
            self._double.start(QApplication.doubleClickInterval())

    def move(self, event: QMouseEvent) -> None:
        """Selects while the button is down; otherwise shows what is under the mouse."""
        self._last = event.position()
        if event.buttons() & Qt.MouseButton.LeftButton and self._pressed is not None:
            self._extend()
            outside = not 0 <= self._last.y() <= self._view.viewport().height()
            if outside and not self._scroll.isActive():
                self._scroll.start()
            elif not outside:
                self._scroll.stop()
            return
        self.hover(event.position())

    def hover(self, point: QPointF) -> None:
        """Sets the cursor's shape, and the address of a link as the tooltip."""
        link = self.link_at(point)
        viewport = self._view.viewport()
        viewport.setToolTip(link)
        over = Qt.CursorShape.ArrowCursor
        if link:
            over = Qt.CursorShape.PointingHandCursor
        elif self._text_at(point) is not None:
            over = Qt.CursorShape.IBeamCursor
        if viewport.cursor().shape() != over:
            viewport.setCursor(over)

    def release(self, event: QMouseEvent) -> None:
        """Ends a selection; a click that selected nothing follows a link."""
        self._scroll.stop()
        pressed, self._pressed = self._pressed, None
        selection = self._view.selection
        if event.button() != Qt.MouseButton.LeftButton or pressed is None:
            return
        if selection is not None and selection.empty:
            self._view.set_selection(None)
        moved = (event.position() - pressed).manhattanLength() >= QApplication.startDragDistance()
        if not moved and (link := self.link_at(event.position())):
            self._view.link_activated.emit(link)

    def wheel(self, event: QWheelEvent) -> bool:
        """Scrolls wide code or a table to the side; False when the wheel means something else."""
        step = event.pixelDelta().x() or event.angleDelta().x() / 2
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and not step:
            step = event.angleDelta().y() / 2
        elif abs(event.angleDelta().x()) < abs(event.angleDelta().y()):
            return False
        if not step:
            return False
        for index, placed, origin in self._view.visible_blocks():
            if placed.overflow and placed.frame.contains(event.position() - origin):
                placed.scroll = max(0.0, min(placed.overflow, placed.scroll - step))
                self._view.column.entries[index].scrolls[placed.key] = placed.scroll
                self._view.viewport().update(placed.frame.translated(origin).toAlignedRect())
                event.accept()
                return True
        return False

    def hit(self, point: QPointF) -> tuple[Position, Placed] | None:
        """The position nearest to a point of the viewport; None where there is no message."""
        best: tuple[float, int, Placed, QPointF] | None = None
        for index, placed, origin in self._view.visible_blocks():
            if placed.block.kind is BlockKind.RULE:
                continue
            local = point - origin
            frame = placed.frame
            away = max(frame.top() - local.y(), local.y() - frame.bottom(), 0.0)
            if best is None or away < best[0]:
                best = (away, index, placed, local)
        if best is None:
            return None
        _, index, placed, local = best
        inside = local - placed.origin()
        if local.y() < placed.frame.top():
            character = 0
        elif local.y() > placed.frame.bottom():
            character = placed.length
        else:
            found = placed.document.documentLayout().hitTest(inside, Qt.HitTestAccuracy.FuzzyHit)
            character = max(0, min(found, placed.length))
        return Position(index, placed.key, character), placed

    def link_at(self, point: QPointF) -> str:
        """The address of the link under a point; "" when there is none that may be followed."""
        found = self._text_at(point)
        if found is None:
            return ""
        placed, inside = found
        link = placed.document.documentLayout().anchorAt(inside)
        return link if is_safe_link(link) else ""

    def _text_at(self, point: QPointF) -> tuple[Placed, QPointF] | None:
        for _, placed, origin in self._view.visible_blocks():
            if placed.block.kind is not BlockKind.RULE and placed.inner.contains(point - origin):
                return placed, point - origin - placed.origin()
        return None

    def _around(self, hit: tuple[Position, Placed], kind: QTextCursor.SelectionType) -> tuple[Position, Position]:
        position, placed = hit
        if kind is QTextCursor.SelectionType.BlockUnderCursor and placed.block.kind is not BlockKind.CODE:
            return (
                Position(position.message, position.block, 0),
                Position(position.message, position.block, placed.length),
            )
        cursor = QTextCursor(placed.document)
        cursor.setPosition(position.character)
        if kind is QTextCursor.SelectionType.BlockUnderCursor:
            kind = QTextCursor.SelectionType.LineUnderCursor
        cursor.select(kind)
        return (
            Position(position.message, position.block, cursor.selectionStart()),
            Position(position.message, position.block, cursor.selectionEnd()),
        )

    def _select(self, hit: tuple[Position, Placed], selection: Selection) -> None:
        self._pressed = None
        self._view.set_selection(None if selection.empty else selection)

    def _extend(self) -> None:
        selection = self._view.selection
        hit = self.hit(self._last)
        if selection is not None and hit is not None:
            self._view.set_selection(Selection(selection.anchor, hit[0]))

    def _scroll_on(self) -> None:
        height = self._view.viewport().height()
        beyond = self._last.y() if self._last.y() < 0 else max(0.0, self._last.y() - height)
        bar = self._view.verticalScrollBar()
        bar.setValue(bar.value() + round(beyond / 3))
        self._extend()
