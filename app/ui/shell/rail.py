"""The rail at the window's edge: which pane is shown."""

from enum import Enum

from PySide6.QtCore import QCoreApplication, QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QToolButton, QVBoxLayout, QWidget

from app.ui.icons import icon
from app.ui.theme import Theme

LARGEST = 1.3


class Pane(Enum):
    """What the window can show; the value is its icon."""

    CHAT = "chat"
    MODELS = "models"
    SETTINGS = "settings"


def pane_name(pane: Pane) -> str:
    """The word for a pane."""
    match pane:
        case Pane.CHAT:
            return QCoreApplication.translate("Rail", "Chat")
        case Pane.MODELS:
            return QCoreApplication.translate("Rail", "Models")
        case Pane.SETTINGS:
            return QCoreApplication.translate("Rail", "Settings")


class Rail(QWidget):
    """One button a pane; the shown one is checked."""

    chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rail")
        self.setProperty("kind", "rail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(self.tr("Panes"))
        self._layout = QVBoxLayout(self)
        self._group = QButtonGroup(self)
        self.buttons: dict[Pane, QToolButton] = {}
        for number, pane in enumerate(Pane, start=1):
            button = QToolButton()
            button.setCheckable(True)
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.setAccessibleName(pane_name(pane))
            button.setToolTip(self.tr("{pane} (Ctrl+{number})").format(pane=pane_name(pane), number=number))
            button.clicked.connect(lambda _=False, chosen=pane: self.chosen.emit(chosen))
            button.toggled.connect(self._tint)
            self._group.addButton(button)
            self.buttons[pane] = button
            if pane is Pane.SETTINGS:
                self._layout.addStretch(1)
            self._layout.addWidget(button)
        self.set_theme(theme)

    def show_pane(self, pane: Pane) -> None:
        """Mark this pane as the shown one."""
        self.buttons[pane].setChecked(True)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._theme = theme
        px = self._px
        self._layout.setContentsMargins(px(8), px(10), px(8), px(10))
        self._layout.setSpacing(px(6))
        for button in self.buttons.values():
            button.setFixedSize(px(40), px(40))
            button.setIconSize(QSize(px(21), px(21)))
        self._tint()

    def _px(self, distance: float) -> int:
        """The rail has no text, and takes its room from those who need it more."""
        return round(distance * min(self._theme.scale, LARGEST))

    def _tint(self) -> None:
        size = self._px(21)
        for pane, button in self.buttons.items():
            colours = self._theme.colours
            button.setIcon(icon(pane.value, colours.accent if button.isChecked() else colours.muted, size))
