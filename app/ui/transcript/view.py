"""The transcript: the messages of the shown path, scrolled, selected, streamed into."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractScrollArea, QWidget

from app.domain.tree import MessageNode
from app.ui.theme import Theme

Versions = Callable[[int], tuple[int, ...]]
"""The ids of a message and its siblings, oldest first."""


class TranscriptView(QAbstractScrollArea):
    """Shows one path of a conversation.

    Signals: ``regenerate_requested``, ``edit_requested`` and ``version_requested`` carry a node's id (the last one the
    sibling's that the reader wants to see); ``link_activated`` an http, https or mailto address, which has not been
    opened; ``copy_requested`` the text that has just been put on the clipboard.
    """

    copy_requested = Signal(str)
    regenerate_requested = Signal(int)
    edit_requested = Signal(int)
    version_requested = Signal(int)
    link_activated = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._nodes: list[MessageNode] = []

    def show_path(self, nodes: tuple[MessageNode, ...], versions: Versions | None = None) -> None:
        """Shows these messages instead of the present ones, at their end."""
        self._nodes = list(nodes)
        self.viewport().update()

    def add_node(self, node: MessageNode) -> None:
        """Appends a message; one that is not complete waits for ``grow``."""
        self._nodes.append(node)
        self.viewport().update()

    def grow(self, node_id: int, reasoning: str = "", commentary: str = "", answer: str = "") -> None:
        """Appends new text to a message that is not complete. Unknown ids are ignored: the reader has left."""

    def finish(self, node: MessageNode) -> None:
        """Puts the final message in the place of the streamed one."""
        self._nodes = [node if n.id == node.id else n for n in self._nodes]
        self.viewport().update()

    def set_reading(self, done: int, total: int) -> None:
        """Shows how much of the prompt has been read, in tokens; ``total`` 0 ends it."""

    def set_theme(self, theme: Theme) -> None:
        """Draws everything anew in this look."""
        self._theme = theme
        self.viewport().update()

    def clear(self) -> None:
        """Shows nothing."""
        self._nodes = []
        self.viewport().update()

    def plain_text(self) -> str:
        """What is shown, as plain text (the window's smoke test looks for the answer in it)."""
        return "\n\n".join(node.message.content for node in self._nodes)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setPen(self._theme.colour("text"))
        text = "\n\n".join(node.message.content for node in self._nodes)
        painter.drawText(self.viewport().rect(), Qt.TextFlag.TextWordWrap, text)
        painter.end()
