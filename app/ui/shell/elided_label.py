"""A label of one line that shortens its text where there is no room for it."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget


class ElidedLabel(QLabel):
    """Shows as much of ``full_text`` as fits; the whole is its tooltip and its accessible name.

    Where it does not fit, a shorter text may stand for it, and is shortened in its turn. A hint is always in the
    tooltip, and is the accessible description.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mode = Qt.TextElideMode.ElideRight
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._full = ""
        self._shorter = ""
        self._hint = ""
        self.set_full_text(text)

    @property
    def full_text(self) -> str:
        """The text, whole."""
        return self._full

    @property
    def shown_text(self) -> str:
        """What can be read of it now."""
        room = self.contentsRect().width()
        text = self._shorter if self._shorter and self._is_cut() else self._full
        return self.fontMetrics().elidedText(text, self.mode, room)

    def set_full_text(self, text: str, hint: str = "", shorter: str = "") -> None:
        """Show another text."""
        self._full = text
        self._shorter = shorter
        self._hint = hint
        self.setText(text)
        self.setAccessibleName(text)
        self.setAccessibleDescription(hint)
        self._tell()

    def minimumSizeHint(self) -> QSize:
        return QSize(self.fontMetrics().averageCharWidth() * 4, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._tell()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        room = self.contentsRect()
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(room, self.alignment() | Qt.TextFlag.TextSingleLine, self.shown_text)

    def _tell(self) -> None:
        self.setToolTip("\n".join(part for part in (self._full if self._is_cut() else "", self._hint) if part))

    def _is_cut(self) -> bool:
        return self.fontMetrics().horizontalAdvance(self._full) > self.contentsRect().width()
