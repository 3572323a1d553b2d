"""The composer: the card at the foot of the chat in which a message is written, sent, edited and stopped."""

from PySide6.QtCore import QCoreApplication, QSize, Qt, Signal
from PySide6.QtGui import QActionGroup, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app.domain.conversation import Effort
from app.ui.chat.message_box import MessageBox
from app.ui.icons import icon
from app.ui.shell.menu_button import MenuButton
from app.ui.shell.style import restyle, scaled
from app.ui.theme import Theme


class ComposerCard(QFrame):
    """The card around the field: a click anywhere on it goes to the field, and its edge shows the field's focus."""

    def __init__(self, box: MessageBox) -> None:
        super().__init__()
        self.setObjectName("composerCard")
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self._box = box
        box.focus_changed.connect(lambda focused: restyle(self, "active", focused))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._box.setFocus(Qt.FocusReason.MouseFocusReason)
        event.accept()


class Composer(QWidget):
    """Writes messages. It knows nothing of chats: the pane gives it a draft and takes its texts.

    ``edited`` carries the node that the text replaces. ``draft_changed`` comes with every change of what would be sent
    as a new message: what is typed while an earlier message is edited is no draft.
    """

    submitted = Signal(str)
    edited = Signal(int, str)
    stopped = Signal()
    escaped = Signal()
    edit_last_requested = Signal()
    effort_chosen = Signal(object)
    draft_changed = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._busy = False
        self._effort = Effort.MEDIUM
        self._editing: int | None = None
        self._kept_draft = ""
        self._saved_draft = ""

        self.box = MessageBox()
        self.box.setProperty("kind", "composer")
        self.box.setAccessibleName(self.tr("Message"))
        self.box.setPlaceholderText(self.tr("Ask anything"))

        self._banner = self._make_banner()
        self.effort_button = self._make_effort_button()
        self.effort_button.setCursor(Qt.CursorShape.ArrowCursor)
        self.hint = QLabel()
        self.hint.setObjectName("composerHint")
        self.send_button = QToolButton()
        self.send_button.setObjectName("sendButton")
        self.send_button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.send_button.clicked.connect(self._press_button)

        foot = QHBoxLayout()
        foot.setContentsMargins(0, 0, 0, 0)
        foot.addWidget(self.effort_button)
        foot.addStretch(1)
        foot.addWidget(self.hint)
        foot.addWidget(self.send_button)

        self.card = ComposerCard(self.box)
        self._card_layout = QVBoxLayout(self.card)
        self._card_layout.addWidget(self._banner)
        self._card_layout.addWidget(self.box)
        self._card_layout.addLayout(foot)
        self.setFocusProxy(self.box)

        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.card)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)

        self.box.submitted.connect(self._submit)
        self.box.cancelled.connect(self._escape)
        self.box.edit_last_requested.connect(self.edit_last_requested)
        self.box.textChanged.connect(self._text_changed)
        self.set_theme(theme)

    # ---- What is written ----

    @property
    def text(self) -> str:
        """What stands in the field."""
        return self.box.toPlainText()

    @property
    def editing(self) -> int | None:
        """The node whose text is being edited."""
        return self._editing

    def set_draft(self, text: str) -> None:
        """Show another chat's draft; an edit in progress is dropped, and undo starts anew."""
        self._leave_edit()
        self._saved_draft = text
        self.box.setPlainText(text)
        cursor = self.box.textCursor()
        cursor.movePosition(cursor.MoveOperation.End)
        self.box.setTextCursor(cursor)

    def begin_edit(self, node_id: int, text: str) -> None:
        """Put an earlier message into the field; what was written so far comes back afterwards."""
        if self._editing is None:
            self._kept_draft = self.text
        self._editing = node_id
        self._banner.show()
        self.box.replace_text(text)
        self.box.setFocus()
        self._refresh_button()

    def cancel_edit(self) -> None:
        """Back to what was written before."""
        if self._editing is None:
            return
        draft = self._kept_draft
        self._leave_edit()
        self.box.replace_text(draft)
        self.box.setFocus()

    # ---- What it shows ----

    def set_busy(self, busy: bool) -> None:
        """While an answer is made the button stops it, and Enter waits."""
        self._busy = busy
        self._refresh_button()

    def set_effort(self, effort: Effort) -> None:
        """Show this effort as the chosen one."""
        self._efforts[effort].setChecked(True)
        self._effort = effort
        words = self.tr("Effort: {effort}").format(effort=effort_name(effort))
        roomy = self.width() >= scaled(self._theme)(330)
        self.effort_button.setText(words if roomy else effort_name(effort))
        self.effort_button.setAccessibleName(words)
        self.effort_button.updateGeometry()

    def set_send_with_control(self, control: bool) -> None:
        """Ctrl+Enter sends and Enter makes a new line; or Enter sends."""
        self.box.send_with_control = control
        self._refresh_button()

    def set_model_name(self, name: str) -> None:
        """Name who is asked."""
        self.box.setPlaceholderText(self.tr("Message {model}").format(model=name) if name else self.tr("Ask anything"))

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._theme = theme
        px = scaled(theme)
        self._card_layout.setContentsMargins(px(16), px(12), px(10), px(10))
        self._card_layout.setSpacing(px(8))
        self._banner_row.setContentsMargins(px(12), px(2), px(2), px(2))
        self.cancel_edit_button.setIcon(icon("close", theme.colours.muted, px(16)))
        self.effort_button.set_theme(theme)
        self.send_button.setFixedSize(px(34), px(34))
        self.send_button.setIconSize(QSize(px(20), px(20)))
        self._refresh_button()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.hint.setVisible(event.size().width() >= scaled(self._theme)(560))
        self.set_effort(self._effort)

    # ---- Inside ----

    def _make_banner(self) -> QFrame:
        banner = QFrame()
        banner.setObjectName("editBanner")
        words = QLabel(self.tr("Editing your message. The answer is made anew."))
        words.setWordWrap(True)
        self.cancel_edit_button = QToolButton()
        self.cancel_edit_button.setText(self.tr("Cancel"))
        self.cancel_edit_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.cancel_edit_button.setAccessibleName(self.tr("Cancel editing"))
        self.cancel_edit_button.clicked.connect(self.cancel_edit)
        self._banner_row = row = QHBoxLayout(banner)
        row.addWidget(words, 1)
        row.addWidget(self.cancel_edit_button)
        banner.hide()
        return banner

    def _make_effort_button(self) -> MenuButton:
        button = MenuButton(self._theme, "thought", quiet=True)
        button.setObjectName("chip")
        button.setToolTip(self.tr("How long the model thinks before it answers"))
        menu = button.popup_menu
        group = QActionGroup(menu)
        self._efforts = {
            effort: menu.addAction(words)
            for effort, words in (
                (Effort.LOW, self.tr("Low: answers at once")),
                (Effort.MEDIUM, self.tr("Medium: thinks briefly")),
                (Effort.HIGH, self.tr("High: thinks at length")),
            )
        }
        for effort, action in self._efforts.items():
            action.setCheckable(True)
            group.addAction(action)
            action.triggered.connect(lambda _=False, chosen=effort: self.effort_chosen.emit(chosen))
        return button

    def _leave_edit(self) -> None:
        self._editing = None
        self._kept_draft = ""
        self._banner.hide()

    def _text_changed(self) -> None:
        self._refresh_button()
        if self._editing is None and self.text != self._saved_draft:
            self._saved_draft = self.text
            self.draft_changed.emit(self._saved_draft)

    def _refresh_button(self) -> None:
        ready = bool(self.text.strip())
        colours = self._theme.colours
        size = scaled(self._theme)(20)
        self.send_button.setProperty("busy", self._busy)
        if self._busy:
            self.send_button.setIcon(icon("stop", colours.on_accent, size))
            self._describe(self.tr("Stop"), self.tr("Stop (Esc)"))
        else:
            self.send_button.setIcon(icon("send", colours.on_accent if ready else colours.muted, size))
            keys = self.tr("Ctrl+Enter") if self.box.send_with_control else self.tr("Enter")
            self._describe(self.tr("Send"), self.tr("Send ({keys})").format(keys=keys))
        self.send_button.setEnabled(self._busy or ready)
        self.hint.setText(self._hint(ready))

    def _describe(self, name: str, tip: str) -> None:
        self.send_button.setAccessibleName(name)
        self.send_button.setToolTip(tip)

    def _hint(self, ready: bool) -> str:
        if self._busy:
            return self.tr("Esc to stop")
        if not ready:
            return ""
        return self.tr("Ctrl+Enter to send") if self.box.send_with_control else self.tr("Shift+Enter for a new line")

    def _press_button(self) -> None:
        if self._busy:
            self.stopped.emit()
        else:
            self._submit()

    def _submit(self) -> None:
        text = self.text.strip()
        if self._busy or not text:
            return
        if self._editing is not None:
            node, draft = self._editing, self._kept_draft
            self._leave_edit()
            self.box.replace_text(draft)
            self.edited.emit(node, text)
            return
        self.box.replace_text("")
        self.submitted.emit(text)

    def _escape(self) -> None:
        if self._editing is not None:
            self.cancel_edit()
        elif self._busy:
            self.stopped.emit()
        else:
            self.escaped.emit()


def effort_name(effort: Effort) -> str:
    """The word for an effort."""
    match effort:
        case Effort.LOW:
            return QCoreApplication.translate("Composer", "Low")
        case Effort.MEDIUM:
            return QCoreApplication.translate("Composer", "Medium")
        case Effort.HIGH:
            return QCoreApplication.translate("Composer", "High")
