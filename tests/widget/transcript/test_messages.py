"""What each message shows and what its buttons do, by mouse and keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from app.domain.conversation import ToolCall
from app.domain.generation import FinishReason
from app.ui.transcript import wording
from app.ui.transcript.entry import Section
from app.ui.transcript.view import TranscriptView
from tests.widget.transcript.conftest import Reader, answer, tool_result, user

CODE = "Run this:\n\n```python\nprint('hello')\n```\n\nand this:\n\n```\nplain\n```"


def test_a_question_and_an_answer(view: TranscriptView, reader: Reader) -> None:
    view.show_path((user(1, "Why *this*?"), answer(2, "# Because\n\n- of **that**", 1)))
    assert reader.texts() == ["Why *this*?", "Because", "of that"]


def test_a_bubble_lies_right_and_an_answer_left(view: TranscriptView, reader: Reader) -> None:
    view.show_path((user(1, "Hi"), answer(2, "Hello there", 1)))
    left = view.left
    assert reader.point("Hello", 0).x() == pytest.approx(left, abs=3)
    assert reader.point("Hi", 1).x() == pytest.approx(left + view.column.width - 16, abs=4)


@pytest.mark.parametrize(("window", "text"), [(900, 760), (1600, 760), (480, 448)])
def test_lines_stay_readable_in_every_window(make_view: object, qtbot: QtBot, window: int, text: int) -> None:
    view = make_view(window)  # type: ignore[operator]
    view.show_path((answer(1, "word " * 200),))
    bar = view.verticalScrollBar().sizeHint().width()
    assert abs(view.column.width - text) <= bar


def test_the_copy_button_of_code_copies_the_code(view: TranscriptView, reader: Reader, qtbot: QtBot) -> None:
    view.show_path((answer(1, CODE),))
    with qtbot.waitSignal(view.copy_requested) as copied:
        reader.click(1, "code", Section.ANSWER, 1)
    assert copied.args == ["print('hello')"]
    assert QGuiApplication.clipboard().text() == "print('hello')"
    assert reader.button(1, "code", Section.ANSWER, 1).text() == "Copied"
    assert reader.button(1, "code", Section.ANSWER, 3).text() == "Copy"
    qtbot.waitUntil(lambda: reader.button(1, "code", Section.ANSWER, 1).text() == "Copy", timeout=5000)


def test_code_that_turns_the_writing_direction_is_shown_and_copied_as_it_is(
    view: TranscriptView, reader: Reader
) -> None:
    view.show_path((answer(1, "```\na\u202eb\n```"),))
    placed, _ = reader.placed("[U+202E]")
    assert placed.document.toPlainText() == "a[U+202E]b"
    reader.click(1, "code", Section.ANSWER, 0)
    assert QGuiApplication.clipboard().text() == "a\u202eb"


def test_an_answer_is_copied_as_markdown(view: TranscriptView, reader: Reader) -> None:
    view.show_path((user(1, "q"), answer(2, "a **b**", 1, reasoning="secret")))
    reader.click(2, "copy")
    assert QGuiApplication.clipboard().text() == "a **b**"
    reader.click(1, "copy")
    assert QGuiApplication.clipboard().text() == "q"


def test_reasoning_is_folded_and_opens_by_mouse_and_keys(view: TranscriptView, reader: Reader, qtbot: QtBot) -> None:
    view.show_path((answer(1, "Yes.", reasoning="Is it so?", reasoning_s=3.2),))
    assert reader.texts() == ["Yes."]
    fold = reader.button(1, "fold")
    assert (fold.text(), fold.accessibleName()) == ("Thought for 3 s", "Thought for 3 s, folded")
    reader.click(1, "fold")
    assert reader.texts() == ["Is it so?", "Yes."]
    assert fold.accessibleName() == "Thought for 3 s, open"
    fold.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(fold, Qt.Key.Key_Space)
    assert reader.texts() == ["Yes."]


def test_folding_keeps_the_title_under_the_mouse(view: TranscriptView, reader: Reader) -> None:
    view.show_path(
        (answer(1, "word " * 900), answer(2, "word " * 100, 1, reasoning="thought\n\n" * 30), answer(3, "end", 2))
    )
    y = reader.button(2, "fold").y()
    reader.click(2, "fold")
    assert reader.button(2, "fold").y() == y
    assert not view.following


def test_commentary_and_tool_calls_are_shown_apart(view: TranscriptView, reader: Reader) -> None:
    call = ToolCall("get_weather", '{"city":"Berlin"}')
    view.show_path(
        (answer(1, "It is warm.", commentary="Let me look.", calls=(call,)), tool_result(2, "21", "get_weather"))
    )
    assert reader.texts() == ["Let me look.", '{"city": "Berlin"}', "It is warm."]
    placed, _ = reader.placed("Berlin")
    assert placed.block.label == "get_weather"
    assert reader.button(1, "code", Section.CALLS, 0).accessibleName() == "Copy the get_weather code"
    assert reader.button(2, "fold").text() == "Result of get_weather"
    reader.click(2, "fold")
    assert reader.texts()[-1] == "21"


def test_regenerate_and_edit_ask(view: TranscriptView, reader: Reader, qtbot: QtBot) -> None:
    view.show_path((user(1, "q"), answer(2, "a", 1), user(3, "r", 2), answer(4, "b", 3)))
    for node, action, signal in (
        (2, "regenerate", view.regenerate_requested),
        (4, "regenerate", view.regenerate_requested),
        (1, "edit", view.edit_requested),
    ):
        with qtbot.waitSignal(signal) as asked:
            reader.click(node, action)
        assert asked.args == [node]
    assert view.button(1, "regenerate") is None
    assert view.button(2, "edit") is None


def test_arrows_walk_through_versions(view: TranscriptView, reader: Reader, qtbot: QtBot) -> None:
    view.show_path((user(1, "q"), answer(5, "b", 1)), lambda node: (2, 5, 9) if node == 5 else (node,))
    assert reader.button(5, "version").text() == "2 of 3"
    assert view.button(1, "version") is None
    for action, sibling in (("previous", 2), ("next", 9)):
        with qtbot.waitSignal(view.version_requested) as asked:
            reader.click(5, action)
        assert asked.args == [sibling]


@pytest.mark.parametrize(("node", "ends"), [(2, "previous"), (9, "next")])
def test_the_first_and_the_last_version_are_the_ends(
    view: TranscriptView, reader: Reader, node: int, ends: str
) -> None:
    view.show_path((answer(node, "b"),), lambda _: (2, 5, 9))
    assert not reader.button(node, ends).isEnabled()


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (FinishReason.STOP, ""),
        (FinishReason.TOOL_CALL, ""),
        (FinishReason.CANCELLED, "Stopped"),
        (FinishReason.LENGTH, "Cut short: there was no room for more"),
        (FinishReason.ERROR, "Cut short: the model stopped with an error"),
    ],
)
def test_an_interrupted_answer_says_so(view: TranscriptView, reason: FinishReason, text: str) -> None:
    node = answer(1, "half", reason=reason)
    view.show_path((node,))
    assert wording.interruption(node) == text
    assert (view.column.laid(0).mark is not None) is bool(text)


def test_an_answer_cut_by_a_crash_says_so(view: TranscriptView) -> None:
    node = answer(1, "half", complete=False, reason=None)
    view.show_path((node,))
    assert wording.interruption(node) == "Cut short"
    assert view.column.laid(0).mark is not None


def test_the_receipt_is_one_line(view: TranscriptView) -> None:
    node = answer(1, "done")
    assert node.receipt is not None
    assert wording.receipt_line(node.receipt) == "12 tokens/s  ·  50 tokens  ·  4.5 s"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "a moment"), (3.4, "3 s"), (59.6, "1 min"), (65, "1 min 5 s"), (120, "2 min")]
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("reasoning", "line"),
    [
        ("", ""),
        ("The user", "The user"),
        ("First. Second. Thi", "Second."),
        ("First.\n\n- **Second** thing", "First."),
        ("One.\n- **Second** thing\n", "Second thing"),
    ],
)
def test_the_summary_is_the_last_whole_sentence(reasoning: str, line: str) -> None:
    assert wording.summary(reasoning) == line


def test_links_are_asked_for_and_never_opened(view: TranscriptView, reader: Reader, qtbot: QtBot) -> None:
    view.show_path((answer(1, "see [the docs](https://example.org/a?b=c) now"),))
    with qtbot.waitSignal(view.link_activated) as asked:
        reader.click_at(reader.point("the docs"))
    assert asked.args == ["https://example.org/a?b=c"]
    with qtbot.assertNotEmitted(view.link_activated, wait=50):
        reader.click_at(reader.point("see"))
        reader.drag(reader.point("the docs", 0.1), reader.point("now"))


def test_the_address_of_a_link_is_shown_under_the_mouse(view: TranscriptView, reader: Reader, qtbot: QtBot) -> None:
    view.show_path((answer(1, "see [the docs](https://example.org/a) now"),))
    qtbot.mouseMove(view.viewport(), reader.point("the docs"))
    qtbot.waitUntil(lambda: view.viewport().toolTip() == "https://example.org/a")
    assert view.viewport().cursor().shape() == Qt.CursorShape.PointingHandCursor


def test_tab_leads_through_the_buttons_in_reading_order(view: TranscriptView, qtbot: QtBot) -> None:
    view.show_path((user(1, "q"), answer(2, CODE, 1, reasoning="hm")))
    view.activateWindow()
    view.setFocus()
    names: list[str] = []
    for _ in range(7):
        widget = view.focusWidget()
        assert widget is not None
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
        focus = view.focusWidget()
        assert focus is not None
        names.append(focus.accessibleName())
    assert names == [
        "Copy your message", "Edit your message", "Thoughts, folded", "Copy the python code", "Copy the code",
        "Copy the answer", "Answer again",
    ]  # fmt: skip


def test_the_focus_is_seen(view: TranscriptView, reader: Reader, qtbot: QtBot) -> None:
    view.show_path((answer(1, "a"),))
    button = reader.button(1, "copy")
    before = button.grab().toImage()
    button.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(button.hasFocus)
    ring = button.grab().toImage()
    assert ring != before
    colours = {ring.pixelColor(x, 1).name() for x in range(ring.width())}
    assert view.theme.colours.focus in colours


def test_the_menu_copies_link_and_message(view: TranscriptView, reader: Reader) -> None:
    view.show_path((answer(1, "see [the docs](https://example.org/a)"),))
    menu = view.message_actions.menu(reader.point("the docs"))
    actions = {action.text(): action for action in menu.actions()}
    assert not actions["Copy"].isEnabled()
    actions["Copy link address"].trigger()
    assert QGuiApplication.clipboard().text() == "https://example.org/a"
    actions["Copy message"].trigger()
    assert QGuiApplication.clipboard().text() == "see [the docs](https://example.org/a)"
    menu = view.message_actions.menu(QPoint(2, 2))
    assert "Copy link address" not in [action.text() for action in menu.actions()]


def test_long_code_scrolls_by_itself(view: TranscriptView, reader: Reader, qtbot: QtBot) -> None:
    from PySide6.QtCore import QPointF
    from PySide6.QtGui import QWheelEvent
    from PySide6.QtWidgets import QApplication

    view.show_path((answer(1, "```\n" + "x" * 400 + "\n```\n\n" + "word " * 3000),))
    view.verticalScrollBar().setValue(0)
    placed, origin = reader.placed("xxx")
    assert placed.overflow > 0
    point = origin + placed.frame.center()

    def wheel(dx: int) -> None:
        event = QWheelEvent(
            point, QPointF(view.mapToGlobal(point)), QPoint(), QPoint(dx, 0), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(view.viewport(), event)

    wheel(-240)
    assert placed.scroll == 120
    assert view.verticalScrollBar().value() == 0
    wheel(-100_000)
    assert placed.scroll == placed.overflow
    wheel(100_000)
    assert placed.scroll == 0


def test_a_theme_reaches_what_is_shown(view: TranscriptView, reader: Reader) -> None:
    from app.ui.theme import Theme

    view.show_path((user(1, "q"), answer(2, CODE, 1)))
    light = view.grab().toImage().pixelColor(4, 4).name()
    view.set_theme(Theme.for_palette(True))
    dark = view.grab().toImage().pixelColor(4, 4).name()
    assert (light, dark) == ("#ffffff", view.theme.colours.page)
    assert reader.texts()[0] == "q"


def test_a_larger_scale_makes_it_larger(view: TranscriptView, reader: Reader) -> None:
    from app.ui.theme import Theme

    view.show_path((answer(1, "word " * 300),))
    before = view.column.height
    view.set_theme(Theme.for_palette(False, 2.0))
    assert view.column.height > 2 * before


def test_lists_begin_on_the_side_where_their_text_begins(view: TranscriptView, reader: Reader) -> None:
    view.show_path((answer(1, "- الأول\n- English"),))
    right, left = view.column.laid(0).placed
    assert right.block.right_to_left
    assert (right.frame.left(), right.frame.right()) == (0, view.column.width - 28)
    assert (left.frame.left(), left.frame.right()) == (28, view.column.width)
    picture = view.viewport().grab().toImage()
    edge = int(view.left)

    def marks(x: int, y: float) -> bool:
        row = range(int(y), int(y) + 20)
        return any(picture.pixelColor(edge + x + i, j).lightness() < 200 for i in range(24) for j in row)

    width = int(view.column.width)
    top = view.column.top(0)
    assert marks(width - 24, top)
    assert not marks(0, top)
    assert marks(0, top + left.frame.y())


def test_text_does_not_move_when_the_scroll_bar_comes(view: TranscriptView, qtbot: QtBot) -> None:
    view.show_path((answer(1, "short"),))
    before = view.left, view.column.width
    view.add_node(answer(2, "long\n\n" * 100))
    qtbot.waitUntil(view.verticalScrollBar().isVisible)
    assert (view.left, view.column.width) == before
