"""A label of one line that shortens its text where there is no room for it."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget


class ElidedLabel(QLabel):
    """Shows as much of ``full_text`` as fits; the whole is its tooltip and its accessible name.

    A hint is always in the tooltip, and is the accessible description.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mode = Qt.TextElideMode.ElideRight
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._full = ""
        self._hint = ""
        self.set_full_text(text)

    @property
    def full_text(self) -> str:
        """The text, whole."""
        return self._full

    def set_full_text(self, text: str, hint: str = "") -> None:
        """Show another text."""
        self._full = text
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
        text = self.fontMetrics().elidedText(self._full, self.mode, room.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(room, self.alignment() | Qt.TextFlag.TextSingleLine, text)

    def _tell(self) -> None:
        cut = self.fontMetrics().horizontalAdvance(self._full) > self.contentsRect().width()
        self.setToolTip("\n".join(part for part in (self._full if cut else "", self._hint) if part))
