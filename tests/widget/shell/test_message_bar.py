"""The bar for problems and for what can be undone."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.domain.errors import ErrorCode, UserError
from app.ui.shell.message_bar import MessageBar, Notice
from app.ui.shell.style import shell_sheet
from app.ui.theme import Theme, apply_theme

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


# ---- Little room ----

LOST = UserError(ErrorCode.ENGINE_DIED, reason="signal SIGKILL")


def problem(
    qtbot: QtBot, qapp: QApplication, scale: float, width: int, height: int = 700
) -> tuple[MessageBar, QWidget]:
    """A bar above something else in a window of this size, which tells of an engine that died."""
    theme = Theme.for_palette(dark=False, scale=scale)
    apply_theme(qapp, theme, shell_sheet(theme))
    window = QWidget()
    qtbot.addWidget(window)
    bar = MessageBar(theme)
    rows = QVBoxLayout(window)
    rows.setContentsMargins(0, 0, 0, 0)
    rows.addWidget(bar)
    rows.addWidget(QWidget(), 1)
    window.resize(width, height)
    bar.set_most(height // 4)
    bar.show_error(LOST, "Reload and continue", lambda: None)
    window.show()
    qtbot.waitExposed(window)
    return bar, window


@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize("width", [404, 620, 1056])
def test_nothing_of_it_is_cut_at_any_size(qtbot: QtBot, qapp: QApplication, scale: float, width: int) -> None:
    bar, _ = problem(qtbot, qapp, scale, width)
    inside = bar.words.widget()
    assert inside is not None
    button = bar.action_button

    def all_there() -> bool:
        labels = [label for label in inside.findChildren(QLabel) if label.isVisible()]
        return (
            all(label.height() >= label.heightForWidth(label.width()) for label in labels)
            and button.width() >= button.sizeHint().width()
            and bar.rect().contains(button.geometry())
            and bar.rect().contains(bar.close_button.geometry())
            and not button.geometry().intersects(bar.words.geometry())
        )

    qtbot.waitUntil(all_there)
    # All words are in sight, or scroll within the share of the window that they may have.
    seen = bar.words.viewport().height()
    assert seen >= inside.height() or seen == 700 // 4


def test_the_button_is_beside_the_words_only_where_they_have_room(qtbot: QtBot, qapp: QApplication) -> None:
    bar, window = problem(qtbot, qapp, 1.0, 1000)
    words, button = bar.words, bar.action_button
    qtbot.waitUntil(lambda: words.geometry().right() < button.x())
    window.resize(404, 700)
    qtbot.waitUntil(lambda: words.geometry().bottom() < button.y())
    window.resize(1000, 700)
    qtbot.waitUntil(lambda: words.geometry().right() < button.x())


def test_words_that_scroll_are_reached_with_the_keyboard(qtbot: QtBot, qapp: QApplication) -> None:
    bar, window = problem(qtbot, qapp, 2.0, 404)
    scrolled = bar.words.verticalScrollBar()
    qtbot.waitUntil(lambda: scrolled.maximum() > 0)
    window.activateWindow()
    bar.close_button.setFocus()
    qtbot.waitUntil(bar.close_button.hasFocus)
    for _ in range(3):
        qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Tab)
        if bar.words.hasFocus():
            break
    assert bar.words.hasFocus()
    qtbot.keyClick(bar.words, Qt.Key.Key_PageDown)
    assert scrolled.value() > 0
    bar.show_notice(Notice("short"))
    qtbot.waitUntil(lambda: scrolled.maximum() == 0)
    assert bar.words.focusPolicy() is Qt.FocusPolicy.NoFocus


def test_what_can_be_done_is_done_by_key(qtbot: QtBot, qapp: QApplication) -> None:
    bar, window = problem(qtbot, qapp, 1.0, 1000)
    done: list[str] = []
    bar.show_notice(Notice("gone", action="Undo", act=lambda: done.append("undone")))
    window.activateWindow()
    bar.action_button.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(bar.action_button.hasFocus)
    qtbot.keyClick(bar.action_button, Qt.Key.Key_Space)
    assert done == ["undone"]
