"""One setting in the pane: label, help, editor, the mark of a changed value, and what was wrong with an entry."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app.domain.errors import UserError
from app.domain.setting import Applies, Setting, Value
from app.ui.icons import icon
from app.ui.settings.editors import editor_for, in_words
from app.ui.shell.error_text import remedy
from app.ui.shell.status_line import StateDot
from app.ui.shell.style import scaled
from app.ui.theme import Theme

TIGHT = 260  # pixels at 100%
WORDS = 180  # what the words need beside an editor


class SettingRow(QWidget):
    """``entered(str, object)``: key and entry; ``reset_requested(str)``: back to the default."""

    entered = Signal(str, object)
    reset_requested = Signal(str)

    def __init__(self, setting: Setting[Value], theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setting = setting
        self.editor = editor_for(setting, theme, lambda value: self.entered.emit(setting.key, value))
        self._label = label = QLabel(in_words(setting.label))
        label.setObjectName("settingLabel")
        self.changed_dot = StateDot()
        self.changed_dot.setToolTip(self.tr("Changed from the default"))
        self.changed_dot.setAccessibleName(self.tr("Changed from the default"))
        self.reset_button = QToolButton()
        self.reset_button.setToolTip(self.tr("Back to the default"))
        self.reset_button.setAccessibleName(self.tr("Reset {setting}").format(setting=in_words(setting.label)))
        self.reset_button.clicked.connect(lambda: self.reset_requested.emit(setting.key))
        self.help = QLabel(in_words(setting.help))
        self.help.setProperty("kind", "muted")
        self.applies = QLabel(self.tr("Takes effect {when}.").format(when=in_words(setting.applies.value)))
        self.applies.setProperty("kind", "caption")
        if setting.applies is Applies.AT_ONCE:
            self.applies.hide()
        self.error = QLabel()
        self.error.setObjectName("settingError")
        self.error.hide()
        for text in (self.help, self.applies, self.error):
            text.setWordWrap(True)
            text.setTextFormat(Qt.TextFormat.PlainText)

        self._title = QHBoxLayout()
        self._title.addWidget(label)
        self._title.addWidget(self.changed_dot)
        self._title.addWidget(self.reset_button)
        self._title.addStretch(1)
        self._words = QVBoxLayout()
        self._words.addLayout(self._title)
        for text in (self.help, self.applies, self.error):
            self._words.addWidget(text)
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.addLayout(self._words, 1)
        self._row.addWidget(self.editor.widget)
        if not setting.multiline:
            self.editor.widget.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setTabOrder(self.editor.widget, self.reset_button)
        self.set_theme(theme)

    def show_value(self, value: Value, changed: bool) -> None:
        """Show the value that is in force."""
        self.editor.show_value(value)
        self.changed_dot.setVisible(changed)
        self.reset_button.setVisible(changed)
        self.show_error(None)

    def show_error(self, error: UserError | None) -> None:
        """Say what is wrong with an entry; it stays in the editor to be corrected."""
        self.error.setVisible(error is not None)
        self.error.setText("" if error is None else remedy(error))
        self.editor.widget.setAccessibleDescription(self.error.text() or self.help.text())
        self.editor.show_wrong(error is not None)

    def matches(self, words: str) -> bool:
        """Whether every one of the (casefolded) words is found in what the row says."""
        declared = self.setting
        texts = (declared.label, declared.help, declared.group.value, *(choice.label for choice in declared.choices))
        said = " ".join((*map(in_words, texts), declared.key)).casefold()
        return all(word in said for word in words.split())

    def set_room(self, room: int, narrow: bool) -> None:
        """Where there is little room (pixels), or much to write, the editor stands below the words."""
        px = scaled(self._theme)
        aside = px(18) if room >= px(TIGHT) else px(10)
        self._row.setContentsMargins(aside, px(14), aside, px(14))
        margins = self._row.contentsMargins()
        inside = room - margins.left() - margins.right()
        beside = 2 * self._title.spacing() + self.changed_dot.width() + self.reset_button.width()
        # A label that may wrap does so before it has to.
        self._label.setWordWrap(self._label.fontMetrics().horizontalAdvance(self._label.text()) > inside - beside)
        self.editor.set_room(inside)
        words = max(self._label.minimumSizeHint().width() + beside, px(WORDS))
        crowded = words + self._row.spacing() + self.editor.widget.sizeHint().width() > inside
        below = narrow or crowded or self.setting.multiline
        direction = QBoxLayout.Direction.TopToBottom if below else QBoxLayout.Direction.LeftToRight
        self._row.setDirection(direction)
        align = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignTrailing
        if below:
            align = Qt.AlignmentFlag(0) if self.setting.multiline else Qt.AlignmentFlag.AlignLeading
        self._row.setAlignment(self.editor.widget, align)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._theme = theme
        px = scaled(theme)
        self._row.setSpacing(px(16))
        self._words.setSpacing(px(2))
        self._title.setSpacing(px(8))
        self.changed_dot.setFixedSize(px(7), px(7))
        self.changed_dot.set_colour(theme.colours.accent)
        self.reset_button.setIcon(icon("undo", theme.colours.muted, px(16)))
        self.reset_button.setIconSize(QSize(px(14), px(16)))
        self.reset_button.setFixedSize(px(24), px(24))
        self.editor.set_theme(theme)
