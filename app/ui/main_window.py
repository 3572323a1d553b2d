"""The window: rail, panes, messages, status, shortcuts."""

from collections.abc import Callable
from typing import cast

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
)
from PySide6.QtWidgets import QApplication, QHBoxLayout, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from app.domain.errors import ErrorCode, UserError
from app.domain.settings import CHAT_LIST_SHOWN, WINDOW_PLACE
from app.domain.tree import ConversationInfo
from app.services.chat_service import ChatService
from app.services.engine_service import EngineService
from app.services.model_service import ModelService
from app.services.payloads import EngineState
from app.services.settings_service import SettingsService
from app.ui.chat.conversation_model import shown_title
from app.ui.chat.pane import ChatPane
from app.ui.icons import program_icon
from app.ui.models.pane import ModelsPane
from app.ui.settings.pane import SettingsPane
from app.ui.shell.dialogs import ask_for_model_file, open_link
from app.ui.shell.drop_zone import DropZone, model_files
from app.ui.shell.engine_trouble import EngineTrouble
from app.ui.shell.message_bar import MessageBar, Notice
from app.ui.shell.rail import Pane, Rail
from app.ui.shell.status_line import StatusLine
from app.ui.shell.style import scaled
from app.ui.shell.theme_follower import ThemeFollower
from app.ui.shell.window_place import WindowPlace
from app.ui.theme import Theme

SIZE = (1120, 780)
SMALLEST = (480, 400)
TOAST_WIDTH = 420  # pixels at 100%

# Problems that another model, or another file, would solve.
MODEL_TROUBLE = frozenset(
    {
        ErrorCode.FILE_NOT_FOUND,
        ErrorCode.FILE_UNREADABLE,
        ErrorCode.NOT_A_GGUF,
        ErrorCode.GGUF_TRUNCATED,
        ErrorCode.GGUF_BROKEN,
        ErrorCode.UNKNOWN_ARCHITECTURE,
        ErrorCode.NO_CHAT_TEMPLATE,
        ErrorCode.CHAT_TEMPLATE_FAILED,
        ErrorCode.ADAPTER_UNFIT,
        ErrorCode.MODEL_LOAD_FAILED,
        ErrorCode.OUT_OF_MEMORY,
        ErrorCode.ENGINE_OUT_OF_MEMORY,
        ErrorCode.MODEL_TOO_LARGE,
        ErrorCode.ALWAYS_CRASHED,
        ErrorCode.NO_MODEL_LOADED,
    }
)


