"""What a fresh chat shows: a greeting, a few questions to start with, and a word about the built-in guide."""

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.ui.icons import icon, program_icon
from app.ui.shell.style import scaled
from app.ui.theme import Theme

COLUMN = 640  # pixels at 100%
TWO_COLUMNS_FROM = 520
HINT_FROM = 560


@dataclass(frozen=True, slots=True)
class Example:
    """A question to start with, and what it is about."""

    question: str
    about: str


class ExampleCard(QPushButton):
    """A question that can be clicked; its words wrap."""

    def __init__(self, example: Example, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("exampleCard")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(example.question)
        self.setAccessibleDescription(example.about)
        self.example = example
        question, about = QLabel(example.question), QLabel(example.about)
        question.setObjectName("settingLabel")
        about.setProperty("kind", "muted")
        self._words = QVBoxLayout(self)
        for label in (question, about):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            self._words.addWidget(label)
        self._words.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        px = scaled(theme)
        self._words.setContentsMargins(px(16), px(12), px(16), px(12))
        self._words.setSpacing(px(2))

    def sizeHint(self) -> QSize:
        width = max(self.width(), 120)
        return QSize(200, self._words.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        return QSize(100, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.updateGeometry()


class EmptyState(QScrollArea):
    """The greeting in the middle of the pane; scrolls where the window is too low for it."""

    asked = Signal(str)
    models_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._mark = QLabel()
        self._greeting = QLabel(self.tr("What is on your mind?"))
        self._greeting.setObjectName("greeting")
        self._promise = QLabel(self.tr("Everything you write stays on this computer."))
        self._promise.setProperty("kind", "muted")
        for label in (self._mark, self._greeting, self._promise):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(label is not self._mark)
        self._grid = QGridLayout()
        self.cards: list[ExampleCard] = []
        self._hint = self._make_hint()

        self._column = QWidget()
        self._rows = QVBoxLayout(self._column)
        for part in (self._mark, self._greeting, self._promise):
            self._rows.addWidget(part)
        self._rows.addLayout(self._grid)
        self._rows.addWidget(self._hint)
        page = QWidget()
        page.setProperty("kind", "page")
        self._around = around = QHBoxLayout(page)
        around.addStretch(1)
        around.addWidget(self._column, 100, Qt.AlignmentFlag.AlignVCenter)
        around.addStretch(1)
        self.setWidget(page)
        self._guide = False
        self.set_guide(True)

    def set_guide(self, guide: bool) -> None:
        """Whether the built-in guide answers: it has its own questions, and says what it is."""
        if self.cards and guide == self._guide:
            return
        self._guide = guide
        for card in self.cards:
            card.deleteLater()
        self.cards = []
        for example in self._guide_examples() if guide else self._examples():
            card = ExampleCard(example)
            card.clicked.connect(lambda _=False, question=example.question: self.asked.emit(question))
            self.cards.append(card)
        self._hint.setVisible(guide)
        self.set_theme(self._theme)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._theme = theme
        px = scaled(theme)
        self._mark.setPixmap(program_icon().pixmap(QSize(px(60), px(60)), self.devicePixelRatioF()))
        self._column.setMaximumWidth(px(COLUMN))
        self._around.setContentsMargins(px(14), 0, px(14), 0)
        self._rows.setContentsMargins(0, px(16), 0, px(16))
        self._rows.setSpacing(px(6))
        self._mark.setContentsMargins(0, 0, 0, px(10))
        self._promise.setContentsMargins(0, 0, 0, px(22))
        self._grid.setSpacing(px(10))
        self._hint_row.setContentsMargins(0, px(14), 0, 0)
        self._info.setPixmap(icon("info", theme.colours.muted, px(16)).pixmap(px(16), px(16)))
        for card in self.cards:
            card.set_theme(theme)
        self._place_cards()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_cards()

    def _place_cards(self) -> None:
        columns = 2 if self.width() >= scaled(self._theme)(TWO_COLUMNS_FROM) else 1
        for number, card in enumerate(self.cards):
            self._grid.addWidget(card, number // columns, number % columns)
        wide = self.width() >= scaled(self._theme)(HINT_FROM)
        direction = QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom
        self._hint_row.setDirection(direction)
        self._info.setVisible(wide)
        self._hint_words.setWordWrap(not wide)
        self.models_link.setText(self.models_link.accessibleName() if wide else self.tr("Add gpt-oss-20b"))
        self._grid.setColumnStretch(0, 1)
        self._grid.setColumnStretch(1, 1 if columns == 2 else 0)

    def _make_hint(self) -> QWidget:
        hint = QWidget()
        self._hint_row = QBoxLayout(QBoxLayout.Direction.LeftToRight, hint)
        self._info = QLabel()
        self._hint_words = words = QLabel(self.tr("You are talking to the small built-in guide."))
        words.setProperty("kind", "muted")
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        words.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self.models_link = QPushButton(self.tr("Add gpt-oss-20b for real answers"))
        self.models_link.setObjectName("link")
        self.models_link.setAccessibleName(self.models_link.text())
        self.models_link.setCursor(Qt.CursorShape.PointingHandCursor)
        self.models_link.clicked.connect(self.models_requested)
        self._hint_row.addStretch(1)
        for part in (self._info, words, self.models_link):
            self._hint_row.addWidget(part, 0, Qt.AlignmentFlag.AlignCenter)
        self._hint_row.addStretch(1)
        return hint

    def _guide_examples(self) -> tuple[Example, ...]:
        return (
            Example(self.tr("What is Alcove?"), self.tr("What this program is for")),
            Example(self.tr("Is it private?"), self.tr("Where your words go, and where not")),
            Example(self.tr("Which model fits 16 GB?"), self.tr("Choosing a model for your memory")),
            Example(self.tr("Show me the shortcuts"), self.tr("Everything the keyboard can do")),
        )

    def _examples(self) -> tuple[Example, ...]:
        return (
            Example(self.tr("Explain how a vaccine works"), self.tr("A clear answer, step by step")),
            Example(self.tr("Write a polite e-mail that moves a meeting"), self.tr("A draft you can make your own")),
            Example(self.tr("Compare SQLite and PostgreSQL in a table"), self.tr("The differences at a glance")),
            Example(self.tr("Show me a Python script that renames photos"), self.tr("Code with an explanation")),
        )
