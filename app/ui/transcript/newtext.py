"""The button that leads to the end, where text has come that the reader has not seen."""

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QPushButton, QWidget

from app.ui import icons
from app.ui.theme import Theme
from app.ui.transcript.measures import Measures

BELOW = 14  # its distance to the lower edge


class NewTextButton(QPushButton):
    """Floats over the lower edge of the transcript."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setText(self.tr("New text below"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        # Not by the mouse: hidden right after the click, it would give the focus to the next button.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.hide()

    def dress(self, theme: Theme) -> None:
        """Takes the theme's colours."""
        c, m = theme.colours, Measures.of(theme)
        px = m.px
        self.setIcon(icons.icon("arrow-down", c.text, m.icon))
        self.setIconSize(QSize(m.icon, m.icon))
        self.setStyleSheet(
            f"QPushButton {{ background: {c.raised}; color: {c.text}; border: 1px solid {c.control_border};"
            f" border-radius: {px(16)}px; padding: {px(5)}px {px(14)}px {px(5)}px {px(10)}px;"
            f" font-size: {round(theme.type.interface)}px; }}"
            f"QPushButton:hover {{ background: {c.hover}; }}"
            f"QPushButton:focus {{ border: 2px solid {c.focus}; }}"
        )

    def place(self, area: QRect) -> None:
        """Goes to the middle of the area's lower edge."""
        size = self.sizeHint()
        x = area.x() + (area.width() - size.width()) // 2
        self.setGeometry(QRect(QPoint(x, area.bottom() - size.height() - BELOW), size))

    def leave(self, heir: QWidget) -> None:
        """Hides; its focus goes to ``heir``."""
        if self.hasFocus():
            heir.setFocus()
        self.hide()
