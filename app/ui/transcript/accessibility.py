"""The transcript for screen readers: a list of messages, each with its text as its name."""

# Qt's own contract allows null where PySide's stubs name an interface.
# pyright: reportIncompatibleMethodOverride=false

import re
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

import shiboken6
from PySide6.QtCore import QObject, QPoint, QRect, QSize
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QAccessibleInterface, QWindow
from PySide6.QtWidgets import QAccessibleWidget, QApplication

from app.ui.transcript import horizon, wording
from app.ui.transcript.blocks import plain_block
from app.ui.transcript.entry import Entry, Section

if TYPE_CHECKING:
    from app.ui.transcript.view import TranscriptView

SENTENCE_END = re.compile(r"[.!?。！？](?=\s)|\n")
INSTALLED = "alcove_transcript_accessible"


class MessageInterface(QAccessibleInterface):
    """One message. Qt may keep it longer than the view, so it holds neither the view nor the message."""

    def __init__(self, view: "TranscriptView", entry: Entry) -> None:
        super().__init__()
        self._view_reference = ref(view)
        self._entry_reference = ref(entry)

    @property
    def _view(self) -> "TranscriptView":
        view = self._view_reference()
        assert view is not None, "asked of a message that is not valid"
        return view

    def index(self) -> int | None:
        """The place of the message in the view; None when it is gone."""
        view, entry = self._view_reference(), self._entry_reference()
        if view is None or entry is None or not shiboken6.isValid(view):
            return None
        index = view.column.index_of(entry.node.id)
        return index if index is not None and view.column.entries[index] is entry else None

    def isValid(self) -> bool:
        return self.index() is not None

    def object(self) -> QObject | None:
        return None

    def window(self) -> QWindow | None:
        return self._view.window().windowHandle()

    def parent(self) -> QAccessibleInterface | None:
        return QAccessible.queryAccessibleInterface(self._view)

    def childCount(self) -> int:
        return 0

    def child(self, index: int) -> QAccessibleInterface | None:
        return None

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:
        return None

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return -1

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.ListItem

    def rect(self) -> QRect:
        index = self.index()
        if index is None:
            return QRect()
        column = self._view.column
        top = column.top(index) - self._view.verticalScrollBar().value()
        height = column.top(index + 1) - column.top(index)
        viewport = self._view.viewport()
        return QRect(viewport.mapToGlobal(QPoint(0, int(top))), QSize(viewport.width(), int(height)))

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        state.readOnly = True  # pyright: ignore[reportAttributeAccessIssue]
        return state

    def text(self, kind: QAccessible.Text) -> str:
        index = self.index()
        if kind != QAccessible.Text.Name or index is None:
            return ""
        return spoken(self._view.column.entries[index], self._view)

    def setText(self, kind: QAccessible.Text, text: str) -> None:
        """Messages are not edited in place."""


class TranscriptInterface(QAccessibleWidget):
    """The list of messages; the view's real buttons come after them."""

    def __init__(self, view: "TranscriptView") -> None:
        super().__init__(view, QAccessible.Role.List, wording.conversation())
        self._view_reference = ref(view)
        self._messages: WeakKeyDictionary[Entry, MessageInterface] = WeakKeyDictionary()

    @property
    def _view(self) -> "TranscriptView":
        view = self._view_reference()
        assert view is not None, "asked of a view that is gone"
        return view

    def childCount(self) -> int:
        return len(self._view.column.entries)

    def child(self, index: int) -> QAccessibleInterface | None:
        entries = self._view.column.entries
        if not 0 <= index < len(entries):
            return None
        entry = entries[index]
        found = self._messages.get(entry)
        if found is None:
            found = self._messages[entry] = MessageInterface(self._view, entry)
        return found

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        if not isinstance(child, MessageInterface):
            return -1
        index = child.index()
        return -1 if index is None else index

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:
        point = self._view.viewport().mapFromGlobal(QPoint(x, y))
        index = self._view.column.at(point.y() + self._view.verticalScrollBar().value())
        return None if index is None else self.child(index)


def spoken(entry: Entry, view: "TranscriptView") -> str:
    """A message as it is read out: who, and the text without its marks. Folded reasoning is only mentioned."""
    parser = view.column.typesetter.parser
    parts = [f"{wording.author(entry.role)}:"]
    if entry.node.message.pinned:
        parts.append(f"{horizon.pinned()}.")
    elif entry.still_seen:
        parts.append(f"{horizon.still_seen()}.")
    if entry.foldable:
        parts.append(f"{entry.fold_title()[0]}.")
    for section in (Section.COMMENTARY, Section.CALLS, Section.ANSWER):
        parts += [plain_block(block) for block in entry.blocks(section, parser)]
    if entry.mark is not None:
        parts.append(f"{horizon.above(entry.mark.left_out)}.")
        if entry.mark.open:
            parts.append(horizon.explanation())
    return "\n".join(part for part in parts if part)


class Announcer:
    """Has whole sentences of a streamed answer read out, when a screen reader listens."""

    def __init__(self, view: "TranscriptView") -> None:
        self._view = view
        self._pending = ""

    def feed(self, text: str) -> None:
        """Takes new text of the answer; reads out the sentences it completes."""
        if not text or not QAccessible.isActive():
            return
        self._pending += text
        ends = [match.end() for match in SENTENCE_END.finditer(self._pending)]
        if ends:
            self._say(self._pending[: ends[-1]])
            self._pending = self._pending[ends[-1] :]

    def finish(self) -> None:
        """Reads out what is left."""
        self._say(self._pending)
        self._pending = ""

    def _say(self, text: str) -> None:
        if text.strip():
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self._view, text.strip()))


def make_interface(_name: str, watched: QObject) -> QAccessibleInterface | None:
    """Qt's factory for accessible interfaces."""
    from app.ui.transcript.view import TranscriptView

    return watched.accessible_interface() if isinstance(watched, TranscriptView) else None


def install(app: QApplication) -> None:
    """Makes Qt ask ``make_interface``, once for an application."""
    if not app.property(INSTALLED):
        app.setProperty(INSTALLED, True)
        QAccessible.installFactory(make_interface)
