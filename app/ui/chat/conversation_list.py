"""The list of chats beside the transcript: open, rename, delete, start a new one."""

from datetime import datetime

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QListView,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.domain.tree import ConversationInfo
from app.ui.chat.conversation_delegate import ConversationDelegate
from app.ui.chat.conversation_model import ConversationModel, seconds_to_midnight
from app.ui.icons import icon
from app.ui.shell.style import scaled
from app.ui.theme import Theme


class ChatListView(QListView):
    """The lines. Enter and a click open a chat, F2 and a double click rename it, Delete deletes it."""

    open_requested = Signal(QModelIndex)
    delete_requested = Signal(QModelIndex)
    menu_requested = Signal(QModelIndex, QPoint)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        editing = self.state() == QAbstractItemView.State.EditingState
        if editing or not index.isValid():
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.open_requested.emit(index)
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_requested.emit(index)
        elif event.key() == Qt.Key.Key_F2:
            self.edit(index)
        elif event.key() == Qt.Key.Key_Menu:
            self.menu_requested.emit(index, self.viewport().mapToGlobal(self.visualRect(index).center()))
        else:
            super().keyPressEvent(event)

    def moveCursor(self, action: QAbstractItemView.CursorAction, modifiers: Qt.KeyboardModifier) -> QModelIndex:
        index = super().moveCursor(action, modifiers)
        # Home and Page Up may end on a heading, where the keyboard cannot stand.
        while index.isValid() and not index.flags() & Qt.ItemFlag.ItemIsEnabled:
            index = index.siblingAtRow(index.row() + 1)
        return index

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        index = self.indexAt(at)
        delegate = self.itemDelegate()
        assert isinstance(delegate, ConversationDelegate)
        chat = index.isValid() and index.flags() & Qt.ItemFlag.ItemIsEnabled
        if (
            chat
            and event.button() == Qt.MouseButton.LeftButton
            and delegate.more_rect(self.visualRect(index)).contains(at)
        ):
            self.menu_requested.emit(index, event.globalPosition().toPoint())
        else:
            super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        if index.isValid() and event.button() == Qt.MouseButton.LeftButton:
            self.edit(index)
        else:
            super().mouseDoubleClickEvent(event)


