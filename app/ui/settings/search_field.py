"""A field to search in."""

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QLineEdit, QWidget

from app.ui.icons import icon
from app.ui.shell.style import scaled
from app.ui.theme import Theme


class SearchField(QLineEdit):
    """A line with a magnifying glass, which grows with the text, and a button that clears it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._glass = QLabel(self)
        self.setClearButtonEnabled(True)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._theme = theme
        size = scaled(theme)(16)
        self._glass.setPixmap(icon("search", theme.colours.muted, size).pixmap(size, size))
        self._glass.setFixedSize(size, size)
        self.setTextMargins(size + scaled(theme)(4), 0, 0, 0)
        self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        self._glass.move(scaled(self._theme)(10), (self.height() - self._glass.height()) // 2)
