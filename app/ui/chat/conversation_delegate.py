"""How a line of the chat list looks, and how a title is edited in its place."""

from PySide6.QtCore import (
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QPainter, QPen
from PySide6.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.ui.chat.conversation_model import ChatRole
from app.ui.icons import icon
from app.ui.shell.style import scaled
from app.ui.theme import Theme

Index = QModelIndex | QPersistentModelIndex
TITLE_LIMIT = 200


class ConversationDelegate(QStyledItemDelegate):
    """Paints headings and chats; the open chat is marked, the one under the mouse shows a "more" button."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._theme = theme
        self._more = icon("more", theme.colours.muted, scaled(theme)(18))

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        del option
        heading = bool(index.data(ChatRole.IS_HEADING))
        return QSize(120, scaled(self._theme)((40 if index.row() else 30) if heading else 36))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.data(ChatRole.IS_HEADING):
            self._paint_heading(painter, option, index)
        else:
            self._paint_chat(painter, option, index)
        painter.restore()

    def _paint_heading(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        px = scaled(self._theme)
        painter.setFont(self._theme.font(self._theme.type.caption, QFont.Weight.DemiBold))
        painter.setPen(QColor(self._theme.colours.muted))
        room = rect_of(option).adjusted(px(12), 0, -px(12), -px(6))
        align = Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeading
        painter.drawText(room, align, index.data(Qt.ItemDataRole.DisplayRole))

    def _paint_chat(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        px, colours = scaled(self._theme), self._theme.colours
        rect = rect_of(option)
        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        is_open = bool(index.data(ChatRole.IS_OPEN))
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        plate = QRectF(rect.adjusted(px(1), px(1), -px(1), -px(1)))
        if is_open or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.pressed if is_open else colours.hover))
            painter.drawRoundedRect(plate, px(8), px(8))
        if focused:
            painter.setPen(QPen(QColor(colours.focus), px(2)))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(plate.adjusted(0.5, 0.5, -0.5, -0.5), px(8), px(8))
        painter.setFont(self._theme.font(self._theme.type.interface))
        painter.setPen(QColor(colours.text))
        room = rect.adjusted(px(12), 0, -px(12), 0)
        if hovered:
            more = self.more_rect(rect)
            room.setRight(more.left() - px(2))
            self._more.paint(painter, more.adjusted(px(4), px(4), -px(4), -px(4)))
        title = painter.fontMetrics().elidedText(
            index.data(Qt.ItemDataRole.DisplayRole), Qt.TextElideMode.ElideRight, room.width()
        )
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeading, title)

    def more_rect(self, rect: QRect) -> QRect:
        """Where the "more" button of a line is."""
        side = scaled(self._theme)(26)
        return QRect(rect.right() - side - scaled(self._theme)(4), rect.center().y() - side // 2, side, side)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        del option, index
        editor = QLineEdit(parent)
        editor.setObjectName("renameField")
        editor.setAccessibleName(self.tr("Title of the chat"))
        editor.setMaxLength(TITLE_LIMIT)
        return editor

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        del index
        px = scaled(self._theme)
        editor.setGeometry(rect_of(option).adjusted(px(2), px(1), -px(2), -px(1)))


def rect_of(option: QStyleOptionViewItem) -> QRect:
    """Where the line is; PySide6 does not declare the fields of an option."""
    return option.rect  # pyright: ignore[reportAttributeAccessIssue]
