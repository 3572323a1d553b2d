"""A button that opens a menu: icon, text, and a small arrow."""

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QMenu, QStyle, QStyleOptionToolButton, QStylePainter, QToolButton, QWidget

from app.ui.icons import icon
from app.ui.shell.style import scaled
from app.ui.theme import Theme

WIDEST = 260  # pixels at 100%: longer texts are shortened


class MenuButton(QToolButton):
    """Its menu opens below it, or above where there is more room. ``quiet`` draws the text in the muted colour."""

    def __init__(self, theme: Theme, icon_name: str = "", quiet: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon_name = icon_name
        self._quiet = quiet
        self.popup_menu = QMenu(self)
        self.clicked.connect(self.open_menu)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._theme = theme
        px = scaled(theme)
        self._mark = icon(self._icon_name, theme.colours.muted, px(16)) if self._icon_name else None
        self._arrow = icon("chevron-down", theme.colours.muted, px(14))
        self.updateGeometry()
        self.update()

    def open_menu(self) -> None:
        """Show the menu beside the button."""
        menu = self.popup_menu
        size = menu.sizeHint()
        below = self.mapToGlobal(QPoint(0, self.height() + 4))
        if self.screen().availableGeometry().bottom() - below.y() < size.height():
            below = self.mapToGlobal(QPoint(0, -size.height() - 4))
        at_end = self.mapToGlobal(QPoint(self.width(), 0)).x()
        window = self.window().frameGeometry()
        if below.x() + size.width() > window.right():
            below.setX(at_end - size.width())
        menu.popup(below)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.open_menu()
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        px = scaled(self._theme)
        text = min(self.fontMetrics().horizontalAdvance(self.text()) + 2, px(WIDEST))
        mark = px(16) + px(6) if self._mark is not None else 0
        return QSize(px(10) + mark + text + px(4) + px(14) + px(8), max(px(30), self.fontMetrics().height() + px(10)))

    def minimumSizeHint(self) -> QSize:
        return QSize(scaled(self._theme)(72), self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QStylePainter(self)
        option = QStyleOptionToolButton()
        self.initStyleOption(option)
        option.text = ""  # pyright: ignore[reportAttributeAccessIssue]
        painter.drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option)
        px, colours = scaled(self._theme), self._theme.colours
        room = self.rect().adjusted(px(10), 0, -px(8), 0)
        if self._mark is not None:
            self._mark.paint(painter, self._placed(QRect(room.left(), 0, px(16), self.height())))
            room.setLeft(room.left() + px(16) + px(6))
        arrow = QRect(room.right() - px(14) + 1, 0, px(14), self.height())
        self._arrow.paint(painter, self._placed(arrow))
        room.setRight(arrow.left() - px(4))
        painter.setPen(QColor(colours.muted if self._quiet and not self.underMouse() else colours.text))
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room.width())
        align = QStyle.visualAlignment(self.layoutDirection(), Qt.AlignmentFlag.AlignLeft)
        painter.drawText(self._placed(room), align | Qt.AlignmentFlag.AlignVCenter, text)

    def _placed(self, rect: QRect) -> QRect:
        return QStyle.visualRect(self.layoutDirection(), self.rect(), rect)
