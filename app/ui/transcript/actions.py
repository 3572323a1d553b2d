"""What the buttons and the menu of messages do."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QPointF, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu

from app.domain.conversation import Role
from app.ui.theme import Theme
from app.ui.transcript import wording
from app.ui.transcript.buttons import ActionButton, ButtonPool, Key, Wanted
from app.ui.transcript.chrome import Chrome
from app.ui.transcript.entry import Section

if TYPE_CHECKING:
    from app.ui.transcript.view import TranscriptView

COPIED_MS = 1500


class MessageActions(QObject):
    """Keeps the buttons of a view where its messages are, and carries out what is asked by them."""

    def __init__(self, view: "TranscriptView") -> None:
        super().__init__(view)
        self._view = view
        self._hovered: int | None = None
        self._copied: Key | None = None
        self.chrome = Chrome(view.theme)
        self.buttons = ButtonPool(view.viewport(), self._pressed, view.setFocus, self._show_button)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(COPIED_MS)
        self._timer.timeout.connect(self._forget_copied)

    def dress(self, theme: Theme) -> None:
        """Takes another theme; ``place`` shows it."""
        self.chrome = Chrome(theme)

    def place(self) -> None:
        """Puts buttons beside what is on screen and a screen around it."""
        self.buttons.place(self._wanted(), self._view.theme)

    def hover(self, index: int | None) -> None:
        """The mouse is over this message: its quiet buttons are shown."""
        if index != self._hovered:
            self._hovered = index
            self.place()

    def copy(self, text: str, key: Key | None = None) -> None:
        """Puts text on the clipboard; the button of ``key`` says so for a while."""
        QGuiApplication.clipboard().setText(text)
        self._copied = key
        self._timer.start()
        self.place()
        self._view.copy_requested.emit(text)

    def set_pinned(self, node_id: int, pinned: bool) -> None:
        """Shows that a message is kept in the model's view, or no longer."""
        index = self._view.column.index_of(node_id)
        if index is not None:
            self._view.column.entries[index].pin(pinned)
            self.place()
            self._view.viewport().update()

    def menu(self, point: QPoint) -> QMenu:
        """The menu for a point of the viewport."""
        view = self._view
        menu = QMenu(view)
        copy = menu.addAction(wording.copy(), view.copy_selection)
        copy.setEnabled(view.selection is not None and not view.selection.empty)
        link = view.link_at(QPointF(point))
        if link:
            menu.addAction(self.tr("Copy link address"), lambda: self.copy(link))
        index = view.column.at(view.scrolled + point.y())
        if index is not None:
            text = view.column.entries[index].text(Section.ANSWER)
            menu.addAction(self.tr("Copy message"), lambda: self.copy(text))
        menu.addSeparator()
        menu.addAction(self.tr("Select all"), view.select_all)
        return menu

    def _wanted(self) -> Iterator[Wanted]:
        view, column = self._view, self._view.column
        top, height = view.scrolled, view.viewport().height()
        seen = column.between(top, top + height)
        busy = view.busy
        for index in range(max(0, seen.start - 1), min(len(column.entries), seen.stop + 1)):
            entry = column.entries[index]
            if entry.laid is None or not column.is_exact(index):
                continue
            shown = entry.role is not Role.USER or index == self._hovered
            offset = column.top(index) - top
            near = entry.laid.between(-height - offset, 2 * height - offset)
            for wanted in self.chrome.wanted(entry, entry.laid, near, shown, busy, self._copied):
                wanted.place.translate(view.left, offset)
                yield wanted

    def _pressed(self, key: Key) -> None:
        view = self._view
        node_id, action, section, number = key
        index = view.column.index_of(node_id)
        if index is None:
            return
        entry = view.column.entries[index]
        match action:
            case "fold":
                view.fold(index)
            case "code":
                placed = view.column.laid(index).by_key().get((section, number))
                if placed is not None:
                    self.copy(placed.block.code, key)
            case "copy":
                self.copy(entry.text(Section.ANSWER) or entry.text(Section.COMMENTARY), key)
            case "regenerate":
                view.regenerate_requested.emit(node_id)
            case "continue":
                view.continue_requested.emit(node_id)
            case "edit":
                view.edit_requested.emit(node_id)
            case "pin":
                view.pin_requested.emit(node_id, not entry.node.message.pinned)
            case "horizon":
                view.horizon.toggle(entry)
            case "previous" | "next":
                step = -1 if action == "previous" else 1
                view.version_requested.emit(entry.versions[entry.versions.index(node_id) + step])
            case _:
                pass

    def _forget_copied(self) -> None:
        self._copied = None
        self.place()

    def _show_button(self, button: ActionButton) -> None:
        """Scrolls to a button that the focus has come to."""
        height = self._view.viewport().height()
        bar = self._view.verticalScrollBar()
        if button.y() < 0:
            bar.setValue(bar.value() + button.y() - 40)
        elif button.geometry().bottom() > height:
            bar.setValue(bar.value() + button.geometry().bottom() - height + 40)