class MainWindow(QMainWindow):
    """Shows the services; owns none of them."""

    def __init__(
        self, chat: ChatService, models: ModelService, engine: EngineService, settings: SettingsService
    ) -> None:
        super().__init__()
        self._chat = chat
        self._models = models
        self._engine = engine
        self._settings = settings
        self._follower = ThemeFollower(cast("QApplication", QApplication.instance()), settings, self)
        theme = self._follower.theme
        self.setWindowIcon(program_icon())
        self.setAcceptDrops(True)

        self.rail = Rail(theme)
        self.message_bar = MessageBar(theme)
        self.toast = MessageBar(theme, self)
        self.chat_pane = ChatPane(chat, models, settings, theme)
        self.status = StatusLine(theme)
        # The other panes are made when they are first shown: half of the time to the first picture was theirs.
        self._panes: dict[Pane, ChatPane | ModelsPane | SettingsPane] = {Pane.CHAT: self.chat_pane}
        self.stack = QStackedWidget()
        self.stack.addWidget(self.chat_pane)
        self._arrange()
        self.drop_zone = DropZone(theme, self)
        self._add_actions()

        self.rail.chosen.connect(self.show_pane)
        self.chat_pane.models_requested.connect(lambda: self.show_pane(Pane.MODELS))
        self.chat_pane.list_shown_changed.connect(lambda shown: settings.set_value(CHAT_LIST_SHOWN.key, shown))
        self.chat_pane.add_file_requested.connect(self.add_model)
        self.chat_pane.link_activated.connect(self._open_link)
        self.status.reload_requested.connect(chat.reload_model)
        self.status.cancel_requested.connect(engine.unload)
        self.status.restart_requested.connect(engine.abandon)
        self.engine_trouble = EngineTrouble(chat, engine, self.message_bar)
        engine.state_changed.connect(self._show_state)
        self.status.set_state(engine.state)
        for service in (chat, models, settings):
            service.problem.connect(self._show_problem)
        chat.list.deleted.connect(self._offer_undo)
        chat.opened.connect(self._show_title)
        chat.list.changed.connect(self._show_title)
        self._follower.changed.connect(self._set_theme)

        self.setMinimumSize(*SMALLEST)
        self.chat_pane.set_list_wanted(settings.settings.get(CHAT_LIST_SHOWN))
        self._take_place(settings.settings.get(WINDOW_PLACE))
        self._show_title()
        self.show_pane(Pane.CHAT)

    # ---- For the program ----

    @property
    def theme(self) -> Theme:
        """The look of the moment."""
        return self._follower.theme

    @property
    def models_pane(self) -> ModelsPane:
        """The models; made when it is first asked for."""
        pane = self._panes.get(Pane.MODELS)
        if not isinstance(pane, ModelsPane):
            pane = ModelsPane(self._models, self.theme)
            pane.set_state(self._engine.state)
            pane.add_file_requested.connect(self.add_model)
            pane.link_activated.connect(self._open_link)
            self._panes[Pane.MODELS] = pane
            self.stack.addWidget(pane)
        return pane

    @property
    def settings_pane(self) -> SettingsPane:
        """The settings; made when it is first asked for."""
        pane = self._panes.get(Pane.SETTINGS)
        if not isinstance(pane, SettingsPane):
            pane = SettingsPane(self._settings, self.theme)
            self._panes[Pane.SETTINGS] = pane
            self.stack.addWidget(pane)
        return pane

    @property
    def shown_pane(self) -> Pane:
        """Which pane is shown."""
        return next(name for name, pane in self._panes.items() if pane is self.stack.currentWidget())

    def show_pane(self, pane: Pane) -> None:
        """Show a pane and put the focus where one starts there."""
        self.rail.show_pane(pane)
        match pane:
            case Pane.CHAT:
                self.stack.setCurrentWidget(self.chat_pane)
                self.chat_pane.focus_message_box()
            case Pane.MODELS:
                self.stack.setCurrentWidget(self.models_pane)
                self.models_pane.setFocus()
            case Pane.SETTINGS:
                self.stack.setCurrentWidget(self.settings_pane)
                self.settings_pane.search.setFocus()

    def raise_window(self) -> None:
        """A second start wants to see this window."""
        if self.isMinimized():
            self.showNormal()
        self.show()
        self.raise_()
        self.activateWindow()

    def add_model(self) -> None:
        """Let the user choose a model file."""
        path = ask_for_model_file(self)
        if path is not None:
            self.show_pane(Pane.MODELS)
            self._models.add_file(path)

    def type_and_send(self, text: str) -> None:
        """Write a message and press the key that sends it, as a person would."""
        self.show_pane(Pane.CHAT)
        box = self.chat_pane.composer.box
        box.insertPlainText(text)
        control = Qt.KeyboardModifier.ControlModifier
        held = control if box.send_with_control else Qt.KeyboardModifier.NoModifier
        for kind in (QKeyEvent.Type.KeyPress, QKeyEvent.Type.KeyRelease):
            QApplication.sendEvent(box, QKeyEvent(kind, Qt.Key.Key_Return, held, "\r"))

    def shown_text(self) -> str:
        """What the transcript shows, as plain text."""
        return self.chat_pane.transcript.plain_text()

    # ---- Layout ----

    def _arrange(self) -> None:
        content = QVBoxLayout()
        content.setSpacing(0)
        content.addWidget(self.message_bar)
        content.addWidget(self.stack, 1)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addLayout(content, 1)
        whole = QWidget()
        rows = QVBoxLayout(whole)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addLayout(row, 1)
        rows.addWidget(self.status)
        self.setCentralWidget(whole)

    def _set_theme(self, theme: Theme) -> None:
        for part in (self.rail, self.message_bar, self.toast, self.status, self.drop_zone, *self._panes.values()):
            part.set_theme(theme)
        self._place_toast()

    def _place_toast(self) -> None:
        """Above the message box, in the middle of the chat."""
        px = scaled(self.theme)
        below = self.chat_pane.stack
        self.toast.setFixedWidth(min(px(TOAST_WIDTH), below.width() - px(24)))
        self.toast.adjustSize()
        middle = below.mapTo(self, below.rect().bottomLeft()).x() + below.width() // 2
        bottom = below.mapTo(self, below.rect().bottomLeft()).y()
        self.toast.move(middle - self.toast.width() // 2, bottom - self.toast.height() - px(12))
        self.toast.raise_()

    def _take_place(self, kept: str) -> None:
        place = WindowPlace.parse(kept)
        screens = [screen.availableGeometry() for screen in QGuiApplication.screens()]
        fitted = None if place is None else place.fitted(screens)
        if place is None or fitted is None:
            room = QGuiApplication.primaryScreen().availableGeometry()
            size = QRect(0, 0, min(SIZE[0], room.width()), min(SIZE[1], room.height()))
            size.moveCenter(room.center())
            self.setGeometry(size)
            return
        self.setGeometry(fitted)
        if place.maximized:
            self.setWindowState(Qt.WindowState.WindowMaximized)

    # ---- Keys ----

    def _add_actions(self) -> None:
        chat = self.chat_pane
        self._add_action(self.tr("New chat"), chat_first(self, chat.new_chat), "Ctrl+N")
        self._add_action(self.tr("Answer again"), chat_first(self, lambda: self._chat.regenerate(None)), "Ctrl+R")
        self._add_action(self.tr("Show or hide the chat list"), chat_first(self, chat.toggle_list), "Ctrl+B")
        self._add_action(self.tr("Write a message"), chat_first(self, chat.focus_message_box), "Ctrl+L")
        self._add_action(self.tr("Rename the chat"), chat_first(self, chat.rename_current), "F2")
        for number, pane in enumerate(Pane, start=1):
            keys = [f"Ctrl+{number}", *(["Ctrl+,"] if pane is Pane.SETTINGS else [])]
            self._add_action(
                {Pane.CHAT: self.tr("Chat"), Pane.MODELS: self.tr("Models"), Pane.SETTINGS: self.tr("Settings")}[pane],
                lambda pane=pane: self.show_pane(pane),
                *keys,
            )
        self._add_action(self.tr("Quit"), self.close, "Ctrl+Q")

    def _add_action(self, words: str, act: Callable[[], object], *keys: str) -> None:
        action = QAction(words, self)
        action.setShortcuts([QKeySequence(key) for key in keys])
        action.triggered.connect(lambda: act())
        self.addAction(action)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._chat.busy and self.shown_pane is Pane.CHAT:
            self._chat.stop()
        else:
            super().keyPressEvent(event)

    # ---- From the services ----

    def _show_title(self, *_: object) -> None:
        current = self._chat.current()
        title = self.tr("New chat") if current is None else shown_title(current.info)
        self.setWindowTitle(self.tr("{title} – Alcove").format(title=title))

    def _show_state(self, state: EngineState) -> None:
        self.status.set_state(state)
        if Pane.MODELS in self._panes:
            self.models_pane.set_state(state)

    def _show_problem(self, error: UserError) -> None:
        if error.code in MODEL_TROUBLE and self.shown_pane is not Pane.MODELS:
            self.message_bar.show_error(error, self.tr("Models"), lambda: self.show_pane(Pane.MODELS))
        else:
            self.message_bar.show_error(error)

    def _offer_undo(self, info: ConversationInfo) -> None:
        self.toast.show_notice(
            Notice(
                self.tr("“{title}” is deleted.").format(title=shown_title(info)),
                problem=False,
                action=self.tr("Undo"),
                act=lambda: self._chat.undo_delete(info.id),
                stays=False,
            )
        )
        self._place_toast()

    def _open_link(self, address: str) -> None:
        open_link(self.theme, address, self)

    # ---- The window's own events ----

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.message_bar.set_most(self.height() // 4)
        self._place_toast()
        self.drop_zone.setGeometry(self.rect().adjusted(12, 12, -12, -12))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if model_files(event.mimeData()):
            event.acceptProposedAction()
            self.drop_zone.raise_()
            self.drop_zone.show()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        del event
        self.drop_zone.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.drop_zone.hide()
        files = model_files(event.mimeData())
        if files:
            event.acceptProposedAction()
            self.show_pane(Pane.MODELS)
        for path in files:
            self._models.add_file(path)

    def closeEvent(self, event: QCloseEvent) -> None:
        normal = self.normalGeometry() if self.isMaximized() or self.isFullScreen() else self.geometry()
        place = WindowPlace(normal.left(), normal.top(), normal.width(), normal.height(), self.isMaximized())
        self._settings.set_value(WINDOW_PLACE.key, str(place))
        super().closeEvent(event)


def chat_first(window: MainWindow, act: Callable[[], object]) -> Callable[[], None]:
    """Show the chat, then do something in it."""

    def done() -> None:
        if window.shown_pane is not Pane.CHAT:
            window.show_pane(Pane.CHAT)
        act()

    return done
