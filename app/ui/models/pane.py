"""The models pane: what is installed, which one answers, and how to get more."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from app.hub.library import InstalledModel
from app.services.model_service import ModelService
from app.services.payloads import EngineState
from app.ui.icons import icon
from app.ui.models.card import ModelCard
from app.ui.models.get_panel import GetPanel
from app.ui.shell.dialogs import Question
from app.ui.shell.style import scaled
from app.ui.theme import Theme

COLUMN = 820  # pixels at 100%
NARROW = 400


class ModelsPane(QScrollArea):
    """Cards of the installed models above the way to gpt-oss-20b."""

    add_file_requested = Signal()
    link_activated = Signal(str)

    def __init__(self, models: ModelService, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models = models
        self._theme = theme
        self.setWidgetResizable(True)
        self.cards: list[ModelCard] = []
        self._state = EngineState()

        title = QLabel(self.tr("Models"))
        title.setObjectName("pageTitle")
        words = QLabel(self.tr("A model is one large file that answers your questions. It is used where it lies."))
        words.setProperty("kind", "muted")
        words.setWordWrap(True)
        self.add_button = QPushButton(self.tr("Add a GGUF file…"))
        self.add_button.setProperty("kind", "primary")
        self.add_button.clicked.connect(self.add_file_requested)
        self.get_panel = GetPanel(theme)
        self.get_panel.add_requested.connect(self.add_file_requested)
        self.get_panel.link_activated.connect(self.link_activated)

        self._head = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        titles = QVBoxLayout()
        titles.setSpacing(0)
        titles.addWidget(title)
        titles.addWidget(words)
        self._head.addLayout(titles, 1)
        self._head.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignTop)
        self._list = QVBoxLayout()
        self._column = QWidget()
        self._rows = QVBoxLayout(self._column)
        self._rows.addLayout(self._head)
        self._rows.addLayout(self._list)
        self._rows.addWidget(self.get_panel)
        self._rows.addStretch(1)
        page = QWidget()
        page.setProperty("kind", "page")
        around = QHBoxLayout(page)
        around.setContentsMargins(0, 0, 0, 0)
        around.addStretch(1)
        around.addWidget(self._column, 1000)
        around.addStretch(1)
        self.setWidget(page)

        models.models_changed.connect(self._fill)
        models.current_changed.connect(self._mark)
        self._fill()
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._theme = theme
        px = scaled(theme)
        self._column.setMaximumWidth(px(COLUMN))
        self._rows.setContentsMargins(px(20), px(28), px(20), px(28))
        self._rows.setSpacing(px(20))
        self._list.setSpacing(px(10))
        self._head.setSpacing(px(16))
        self.add_button.setIcon(icon("plus", theme.colours.on_accent, px(16)))
        self.add_button.setIconSize(QSize(px(16), px(16)))
        self.get_panel.set_theme(theme)
        for card in self.cards:
            card.set_theme(theme)
        self._place()

    def set_state(self, state: EngineState) -> None:
        """What the engine is doing: the model in use says where it runs."""
        if (state.model_name, state.explanation) != (self._state.model_name, self._state.explanation):
            self._state = state
            self._explain()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        """Where there is little room, things stand below each other."""
        narrow = self.width() < scaled(self._theme)(NARROW)
        down, across = QBoxLayout.Direction.TopToBottom, QBoxLayout.Direction.LeftToRight
        self._head.setDirection(down if narrow else across)
        for card in self.cards:
            card.set_narrow(narrow)
        self.get_panel.set_narrow(narrow)

    def _fill(self) -> None:
        for card in self.cards:
            self._list.removeWidget(card)
            card.hide()
            card.deleteLater()
        current = self._models.current().id
        self.cards = [ModelCard(model, model.id == current, self._theme) for model in self._models.models()]
        for card in self.cards:
            card.use_requested.connect(self._models.select)
            card.forget_requested.connect(self._forget)
            self._list.addWidget(card)
        self._explain()
        self._place()

    def _mark(self, current: InstalledModel) -> None:
        for card in self.cards:
            card.set_current(card.model.id == current.id)
        self._explain()

    def _explain(self) -> None:
        current = self._models.current()
        for card in self.cards:
            runs = card.model.id == current.id and card.model.name == self._state.model_name
            card.set_explanation(self._state.explanation if runs else "")

    def _forget(self, model_id: str) -> None:
        model = next(model for model in self._models.models() if model.id == model_id)
        question = Question(
            self._theme,
            self.tr("Forget {model}?").format(model=model.name),
            self.tr("It goes off this list. The file stays where it is, and you can add it again."),
            self.tr("Forget"),
            self,
        )
        question.accepted.connect(lambda: self._models.forget(model_id))
        question.finished.connect(question.deleteLater)
        question.open()
