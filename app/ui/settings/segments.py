"""A few choices side by side, of which one is pressed."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QBoxLayout, QButtonGroup, QFrame, QPushButton, QSizePolicy, QWidget

from app.domain.setting import Choice
from app.ui.shell.style import scaled
from app.ui.theme import Theme


class SegmentButton(QPushButton):
    """Keeps room for its bold face, so that nothing moves when it is chosen."""

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        font = self.font()
        font.setBold(True)
        return QSize(hint.width() + self.fontMetrics().averageCharWidth(), hint.height())


class Segments(QFrame):
    """``chosen(str)``: the value of the choice that was clicked; the arrow keys go through them."""

    chosen = Signal(str)

    def __init__(self, choices: tuple[tuple[Choice, str], ...], theme: Theme, parent: QWidget | None = None) -> None:
        """``choices`` with their words in the interface's language."""
        super().__init__(parent)
        self.setObjectName("segments")
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setSpacing(0)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, SegmentButton] = {}
        for choice, words in choices:
            button = SegmentButton(words)
            button.setCheckable(True)
            button.clicked.connect(lambda _=False, value=choice.value: self.chosen.emit(value))
            self._group.addButton(button)
            self._row.addWidget(button)
            self.buttons[choice.value] = button
        self.set_theme(theme)

    def setAccessibleName(self, name: str) -> None:
        super().setAccessibleName(name)
        for button in self.buttons.values():
            button.setAccessibleName(f"{name}: {button.text()}")

    def set_value(self, value: str) -> None:
        """Press this choice."""
        self.buttons[value].setChecked(True)

    def set_room(self, room: int) -> None:
        """Stand below each other where there is not enough room (pixels) side by side."""
        margins = self._row.contentsMargins()
        wanted = sum(button.sizeHint().width() for button in self.buttons.values()) + margins.left() + margins.right()
        down, across = QBoxLayout.Direction.TopToBottom, QBoxLayout.Direction.LeftToRight
        self._row.setDirection(down if wanted > room else across)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        margin = scaled(theme)(3)
        self._row.setContentsMargins(margin, margin, margin, margin)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Up: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Down: 1}
        pressed = self._group.checkedButton()
        if event.key() not in steps or pressed is None:
            super().keyPressEvent(event)
            return
        values = list(self.buttons)
        at = next(i for i, value in enumerate(values) if self.buttons[value] is pressed)
        value = values[(at + steps[Qt.Key(event.key())]) % len(values)]
        self.buttons[value].setFocus()
        self.chosen.emit(value)
