"""Keeps the reader's place while heights become known and text arrives."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent

if TYPE_CHECKING:
    from app.ui.transcript.view import TranscriptView

NEAR = 6  # messages laid out ahead, each way, when nothing else is to do
AT_END = 4  # pixels from the end that still count as being there
ROUNDS = 10  # estimates can be wrong again and again, but not for ever

Anchor = tuple[int, float]
"""A message, and where on screen it begins."""


class Place(QObject):
    """Where in its conversation a view stands: at the end (``following``), or at a message that must not move."""

    def __init__(self, view: "TranscriptView") -> None:
        super().__init__(view)
        self._view = view
        self.following = True
        self.adjusting = False  # the scroll bar is being moved by this object, not by the reader
        self._ahead = QTimer(self)
        self._ahead.setInterval(0)
        self._ahead.timeout.connect(self._lay_out_ahead)

    def anchor(self) -> Anchor | None:
        """A message on screen, one whose layout is known if there is one; at the very top the first."""
        column, top = self._view.column, self._view.scrolled
        seen = column.between(top, top + self._view.viewport().height())
        if not seen:
            return None
        if not top:
            return seen.start, column.top(seen.start)
        exact = next((index for index in seen if column.is_exact(index)), seen.start)
        return exact, column.top(exact) - top

    def settle(self, anchor: Anchor | None) -> bool:
        """Lays out what is on screen; ``anchor`` stays where it is, or the end does. Whether anything moved."""
        column, bar = self._view.column, self._view.verticalScrollBar()
        height = self._view.viewport().height()
        moved = False
        self.adjusting = True
        for _ in range(ROUNDS):
            bar.setPageStep(height)
            bar.setRange(0, max(0, round(column.height) - height))
            if self.following:
                bar.setValue(bar.maximum())
            elif anchor is not None and anchor[0] < len(column.entries):
                bar.setValue(round(column.top(anchor[0]) - anchor[1]))
            top = self._view.scrolled
            missing = [index for index in column.between(top, top + height) if not column.is_exact(index)]
            for index in missing:
                column.lay_out(index)
            if not missing:
                break
            moved = True
            column.settle()
        self.adjusting = False
        self._ahead.start()
        return moved

    def unfold(self, index: int) -> None:
        """Lays out a message that has opened or closed; it stays where it begins, and what follows moves."""
        place = (index, self._view.column.top(index) - self._view.scrolled)
        self.following = False
        self._view.column.lay_out(index)
        self._view.column.settle()
        self._view.settle(place)
        self.look()
        self._view.viewport().update()

    def look(self) -> None:
        """Finds out whether the reader is at the end now."""
        bar = self._view.verticalScrollBar()
        self.following = bar.value() >= bar.maximum() - AT_END

    def press(self, event: QKeyEvent) -> bool:
        """Scrolls by Home, End, Page and arrow keys; False for all others."""
        bar = self._view.verticalScrollBar()
        page = max(60, bar.pageStep() - 60)  # some lines stay in sight
        step = {
            Qt.Key.Key_PageUp: -page,
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_Up: -bar.singleStep(),
            Qt.Key.Key_Down: bar.singleStep(),
            Qt.Key.Key_Home: -bar.maximum(),
        }.get(Qt.Key(event.key()))
        if event.key() == Qt.Key.Key_End:
            self._view.follow()
        elif step is not None:
            bar.setValue(bar.value() + step)
        else:
            return False
        return True

    @property
    def busy(self) -> bool:
        """Whether there is something near the screen that may still be laid out."""
        return self._ahead.isActive()

    def _lay_out_ahead(self) -> None:
        """Lays out one message near the screen; called again and again while there is nothing else to do."""
        column, top = self._view.column, self._view.scrolled
        seen = column.between(top, top + self._view.viewport().height())
        near = [index for step in range(1, NEAR + 1) for index in (seen.stop - 1 + step, seen.start - step)]
        missing = next((i for i in near if 0 <= i < len(column.entries) and not column.is_exact(i)), None)
        if missing is None:
            self._ahead.stop()
            return
        anchor = self.anchor()
        column.lay_out(missing)
        column.settle()
        self._view.settle(anchor)
