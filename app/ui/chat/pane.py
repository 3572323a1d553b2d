"""The chat pane: the list of chats, and beside it the header, the transcript and the composer."""

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QGraphicsDropShadowEffect,
    QHBoxLayout,
    QLabel,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.domain.conversation import Effort, Role
from app.domain.settings import SEND_KEY, SHOW_REASONING
from app.domain.tree import Conversation, ConversationInfo, MessageNode
from app.hub.library import InstalledModel
from app.services.chat_service import ChatService
from app.services.model_service import ModelService
from app.services.payloads import AnswerGrowth
from app.services.settings_service import SettingsService
from app.ui.chat.composer import Composer
from app.ui.chat.conversation_list import ConversationList
from app.ui.chat.conversation_model import shown_title
from app.ui.chat.empty_state import EmptyState
from app.ui.chat.header import ChatHeader
from app.ui.chat.versions import VersionMap
from app.ui.shell.style import scaled
from app.ui.theme import Theme
from app.ui.transcript.view import TranscriptView

WIDE_FROM = 700  # pixels at 100%: below, the chat list lies over the chat instead of beside it
COLUMN = 780
SCROLL_BAR = 12  # pixels, at any text size


class Scrim(QWidget):
    """Darkens the chat while the list lies over it; a click on it takes the list away."""

    clicked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet("background: rgba(0, 0, 0, 90);")
        self.hide()

    def mousePressEvent(self, event: QEvent) -> None:
        self.clicked.emit()
        event.accept()


