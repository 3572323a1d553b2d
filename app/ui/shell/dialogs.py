"""Questions the window asks before something leaves the program or the library."""

from pathlib import Path
from urllib.parse import urlsplit

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.ui.shell.style import scaled
from app.ui.theme import Theme

OPENED_SCHEMES = frozenset({"http", "https", "mailto"})


class Question(QDialog):
    """A heading, some words, something to look at, and buttons; Esc is "no"."""

    def __init__(self, theme: Theme, heading: str, words: str, yes: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        px = scaled(theme)
        self.setWindowTitle(heading)
        self.setModal(True)
        self.setMinimumWidth(px(440))
        self.setMaximumWidth(px(560))
        title = QLabel(heading)
        title.setProperty("kind", "heading")
        text = QLabel(words)
        text.setProperty("kind", "muted")
        for label in (title, text):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.yes_button = QPushButton(yes)
        self.yes_button.setProperty("kind", "primary")
        self.yes_button.clicked.connect(self.accept)
        self.no_button = QPushButton(self.tr("Cancel"))
        self.no_button.clicked.connect(self.reject)
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(px(8))
        self.buttons.addStretch(1)
        self.buttons.addWidget(self.no_button)
        self.buttons.addWidget(self.yes_button)
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(px(24), px(22), px(24), px(20))
        self.rows.setSpacing(px(10))
        self.rows.addWidget(title)
        self.rows.addWidget(text)
        self.rows.addSpacing(px(6))
        self.rows.addLayout(self.buttons)
        self.yes_button.setDefault(True)
        self.yes_button.setFocus()


class LinkQuestion(Question):
    """Shows the whole address of a link before the browser or the mail program opens it."""

    def __init__(self, theme: Theme, address: str, parent: QWidget | None = None) -> None:
        mail = urlsplit(address).scheme == "mailto"
        super().__init__(
            theme,
            self.tr("Write to this address?") if mail else self.tr("Open this address in your browser?"),
            self.tr("Your mail program opens. Alcove sends nothing itself.")
            if mail
            else self.tr("Your browser goes online for it. Alcove itself stays offline."),
            self.tr("Open"),
            parent,
        )
        px = scaled(theme)
        shown = QLabel(shown_address(address))
        shown.setObjectName("address")
        shown.setAccessibleName(address)
        shown.setFont(theme.mono())
        shown.setWordWrap(True)
        shown.setTextFormat(Qt.TextFormat.PlainText)
        shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        shown.setMinimumWidth(px(380))
        self.rows.insertWidget(2, shown)
        self.copy_button = QPushButton(self.tr("Copy address"))
        self.copy_button.setProperty("kind", "quiet")
        self.copy_button.clicked.connect(lambda: QGuiApplication.clipboard().setText(address))
        self.buttons.insertWidget(0, self.copy_button)


def shown_address(address: str) -> str:
    """An address with places to break it, and with what could disguise it made visible."""
    # Characters that turn the writing direction or have no width would let one address look like another.
    visible = "".join(c if c.isprintable() else f"%{ord(c):02X}" for c in address)
    for mark in "/?&=#":
        visible = visible.replace(mark, f"{mark}\u200b")
    return visible


def open_link(theme: Theme, address: str, parent: QWidget) -> LinkQuestion | None:
    """Ask, then hand the address to the desktop. Other schemes are never opened: None."""
    if urlsplit(address).scheme.lower() not in OPENED_SCHEMES:
        return None
    question = LinkQuestion(theme, address, parent)
    question.accepted.connect(lambda: QDesktopServices.openUrl(QUrl(address)))
    question.finished.connect(question.deleteLater)
    question.open()
    return question


def ask_for_model_file(parent: QWidget) -> Path | None:
    """The file that the user chooses; None when there is none."""
    chosen, _ = QFileDialog.getOpenFileName(
        parent,
        parent.tr("Add a GGUF file"),
        "",
        parent.tr("GGUF models (*.gguf)") + ";;" + parent.tr("All files (*)"),
    )
    return Path(chosen) if chosen else None
