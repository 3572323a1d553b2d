"""The line above the transcript: title, and which model answers."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QActionGroup, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QWidget

from app.hub.library import InstalledModel
from app.ui.icons import icon
from app.ui.shell.elided_label import ElidedLabel
from app.ui.shell.menu_button import MenuButton
from app.ui.shell.style import restyle, scaled
from app.ui.theme import Theme


class ChatHeader(QWidget):
    """Shows the chat list when it is away, the title, and the menu of installed models."""

    list_requested = Signal()
    new_requested = Signal()
    model_chosen = Signal(str)
    add_file_requested = Signal()
    models_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("header")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.list_button = self._button(self.tr("Show the chat list"), self.tr("Show the chat list (Ctrl+B)"))
        self.list_button.clicked.connect(self.list_requested)
        self.new_button = self._button(self.tr("New chat"), self.tr("New chat (Ctrl+N)"))
        self.new_button.clicked.connect(self.new_requested)
        self.title = ElidedLabel()
        self.title.setObjectName("headerTitle")
        self.model_button = MenuButton(theme)
        self.model_button.setObjectName("modelButton")
        self.model_button.setToolTip(self.tr("Which model answers"))
        self.model_button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.menu = self.model_button.popup_menu
        self.menu.setToolTipsVisible(True)
        self._row = QHBoxLayout(self)
        self._row.addWidget(self.list_button)
        self._row.addWidget(self.new_button)
        self._row.addWidget(self.title, 1)
        self._row.addStretch(0)
        self._row.addWidget(self.model_button)
        self.set_list_shown(True)
        self.set_theme(theme)

    def set_list_shown(self, shown: bool) -> None:
        """While the chat list is away its buttons are here."""
        self.list_button.setVisible(not shown)
        self.new_button.setVisible(not shown)

    def set_scrolled(self, scrolled: bool) -> None:
        """Draw a line where text disappears below the header."""
        restyle(self, "scrolled", scrolled)

    def set_models(self, models: tuple[InstalledModel, ...], current: InstalledModel) -> None:
        """Fill the menu; ``current`` is checked."""
        self.model_button.setText(current.name)
        self.model_button.updateGeometry()
        self.model_button.setAccessibleName(self.tr("Model: {name}").format(name=current.name))
        self.menu.clear()
        for old in self.menu.findChildren(QActionGroup):
            old.deleteLater()
        group = QActionGroup(self.menu)
        for model in models:
            action = self.menu.addAction(model.name)
            action.setCheckable(True)
            action.setChecked(model.id == current.id)
            action.setToolTip(str(model.path))
            action.triggered.connect(lambda _=False, chosen=model.id: self.model_chosen.emit(chosen))
            group.addAction(action)
        self.menu.addSeparator()
        self.menu.addAction(self.tr("Add a GGUF file…")).triggered.connect(self.add_file_requested)
        self.menu.addAction(self.tr("All models…")).triggered.connect(self.models_requested)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        px = scaled(theme)
        self._row.setContentsMargins(px(16), px(8), px(12), px(8))
        self._row.setSpacing(px(6))
        muted = theme.colours.muted
        for button, name in ((self.list_button, "sidebar"), (self.new_button, "new-chat")):
            button.setIcon(icon(name, muted, px(18)))
            button.setIconSize(QSize(px(18), px(18)))
        self.model_button.set_theme(theme)
        self.setMinimumHeight(px(48))
        self._room_for_title = px(340)
        self.title.setVisible(self.width() >= self._room_for_title)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.title.setVisible(event.size().width() >= self._room_for_title)

    def _button(self, name: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setAccessibleName(name)
        button.setToolTip(tip)
        return button
