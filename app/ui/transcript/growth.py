"""The answer that grows: its text is taken as it comes, and shown at a pace that the interface can bear."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QRect

from app.domain.tree import MessageNode
from app.ui.transcript.accessibility import Announcer
from app.ui.transcript.entry import Entry, Section
from app.ui.transcript.pace import Pace

if TYPE_CHECKING:
    from app.ui.transcript.view import TranscriptView


class Growth(QObject):
    """Lays out what has grown, and nothing else. ``pace`` decides when."""

    def __init__(self, view: "TranscriptView") -> None:
        super().__init__(view)
        self._view = view
        self._grown: dict[int, Entry] = {}  # by their places in the column
        self._announcer = Announcer(view)
        self.pace = Pace(view, self._show)

    def grow(self, index: int, reasoning: str, commentary: str, answer: str) -> None:
        """Appends new text to the message at this place, which will be shown soon."""
        entry = self._view.column.entries[index]
        entry.streaming = True
        entry.grow(Section.REASONING, reasoning)
        entry.grow(Section.COMMENTARY, commentary)
        entry.grow(Section.ANSWER, answer)
        self._announcer.feed(answer)
        self._grown[index] = entry
        self.pace.ask()

    def finish(self, index: int, node: MessageNode) -> None:
        """Puts the final message in the place of the streamed one, at once."""
        entry = self._view.column.entries[index]
        self._announcer.finish()
        entry.finish(node)
        self._grown[index] = entry
        self.pace.flush()

    def clear(self) -> None:
        """Other messages are shown: what had grown is laid out with them, or gone."""
        self._grown.clear()

    def _show(self) -> None:
        view, column = self._view, self._view.column
        grown, self._grown = self._grown, {}
        anchor = view.place.anchor()
        shown = [index for index, entry in grown.items() if column.index_of(entry.node.id) == index]
        if not shown:
            return
        dirty = min(column.lay_out_growth(index) for index in shown)
        column.settle()
        view.settle(anchor)
        view.update_new_text(grown=True)
        top = int(dirty - view.scrolled) - 6
        area = view.viewport()
        area.update(QRect(0, top, area.width(), max(0, area.height() - top)))
