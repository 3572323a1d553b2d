"""The transcript: the messages of the shown path, scrolled, selected, streamed into."""

from collections.abc import Iterator

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QWidget

from app.domain.conversation import Role
from app.domain.tree import Horizon, MessageNode
from app.ui.theme import Theme
from app.ui.transcript import accessibility, wording
from app.ui.transcript.actions import MessageActions
from app.ui.transcript.buttons import ActionButton
from app.ui.transcript.column import Column
from app.ui.transcript.growth import Growth
from app.ui.transcript.horizon import HorizonLine
from app.ui.transcript.layout_values import Placed
from app.ui.transcript.markdown import make_parser
from app.ui.transcript.measures import column_width
from app.ui.transcript.newtext import NewTextButton
from app.ui.transcript.pace import Pace
from app.ui.transcript.painting import Painter, Reading
from app.ui.transcript.path import Versions, new_entry, path_entries
from app.ui.transcript.place import Anchor, Place
from app.ui.transcript.pointer import Pointer
from app.ui.transcript.selection import Position, Selection, selected_text
from app.ui.transcript.typesetter import Typesetter


class TranscriptView(QAbstractScrollArea):
    """Shows one path of a conversation.

    Signals: ``regenerate_requested``, ``continue_requested``, ``edit_requested`` and ``version_requested`` carry a
    node's id (the last one the sibling's that the reader wants to see), ``pin_requested`` an id and whether to keep it
    in the model's view; ``link_activated`` an http, https or mailto address, which has not been opened;
    ``copy_requested`` the text that has just been put on the clipboard.
    """

    copy_requested = Signal(str)
    regenerate_requested = Signal(int)
    edit_requested = Signal(int)
    continue_requested = Signal(int)
    version_requested = Signal(int)
    pin_requested = Signal(int, bool)
    link_activated = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self.selection: Selection | None = None
        self.open_reasoning = False
        """Whether the reasoning of messages that are shown from now on is open at first."""
        self.column = Column(Typesetter(theme, make_parser(), self.devicePixelRatioF()))
        self._painter = Painter(theme)
        self._reading = Reading()
        self.place = Place(self)
        self.horizon = HorizonLine(self)
        self._interface: accessibility.TranscriptInterface | None = None
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(wording.conversation())
        self.verticalScrollBar().setSingleStep(48)
        self.viewport().setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._pointer = Pointer(self)
        self.message_actions = MessageActions(self)
        self.new_text = NewTextButton(self)
        self.new_text.clicked.connect(self.follow)
        self.new_text.dress(theme)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            accessibility.install(app)
        self._growth = Growth(self)

    # ---- what the chat pane calls

    def show_path(
        self,
        nodes: tuple[MessageNode, ...],
        versions: Versions | None = None,
        streaming: int | None = None,
        horizon: Horizon | None = None,
    ) -> None:
        """Shows these messages instead of the present ones, with a line at the ``horizon`` of the model's view.

        Another conversation is shown from its end; of the same one (its first message was shown before) the reader
        keeps their place. ``streaming`` is the id of the answer that is being written, if any.
        """
        known = {entry.node.id: entry for entry in self.column.entries}
        same = bool(nodes) and nodes[0].id in known
        place = self.place.anchor()
        self._growth.clear()
        self._reading = Reading()
        entries = path_entries(nodes, versions, streaming, known, self.open_reasoning)
        self.selection = None
        self.message_actions.hover(None)
        self.horizon.start(horizon, entries)
        self.column.set_entries(entries)
        self.place.following = not same or self.place.following
        self.settle(place if same else None)
        self.viewport().update()

    def add_node(self, node: MessageNode, versions: tuple[int, ...] = ()) -> None:
        """Appends a message; one that is not complete waits for ``grow``. The reader's own is always shown."""
        if self.column.index_of(node.id) is not None:
            return
        self.column.append(new_entry(node, versions, not node.complete, self.open_reasoning))
        self.horizon.append(self.column.entries)
        self.place.following = self.place.following or node.message.role is Role.USER
        self.settle(self.place.anchor())
        self.viewport().update()

    def grow(self, node_id: int, reasoning: str = "", commentary: str = "", answer: str = "") -> None:
        """Appends new text to a message that is not complete. Unknown ids are ignored: the reader has left."""
        index = self.column.index_of(node_id)
        if index is None:
            return
        self._reading = Reading()
        self._growth.grow(index, reasoning, commentary, answer)

    def finish(self, node: MessageNode) -> None:
        """Puts the final message in the place of the streamed one."""
        index = self.column.index_of(node.id)
        if index is None:
            return
        self._reading = Reading()
        self._growth.finish(index, node)
        self.viewport().update()

    def resume(self, node: MessageNode) -> None:
        """An answer that was cut short goes on in its place; ``grow`` brings the rest."""
        index = self.column.index_of(node.id)
        if index is None:
            return
        self.column.entries[index].resume(node)
        self._reading = Reading()
        place = self.place.anchor()
        self.column.lay_out(index)
        self.column.settle()
        self.settle(place)
        self.viewport().update()

    def set_reading(self, done: int, total: int) -> None:
        """Shows how much of the prompt has been read, in tokens; ``total`` 0 ends it."""
        self._reading = Reading(done, total)
        self.viewport().update()

    def set_theme(self, theme: Theme) -> None:
        """Draws everything anew in this look."""
        place = self.place.anchor()
        self.theme = theme
        self._painter = Painter(theme)
        self.message_actions.dress(theme)
        self.column.set_typesetter(Typesetter(theme, self.column.typesetter.parser, self.devicePixelRatioF()))
        self.new_text.dress(theme)
        self.column.set_width(self._text_width())
        self.settle(place)
        self.viewport().update()

    def clear(self) -> None:
        """Shows nothing."""
        self.show_path(())

    def follow(self) -> None:
        """Goes to the end and stays there while text arrives."""
        self.place.following = True
        self.settle(None)
        self.viewport().update()

    def copy_selection(self) -> None:
        """Puts the selected text on the clipboard."""
        if self.selection is not None and not self.selection.empty:
            self.message_actions.copy(selected_text(self.selection, self.column.laid, len(self.column.entries)))
            self._settle_here()

    def select_all(self) -> None:
        """Selects every message that is not folded."""
        ends = [index for index in range(len(self.column.entries)) if self.column.laid(index).placed]
        if ends:
            last = self.column.laid(ends[-1]).placed[-1]
            self.set_selection(Selection(Position(0, (-1, -1), 0), Position(ends[-1], last.key, last.length)))
            self._settle_here()

    def _settle_here(self) -> None:
        """After a walk over all messages, which may have pushed out the layouts of those on screen."""
        self.settle(self.place.anchor())

    def set_selection(self, selection: Selection | None) -> None:
        """Shows this selection."""
        self.selection = selection
        self.viewport().update()

    def plain_text(self) -> str:
        """All that the messages show when they are laid out, without what is folded."""
        count = len(self.column.entries)
        everything = Selection(Position(0, (-1, -1), 0), Position(count, (-1, -1), 0))
        return selected_text(everything, self.column.laid, count)

    @property
    def following(self) -> bool:
        """Whether the view stays at the end while text arrives."""
        return self.place.following

    @property
    def pace(self) -> Pace:
        """When new text is shown."""
        return self._growth.pace

    @property
    def busy(self) -> bool:
        """Whether an answer is being written into the shown path."""
        return any(entry.streaming for entry in self.column.entries[-2:])

    # ---- geometry

    def visible_blocks(self) -> Iterator[tuple[int, Placed, QPointF]]:
        """The blocks on screen: the message's index, the block, and the message's origin in the viewport."""
        top, height = self.scrolled, self.viewport().height()
        for index in self.column.between(top, top + height):
            laid = self.column.entries[index].laid
            origin = QPointF(self.left, self.column.top(index) - top)
            for placed in laid.between(-origin.y(), height - origin.y()) if laid is not None else ():
                yield index, placed, origin

    @property
    def scrolled(self) -> float:
        """How far down the conversation the upper edge is."""
        return self.verticalScrollBar().value()

    @property
    def left(self) -> float:
        """Where the column of text begins."""
        return round((self._room() - self.column.width) / 2)

    def _room(self) -> float:
        """The width beside the scroll bar, whether it is there or not: text does not move when it comes."""
        return self.width() - self.verticalScrollBar().sizeHint().width()

    def _text_width(self) -> float:
        return column_width(self._room(), self.theme.scale)

    def settle(self, anchor: Anchor | None) -> bool:
        """Lays out and places what is on screen, without moving ``anchor``. Whether anything moved."""
        moved = self.place.settle(anchor)
        self.message_actions.place()
        self.update_new_text()
        return moved

    def update_new_text(self, grown: bool = False) -> None:
        """The button that leads to the end; only where text has come that the reader has not seen."""
        if self.place.following:
            self.new_text.leave(self)
        elif grown:
            self.new_text.show()
        self.new_text.place(self.viewport().geometry())

    def resizeEvent(self, event: QResizeEvent) -> None:
        place = self.place.anchor()
        self.column.set_width(self._text_width())
        self.settle(place)
        self.viewport().update()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        if not self.place.adjusting:
            self.place.look()
        if abs(dy) >= self.viewport().height():
            self.viewport().update()
        else:
            self.viewport().scroll(0, dy)  # moves what is drawn; only the rest is drawn anew
        if self.place.adjusting:
            return
        if self.settle(self.place.anchor()):
            self.viewport().update()
        self._update_hover(self.viewport().mapFromGlobal(self.cursor().pos()))

    # ---- drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        dirty = QRectF(event.rect())
        painter.fillRect(event.rect(), self.theme.colour("page"))
        top = self.scrolled
        for index in self.column.between(top + dirty.top(), top + dirty.bottom()):
            entry = self.column.entries[index]
            if entry.laid is None:
                continue
            origin = QPointF(self.left, self.column.top(index) - top)
            painter.save()
            painter.translate(origin)
            self._painter.paint(painter, entry, index, dirty.translated(-origin), self.selection, self._reading)
            receipt = self.message_actions.chrome.receipt(entry, entry.laid)
            if receipt is not None:
                self._painter.receipt(painter, *receipt)
            painter.restore()
        if self.hasFocus() and self.property("tabbed"):
            painter.setPen(QPen(self.theme.colour("focus"), 2))
            painter.drawRoundedRect(QRectF(self.viewport().rect()).adjusted(2, 2, -2, -2), 6, 6)
        painter.end()

    # ---- buttons

    def button(self, node_id: int, action: str, section: int = 0, index: int = 0) -> ActionButton | None:
        """A message's button when it is near the screen: "fold", "copy", "code", "regenerate", "edit", ..."""
        return self.message_actions.buttons.button((node_id, action, section, index))

    def fold(self, index: int) -> None:
        """Opens or closes what a message folds; its title stays where it is, what follows moves."""
        entry = self.column.entries[index]
        entry.open = not entry.open
        self.selection = None
        self.place.unfold(index)
        self.update_new_text()

    # ---- keys and mouse

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_selection()
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self.select_all()
        elif not self.place.press(event):
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        tabbed = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self.setProperty("tabbed", tabbed)
        self.viewport().update()
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.viewport().update()
        super().focusOutEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pointer.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointer.move(event)
        self._update_hover(event.position().toPoint())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pointer.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._pointer.double(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.set_theme(self.theme)  # formulas are drawn for the screen they are on
        return super().event(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._update_hover(QPoint(-1, -1))
        return super().viewportEvent(event)

    def _update_hover(self, point: QPoint) -> None:
        inside = self.viewport().rect().contains(point)
        self.message_actions.hover(self.column.at(self.scrolled + point.y()) if inside else None)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self._pointer.wheel(event):
            super().wheelEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = self.message_actions.menu(self.viewport().mapFrom(self, event.pos()))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def link_at(self, point: QPointF) -> str:
        """The address of the link under a point of the viewport; "" when there is none."""
        return self._pointer.link_at(point)

    # ---- accessibility

    def accessible_interface(self) -> accessibility.TranscriptInterface:
        """The view as a list of messages; the same object each time, Qt does not keep it alive."""
        if self._interface is None:
            self._interface = accessibility.TranscriptInterface(self)
        return self._interface