class ChatPane(QWidget):
    """Joins the chat service to what is seen of it."""

    models_requested = Signal()
    add_file_requested = Signal()
    link_activated = Signal(str)
    list_shown_changed = Signal(bool)

    def __init__(
        self,
        chat: ChatService,
        models: ModelService,
        settings: SettingsService,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._chat = chat
        self._models = models
        self._settings = settings
        self._theme = theme
        self._versions = VersionMap()
        self._shown: tuple[int, ...] = ()
        self._list_wanted = True
        self._overlay = False

        self.list = ConversationList(theme, self)
        self.header = ChatHeader(theme)
        self.transcript = TranscriptView(theme)
        self.transcript.setAccessibleName(self.tr("Messages"))
        self.empty = EmptyState(theme)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self.transcript)
        self.composer = Composer(theme)
        self._note = QLabel(self.tr("Models make mistakes. Check what matters."))
        self._note.setObjectName("footNote")
        self._note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.scrim = Scrim(self)
        self.scrim.clicked.connect(self.toggle_list)

        self._arrange()
        self._connect_parts()
        self._connect_services()
        self.set_theme(theme)
        self._show_models()
        self._opened(chat.current(), "")
        self._list_changed(chat.list.chats())

    # ---- For the window ----

    @property
    def list_wanted(self) -> bool:
        """Whether the list stands beside the chat where there is room."""
        return self._list_wanted

    def set_list_wanted(self, wanted: bool) -> None:
        """Show or hide the list in a wide window."""
        self._list_wanted = wanted
        self._place_list()

    def toggle_list(self) -> None:
        """Ctrl+B: the list beside the chat, or over it in a narrow window."""
        if self._narrow:
            self._overlay = not self._overlay
            self._place_list()
            if self._overlay:
                (self.list.view if self.list.view.isVisible() else self.list.new_button).setFocus()
            else:
                self.composer.setFocus()
            return
        self.set_list_wanted(not self._list_wanted)
        self.list_shown_changed.emit(self._list_wanted)

    def focus_message_box(self) -> None:
        """Ctrl+L."""
        self.composer.box.setFocus()

    def rename_current(self) -> None:
        """F2: the title is edited in the list, which is shown for it; in the list, that of the line one is on."""
        if self.list.view.hasFocus():
            self.list.rename_focused()
            return
        if self._chat.current() is None:
            return
        if not self.list.isVisible():
            self.toggle_list()
        self.list.rename_open()

    def delete_current(self) -> None:
        """Take the shown chat out of the list."""
        current = self._chat.current()
        if current is not None:
            self._chat.list.delete(current.info.id)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._theme = theme
        px = scaled(theme)
        for part in (self.list, self.header, self.empty, self.composer, self.transcript):
            part.set_theme(theme)
        # As wide as the text and a little more; at the right there is the scroll bar, too.
        self._foot.setContentsMargins(px(14), px(4), px(14) + SCROLL_BAR, px(10))
        self._foot_column.setSpacing(px(6))
        self._composer_column.setMaximumWidth(px(COLUMN))
        self._place_list()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.composer.box.set_height_limit(max(self.height() // 3, scaled(self._theme)(60)))
        self._place_list()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._overlay and event.key() == Qt.Key.Key_Escape:
            self.toggle_list()
        else:
            super().keyPressEvent(event)

    # ---- Layout ----

    def _arrange(self) -> None:
        self._composer_column = QWidget()
        self._foot_column = QVBoxLayout(self._composer_column)
        self._foot_column.setContentsMargins(0, 0, 0, 0)
        self._foot_column.addWidget(self.composer)
        self._foot_column.addWidget(self._note)
        foot = QWidget()
        self._foot = QHBoxLayout(foot)
        self._foot.addStretch(1)
        self._foot.addWidget(self._composer_column, 1000)
        self._foot.addStretch(1)
        chat = QWidget()
        chat.setProperty("kind", "page")
        chat.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(chat)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.stack, 1)
        column.addWidget(foot)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        self._row.addWidget(self.list)
        self._row.addWidget(chat, 1)
        self.setTabOrder(self.list.new_button, self.list.hide_button)
        self.setTabOrder(self.list.hide_button, self.list.view)

    @property
    def _narrow(self) -> bool:
        return self.width() < scaled(self._theme)(WIDE_FROM)

    def _place_list(self) -> None:
        if not self._narrow:
            self._overlay = False
        over = self._narrow and self._overlay
        beside = not self._narrow and self._list_wanted
        if beside and self._row.indexOf(self.list) < 0:
            self._row.insertWidget(0, self.list)
        elif not beside and self._row.indexOf(self.list) >= 0:
            self._row.removeWidget(self.list)
        self.list.setVisible(beside or over)
        self.scrim.setVisible(over)
        if over:
            self.scrim.setGeometry(self.rect())
            self.list.setGeometry(0, 0, min(self.list.width(), self.width()), self.height())
            self.scrim.raise_()
            self.list.raise_()
        self.list.setGraphicsEffect(self._shadow() if over else None)  # pyright: ignore[reportArgumentType]
        self.header.set_list_shown(beside)

    def _shadow(self) -> QGraphicsDropShadowEffect:
        shadow = QGraphicsDropShadowEffect(self.list)
        shadow.setBlurRadius(40)
        shadow.setOffset(0, 0)
        shadow.setColor(QColor(0, 0, 0, 120))
        return shadow

    def _close_overlay(self) -> None:
        if self._overlay:
            self._overlay = False
            self._place_list()

    # ---- From the user ----

    def _connect_parts(self) -> None:
        chat, list_, header, composer = self._chat, self.list, self.header, self.composer
        list_.new_requested.connect(self.new_chat)
        list_.open_requested.connect(self._open)
        list_.rename_requested.connect(chat.list.rename)
        list_.delete_requested.connect(chat.list.delete)
        list_.hide_requested.connect(self.toggle_list)
        header.list_requested.connect(self.toggle_list)
        header.new_requested.connect(self.new_chat)
        header.model_chosen.connect(self._models.select)
        header.add_file_requested.connect(self.add_file_requested)
        header.models_requested.connect(self.models_requested)
        self.empty.asked.connect(self._ask_example)
        self.empty.models_requested.connect(self.models_requested)
        composer.submitted.connect(chat.send)
        composer.edited.connect(chat.edit)
        composer.stopped.connect(chat.stop)
        composer.escaped.connect(self._close_overlay)
        composer.draft_changed.connect(chat.save_draft)
        composer.effort_chosen.connect(self._choose_effort)
        composer.edit_last_requested.connect(self._edit_last)
        self.transcript.regenerate_requested.connect(chat.regenerate)
        self.transcript.edit_requested.connect(self._edit)
        self.transcript.continue_requested.connect(chat.continue_answer)
        self.transcript.version_requested.connect(chat.select_version)
        self.transcript.pin_requested.connect(chat.sight.pin)
        self.transcript.link_activated.connect(self.link_activated)
        self.transcript.verticalScrollBar().valueChanged.connect(lambda _: self._draw_edge())
        self.stack.currentChanged.connect(lambda _: self._draw_edge())

    def _draw_edge(self) -> None:
        shown = self.stack.currentWidget() is self.transcript
        self.header.set_scrolled(shown and self.transcript.verticalScrollBar().value() > 0)

    def new_chat(self) -> None:
        """Ctrl+N."""
        self._close_overlay()
        self._chat.new_chat()
        self.focus_message_box()

    def _open(self, chat_id: int) -> None:
        self._close_overlay()
        current = self._chat.current()
        if current is None or current.info.id != chat_id:
            self._chat.open(chat_id)
        self.focus_message_box()

    def _choose_effort(self, effort: Effort) -> None:
        self._chat.set_effort(effort)
        self.composer.set_effort(effort)

    def _edit(self, node_id: int) -> None:
        current = self._chat.current()
        if current is not None:
            self.composer.begin_edit(node_id, current.node(node_id).message.content)

    def _edit_last(self) -> None:
        current = self._chat.current()
        if current is None or self._chat.busy:
            return
        asked = [node for node in current.path() if node.message.role is Role.USER]
        if asked:
            self.composer.begin_edit(asked[-1].id, asked[-1].message.content)

    # ---- From the services ----

    def _connect_services(self) -> None:
        chat = self._chat
        chat.list.changed.connect(self._list_changed)
        chat.opened.connect(self._opened)
        chat.path_changed.connect(self._path_changed)
        chat.node_added.connect(self._node_added)
        chat.answer_grew.connect(self._grew)
        chat.answer_finished.connect(self._finished)
        chat.answer_resumed.connect(self.transcript.resume)
        chat.reading.connect(self.transcript.set_reading)
        chat.busy_changed.connect(self.composer.set_busy)
        chat.sight.horizon_changed.connect(self.transcript.horizon.show)
        chat.sight.pinned.connect(self.transcript.message_actions.set_pinned)
        chat.returned.connect(self._returned)
        self._models.models_changed.connect(self._show_models)
        self._models.current_changed.connect(self._show_models)
        self._settings.changed.connect(self._setting_changed)
        self._setting_changed(SEND_KEY.key)
        self._setting_changed(SHOW_REASONING.key)

    def _ask_example(self, question: str) -> None:
        """Send an example; what stands in the composer stays there, as the draft of the new chat."""
        self._chat.send(question)
        if self.composer.text.strip():
            self._chat.save_draft(self.composer.text)

    def _list_changed(self, chats: tuple[ConversationInfo, ...]) -> None:
        self.list.set_chats(chats)
        self._show_title()

    def _opened(self, conversation: Conversation | None, draft: str) -> None:
        self.composer.set_draft(draft)
        self.composer.set_busy(self._chat.busy)
        self._show_path(conversation)
        self._show_title()

    def _path_changed(self, conversation: Conversation) -> None:
        if tuple(node.id for node in conversation.path()) != self._shown:
            self._show_path(conversation)
        self._show_title()

    def _show_path(self, conversation: Conversation | None) -> None:
        path = () if conversation is None else conversation.path()
        self._versions = VersionMap(conversation)
        self._shown = tuple(node.id for node in path)
        if path:
            horizon = self._chat.sight.horizon
            self.transcript.show_path(path, self._versions.of, self._chat.answering_node, horizon)
        else:
            self.transcript.clear()
        self.stack.setCurrentWidget(self.transcript if path else self.empty)

    def _node_added(self, node: MessageNode) -> None:
        self._versions.add(node)
        self._shown = (*self._shown, node.id)
        self.transcript.add_node(node, self._versions.of(node.id))
        self.stack.setCurrentWidget(self.transcript)
        self._show_title()

    def _grew(self, growth: AnswerGrowth) -> None:
        self.transcript.grow(growth.node_id, growth.reasoning, growth.commentary, growth.answer)

    def _finished(self, node: MessageNode) -> None:
        self.transcript.set_reading(0, 0)
        self.transcript.finish(node)
        self.transcript.horizon.show(self._chat.sight.horizon)

    def _returned(self, text: str) -> None:
        written = self.composer.text
        self.composer.box.replace_text(f"{text}\n{written}" if written.strip() else text)

    def _show_title(self) -> None:
        current = self._chat.current()
        self.list.set_open(None if current is None else current.info.id)
        self.header.title.set_full_text(self.tr("New chat") if current is None else shown_title(current.info))
        self.composer.set_effort(self._chat.effort)

    def _show_models(self, _: InstalledModel | None = None) -> None:
        current = self._models.current()
        self.header.set_models(self._models.models(), current)
        self.empty.set_guide(current.builtin)
        self.composer.set_model_name(self.tr("the guide") if current.builtin else current.name)
        self._note.setVisible(not current.builtin)

    def _setting_changed(self, key: str) -> None:
        if key == SEND_KEY.key:
            self.composer.set_send_with_control(self._settings.settings.get(SEND_KEY) == "ctrl+enter")
        elif key == SHOW_REASONING.key:
            self.transcript.open_reasoning = self._settings.settings.get(SHOW_REASONING) == "open"
