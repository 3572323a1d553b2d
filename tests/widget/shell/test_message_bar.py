"""The bar for problems and for what can be undone."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.domain.errors import ErrorCode, UserError
from app.ui.shell.message_bar import MessageBar, Notice
from app.ui.theme import Theme

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def bar(qtbot: QtBot, theme: Theme) -> MessageBar:
    """A bar with nothing to say."""
    QCursor.setPos(0, 0)
    bar = MessageBar(theme)
    qtbot.addWidget(bar)
    bar.setGeometry(100, 300, 600, 60)  # the mouse is elsewhere: under it a notice stays
    return bar


def words(bar: MessageBar) -> list[str]:
    """What can be read."""
    return [label.text() for label in bar.findChildren(QLabel) if label.isVisible() and label.text()]


def test_a_problem_says_what_and_what_to_do(qtbot: QtBot, bar: MessageBar) -> None:
    assert not bar.isVisible()
    with qtbot.waitSignal(bar.shown_changed) as shown:
        bar.show_error(UserError(ErrorCode.NOT_A_GGUF, path="/tmp/notes.txt"))
    assert shown.args == [True]
    assert words(bar) == [
        "/tmp/notes.txt is not a GGUF model file.",
        "Choose a file whose name ends in .gguf, for example gpt-oss-20b.",
    ]
    assert "notes.txt" in bar.accessibleName()
    assert not bar.action_button.isVisible()
    with qtbot.waitSignal(bar.shown_changed) as shown:
        qtbot.mouseClick(bar.close_button, LEFT)
    assert shown.args == [False]
    assert not bar.isVisible()


def test_text_from_outside_is_never_markup(bar: MessageBar) -> None:
    bar.show_error(UserError(ErrorCode.FILE_NOT_FOUND, path="<b>x</b><img src='file:///etc/passwd'>"))
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in bar.findChildren(QLabel) if label.text())


def test_an_action_acts_once_and_closes(qtbot: QtBot, bar: MessageBar) -> None:
    done: list[str] = []
    bar.show_notice(Notice("deleted", problem=False, action="Undo", act=lambda: done.append("undone")))
    assert bar.action_button.text() == "Undo"
    qtbot.mouseClick(bar.action_button, LEFT)
    assert done == ["undone"]
    assert not bar.isVisible()


def test_closing_shows_the_problem_before_and_a_repeated_one_once(qtbot: QtBot, bar: MessageBar) -> None:
    for text in ("first", "second", "first"):
        bar.show_notice(Notice(text))
    assert words(bar) == ["first"]
    qtbot.mouseClick(bar.close_button, LEFT)
    assert words(bar) == ["second"]
    qtbot.mouseClick(bar.close_button, LEFT)
    assert not bar.isVisible()


def test_a_passing_notice_goes_by_itself_and_gives_way(qtbot: QtBot, bar: MessageBar) -> None:
    bar.set_passing_time(30)
    bar.show_notice(Notice("deleted one", problem=False, stays=False))
    bar.show_notice(Notice("deleted two", problem=False, stays=False))
    assert words(bar) == ["deleted two"]
    qtbot.waitUntil(lambda: not bar.isVisible())
    assert bar.notice is None


def test_a_problem_stays(qtbot: QtBot, bar: MessageBar) -> None:
    bar.set_passing_time(1)
    bar.show_notice(Notice("a problem"))
    bar.show_notice(Notice("passing", problem=False, stays=False))
    qtbot.waitUntil(lambda: words(bar) == ["a problem"])
    assert bar.isVisible()
