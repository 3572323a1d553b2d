"""What the window asks before an address is opened."""

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from app.ui.shell.dialogs import open_link, shown_address
from app.ui.theme import Theme

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def parent(qtbot: QtBot) -> QWidget:
    """A window to ask in."""
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.resize(800, 600)
    parent.show()
    return parent


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been given to the desktop."""
    addresses: list[str] = []

    def take(url: QUrl) -> bool:
        addresses.append(url.toString())
        return True

    monkeypatch.setattr(QDesktopServices, "openUrl", take)
    return addresses


def test_the_whole_address_is_shown_and_opened_when_agreed(
    qtbot: QtBot, theme: Theme, parent: QWidget, opened: list[str]
) -> None:
    address = "https://example.org/a/very/long/path?with=a&query=" + "x" * 300
    question = open_link(theme, address, parent)
    assert question is not None
    shown = question.findChild(QLabel, "address")
    assert isinstance(shown, QLabel)
    assert shown.text().replace("\u200b", "") == address
    assert opened == []
    qtbot.mouseClick(question.yes_button, LEFT)
    assert opened == [address]


def test_nothing_is_opened_when_it_is_called_off(
    qtbot: QtBot, theme: Theme, parent: QWidget, opened: list[str]
) -> None:
    question = open_link(theme, "https://example.org", parent)
    assert question is not None
    qtbot.mouseClick(question.copy_button, LEFT)
    assert QGuiApplication.clipboard().text() == "https://example.org"
    qtbot.keyClick(question, Qt.Key.Key_Escape)
    assert not question.isVisible()
    assert opened == []


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "smb://host/share", "javascript:alert(1)", "data:text/html,x", "/etc/passwd", ""]
)
def test_other_schemes_are_never_opened(theme: Theme, parent: QWidget, opened: list[str], address: str) -> None:
    assert open_link(theme, address, parent) is None
    assert opened == []


def test_what_would_disguise_an_address_is_made_visible() -> None:
    assert shown_address("https://a\u202eb.org\u200b") == "https:/\u200b/\u200ba%202Eb.org%200B"
