"""One installed model."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.hub.library import InstalledModel
from app.ui.models.sizes import context_in_words, size_in_words
from app.ui.shell.elided_label import ElidedLabel
from app.ui.shell.style import restyle, scaled
from app.ui.theme import Theme


class Badge(QLabel):
    """A short word about a model; ``tone`` is "", "good" or "bad"."""

    def __init__(self, words: str, tone: str = "") -> None:
        super().__init__(words)
        self.setObjectName("badge")
        self.setProperty("tone", tone)


class ModelCard(QFrame):
    """Name, facts, place and badges of a model, with "Use" and "Forget"."""

    use_requested = Signal(str)
    forget_requested = Signal(str)

    def __init__(self, model: InstalledModel, current: bool, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("modelCard")
        self.model = model
        self.setAccessibleName(model.name)
        self._name = ElidedLabel(model.name)
        self._name.setObjectName("modelName")
        self._facts = QLabel(" · ".join(self._facts_of(model)))
        self._facts.setWordWrap(True)
        self._facts.setProperty("kind", "muted")
        self._place = ElidedLabel(self.tr("Comes with Alcove") if model.builtin else str(model.path))
        self._place.mode = Qt.TextElideMode.ElideMiddle
        self._place.setProperty("kind", "caption")
        self._why = QLabel()
        self._why.setWordWrap(True)
        self._why.setTextFormat(Qt.TextFormat.PlainText)
        self._why.setProperty("kind", "muted")
        self._why.hide()
        self._badges = QHBoxLayout()
        self._current = Badge(self.tr("In use"), "good")
        for badge in (self._current, *self._badges_of(model)):
            self._badges.addWidget(badge)
        self.use_button = QPushButton(self.tr("Use"))
        self.use_button.setAccessibleName(self.tr("Use {model}").format(model=model.name))
        self.use_button.setEnabled(not (model.missing or model.broken))
        self.use_button.clicked.connect(lambda: self.use_requested.emit(model.id))
        self.forget_button = QPushButton(self.tr("Forget"))
        self.forget_button.setProperty("kind", "quiet")
        self.forget_button.setAccessibleName(self.tr("Forget {model}").format(model=model.name))
        self.forget_button.setToolTip(self.tr("Take it off the list; the file stays where it is"))
        self.forget_button.clicked.connect(lambda: self.forget_requested.emit(model.id))

        self._badges.addStretch(1)
        self._head = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._head.addWidget(self._name)
        self._head.addLayout(self._badges, 1)
        words = QVBoxLayout()
        words.addLayout(self._head)
        words.addWidget(self._facts)
        words.addWidget(self._why)
        words.addWidget(self._place)
        self._words = words
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.addLayout(words, 1)
        self._row.addWidget(self.forget_button, 0, Qt.AlignmentFlag.AlignVCenter)
        self._row.addWidget(self.use_button, 0, Qt.AlignmentFlag.AlignVCenter)
        self.forget_button.setVisible(not model.builtin)
        self.set_current(current)
        self.set_theme(theme)

    def set_current(self, current: bool) -> None:
        """Mark it as the model that answers."""
        self._current.setVisible(current)
        self.use_button.setVisible(not current)
        restyle(self, "current", current)

    @property
    def explanation(self) -> str:
        """Where and how it runs, as the card says it."""
        return self._why.text()

    def set_explanation(self, why: str) -> None:
        """Say where and how it runs; "" says nothing."""
        self._why.setText(why)
        self._why.setVisible(bool(why))

    def set_narrow(self, narrow: bool) -> None:
        """Badges and buttons stand below the words."""
        direction = QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight
        self._head.setDirection(direction)
        self._row.setDirection(direction)
        align = Qt.AlignmentFlag.AlignLeading if narrow else Qt.AlignmentFlag.AlignVCenter
        for button in (self.forget_button, self.use_button):
            self._row.setAlignment(button, align)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        px = scaled(theme)
        self._row.setContentsMargins(px(18), px(14), px(14), px(14))
        self._row.setSpacing(px(8))
        self._words.setSpacing(px(3))
        self._head.setSpacing(px(8))
        self._badges.setSpacing(px(6))

    def _facts_of(self, model: InstalledModel) -> tuple[str, ...]:
        locale = self.locale()
        context = self.tr("{length} context").format(length=context_in_words(model.trained_context, locale))
        return tuple(
            fact
            for fact in (
                model.architecture,
                model.quantization,
                size_in_words(model.size_bytes, locale) if model.size_bytes else "",
                context if model.trained_context else "",
            )
            if fact
        )

    def _badges_of(self, model: InstalledModel) -> tuple[Badge, ...]:
        badges: list[Badge] = []
        if model.builtin:
            badges.append(Badge(self.tr("Built in")))
        if model.missing:
            badges.append(Badge(self.tr("File is missing"), "bad"))
        elif model.broken:
            badges.append(Badge(self.tr("Damaged file"), "bad"))
        elif not (model.speaks_harmony or model.has_chat_template):
            badges.append(Badge(self.tr("Not made for chatting"), "bad"))
        return tuple(badges)