class ConversationList(QWidget):
    """The new-chat button above the chats, or a friendly word where there are none yet."""

    new_requested = Signal()
    open_requested = Signal(int)
    rename_requested = Signal(int, str)
    delete_requested = Signal(int)
    hide_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "sidebar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.model = ConversationModel(self)
        self.view = ChatListView(self)
        self.delegate = ConversationDelegate(theme, self.view)
        self._prepare_view()

        self.new_button = QPushButton()
        self.new_button.setProperty("kind", "quiet")
        self.new_button.setObjectName("newChatButton")
        self.new_button.setText(self.tr("New chat"))
        self.new_button.setAccessibleName(self.tr("New chat"))
        self.new_button.setToolTip(self.tr("New chat (Ctrl+N)"))
        self.new_button.clicked.connect(self.new_requested)
        self.hide_button = QToolButton()
        self.hide_button.setAccessibleName(self.tr("Hide the chat list"))
        self.hide_button.setToolTip(self.tr("Hide the chat list (Ctrl+B)"))
        self.hide_button.clicked.connect(self.hide_requested)

        self.empty_note = QLabel(self.tr("Your chats will stand here.\nThey stay on this computer."))
        self.empty_note.setProperty("kind", "muted")
        self.empty_note.setWordWrap(True)
        self.empty_note.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)

        self._head = QHBoxLayout()
        self._head.addWidget(self.new_button, 1)
        self._head.addWidget(self.hide_button)
        self._layout = QVBoxLayout(self)
        self._layout.addLayout(self._head)
        self._layout.addWidget(self.empty_note, 1)
        self._layout.addWidget(self.view, 1)

        self._waiting: tuple[ConversationInfo, ...] | None = None
        self.delegate.closeEditor.connect(self._catch_up, Qt.ConnectionType.QueuedConnection)
        self._midnight = QTimer(self)
        self._midnight.setSingleShot(True)
        self._midnight.timeout.connect(lambda: self.set_chats(self.model.chats))
        self.set_chats(())
        self.set_theme(theme)

    def set_chats(self, chats: tuple[ConversationInfo, ...], now: datetime | None = None) -> None:
        """Show these chats; the scroll position and the keyboard's place stay.

        While a title is being edited the list waits: what is typed must not be taken away.
        """
        if self.view.state() == QAbstractItemView.State.EditingState:
            self._waiting = chats
            return
        now = now or datetime.now().astimezone()
        held = self.model.chat_at(self.view.currentIndex())
        scrolled = self.view.verticalScrollBar().value()
        self.model.set_chats(chats, now)
        if held is not None and (index := self.model.index_of(held.id)).isValid():
            self.view.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
        self.view.verticalScrollBar().setValue(scrolled)
        self.view.setVisible(bool(chats))
        self.empty_note.setVisible(not chats)
        self._midnight.start(seconds_to_midnight(now) * 1000)

    def set_open(self, chat_id: int | None) -> None:
        """Mark the shown chat and bring it into sight."""
        self.model.set_open(chat_id)
        index = self.model.index_of(chat_id)
        if index.isValid():
            self.view.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.view.scrollTo(index)

    def rename_open(self) -> None:
        """Edit the title of the shown chat."""
        self._edit(self.model.index_of(self.model.open_chat))

    def rename_focused(self) -> None:
        """Edit the title of the line that the keyboard is on."""
        self._edit(self.view.currentIndex())

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        px = scaled(theme)
        self.delegate.set_theme(theme)
        self.setFixedWidth(px(264))
        self._layout.setContentsMargins(px(10), px(8), px(4), px(4))
        self._layout.setSpacing(px(4))
        self._head.setSpacing(px(4))
        self._head.setContentsMargins(0, 0, px(6), 0)
        self.new_button.setIcon(icon("new-chat", theme.colours.text, px(18)))
        self.new_button.setIconSize(QSize(px(18), px(18)))
        self.hide_button.setIcon(icon("sidebar", theme.colours.muted, px(18)))
        self.hide_button.setIconSize(QSize(px(18), px(18)))
        self.empty_note.setContentsMargins(px(12), px(28), px(12), 0)
        self.view.doItemsLayout()
        self.view.viewport().update()

    def _prepare_view(self) -> None:
        view = self.view
        view.setObjectName("chatList")
        view.setAccessibleName(self.tr("Chats"))
        view.setModel(self.model)
        view.setItemDelegate(self.delegate)
        view.setMouseTracking(True)
        view.setUniformItemSizes(False)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.setFrameShape(QListView.Shape.NoFrame)
        view.clicked.connect(self._open)
        view.open_requested.connect(self._open)
        view.delete_requested.connect(self._delete)
        view.menu_requested.connect(self._menu)
        view.customContextMenuRequested.connect(
            lambda at: self._menu(view.indexAt(at), view.viewport().mapToGlobal(at))
        )
        self.model.rename_requested.connect(self.rename_requested)

    def _edit(self, index: QModelIndex) -> None:
        editing = self.view.state() == QAbstractItemView.State.EditingState
        if self.model.chat_at(index) is not None and not editing:
            self.view.scrollTo(index)
            self.view.edit(index)

    def _catch_up(self) -> None:
        chats, self._waiting = self._waiting, None
        if chats is not None:
            self.set_chats(chats)

    def _open(self, index: QModelIndex) -> None:
        chat = self.model.chat_at(index)
        if chat is not None:
            self.open_requested.emit(chat.id)

    def _delete(self, index: QModelIndex) -> None:
        chat = self.model.chat_at(index)
        if chat is not None:
            self.delete_requested.emit(chat.id)

    def _menu(self, index: QModelIndex, at: QPoint) -> None:
        chat = self.model.chat_at(index)
        if chat is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        rename = menu.addAction(self.tr("Rename"))
        rename.setShortcut(Qt.Key.Key_F2)
        # By its id: the list may move under an open menu.
        rename.triggered.connect(lambda: self._edit(self.model.index_of(chat.id)))
        delete = menu.addAction(self.tr("Delete"))
        delete.setShortcut(Qt.Key.Key_Delete)
        delete.triggered.connect(lambda: self.delete_requested.emit(chat.id))
        menu.popup(at)
