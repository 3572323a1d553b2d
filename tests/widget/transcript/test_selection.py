"""Selecting and copying across messages, by mouse and keys."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.ui.transcript.view import TranscriptView
from tests.widget.transcript.conftest import Reader, answer, user

PATH = (
    user(1, "first question"),
    answer(2, "Intro **bold** text.\n\n1. one\n2. two\n\n```py\nx = 1\ny = 2\n```\n\n> quoted\n\nlast words", 1),
    user(3, "second question", 2),
)


def test_a_drag_across_messages_and_ctrl_c(view: TranscriptView, reader: Reader) -> None:
    view.show_path(PATH)
    reader.drag(reader.point("first", 0), reader.point("last", 1))
    assert reader.copied() == (
        "first question\n\nIntro bold text.\n\n1. one\n2. two\n\nx = 1\ny = 2\n\n> quoted\n\nlast"
    )


def test_a_drag_upwards_selects_the_same(view: TranscriptView, reader: Reader) -> None:
    view.show_path(PATH)
    reader.drag(reader.point("last", 1), reader.point("quoted", 0))
    assert reader.copied() == "> quoted\n\nlast"


def test_a_part_of_a_line(view: TranscriptView, reader: Reader) -> None:
    view.show_path(PATH)
    reader.drag(reader.point("bold", 0), reader.point("text.", 1))
    assert reader.copied() == "bold text."


def test_selected_text_is_drawn_on_its_own_ground(view: TranscriptView, reader: Reader) -> None:
    view.show_path(PATH)
    point = reader.point("bold", 0.1)

    def has_ground() -> bool:
        picture = view.viewport().grab().toImage()
        near = {picture.pixelColor(point.x() + x, point.y() + y).name() for x in range(20) for y in range(10)}
        return view.theme.colours.selection in near

    assert not has_ground()
    reader.drag(reader.point("Intro", 0), reader.point("text.", 1))
    assert has_ground()


def test_a_click_ends_the_selection(view: TranscriptView, reader: Reader) -> None:
    view.show_path(PATH)
    reader.drag(reader.point("bold", 0), reader.point("text.", 1))
    reader.click_at(reader.point("one"))
    assert view.selection is None
    assert reader.copied() == "nothing"


def test_shift_and_a_click_extend_it(view: TranscriptView, reader: Reader) -> None:
    view.show_path(PATH)
    reader.drag(reader.point("one", 0), reader.point("one", 1))
    reader.click_at(reader.point("two", 1), Qt.KeyboardModifier.ShiftModifier)
    assert reader.copied() == "1. one\n2. two"


def test_two_clicks_select_a_word_and_three_a_paragraph(view: TranscriptView, reader: Reader) -> None:
    view.show_path(PATH)
    viewport = view.viewport()
    point = reader.point("bold")
    QTest.mouseDClick(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
    assert reader.copied() == "bold"
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
    assert reader.copied() == "Intro bold text."


def test_ctrl_a_selects_everything(view: TranscriptView, reader: Reader) -> None:
    view.show_path(PATH)
    reader.key(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    text = reader.copied()
    assert text.startswith("first question\n\nIntro")
    assert text.endswith("last words\n\nsecond question")


def test_ctrl_a_in_an_empty_transcript(view: TranscriptView, reader: Reader) -> None:
    view.show_path(())
    reader.key(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert view.selection is None


def test_ctrl_a_reaches_what_was_never_laid_out(view: TranscriptView, reader: Reader) -> None:
    view.show_path(tuple(answer(n, f"message {n}\n\n- item") for n in range(1, 200)))
    reader.key(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert reader.copied().split("\n\n") == [x for n in range(1, 200) for x in (f"message {n}", "- item")]


def test_dragging_beyond_the_edge_scrolls(view: TranscriptView, reader: Reader, qtbot: QtBot) -> None:
    view.show_path((answer(1, "\n\n".join(f"line {n}" for n in range(200))),))
    bar = view.verticalScrollBar()
    bar.setValue(0)
    viewport = view.viewport()
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, reader.point("line 1", 0))
    from PySide6.QtCore import QPointF
    from PySide6.QtGui import QMouseEvent
    from PySide6.QtWidgets import QApplication

    below = QPointF(300, viewport.height() + 120)
    event = QMouseEvent(
        QMouseEvent.Type.MouseMove, below, QPointF(viewport.mapToGlobal(below)), Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(viewport, event)
    qtbot.waitUntil(lambda: bar.value() > 400)
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(300, 500))
    assert "line 20" in reader.copied()


def test_a_whole_table_is_copied_with_tabs(view: TranscriptView, reader: Reader) -> None:
    view.show_path((answer(1, "before\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nafter"),))
    reader.drag(reader.point("before", 0), reader.point("after", 1))
    assert reader.copied() == "before\n\na\tb\n1\t2\n\nafter"


def test_a_selection_does_not_outlive_its_messages(view: TranscriptView, reader: Reader) -> None:
    view.show_path(PATH)
    reader.key(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    view.show_path((answer(9, "other"),))
    assert reader.copied() == "nothing"


def test_selecting_all_of_a_long_chat_leaves_the_screen_drawn(view: TranscriptView, reader: Reader) -> None:
    view.show_path(tuple(answer(number, f"answer {number}") for number in range(1, 301)))
    view.verticalScrollBar().setValue(0)
    before = reader.texts()
    assert "answer 1" in before
    view.select_all()
    assert reader.texts() == before
    view.copy_selection()
    assert reader.texts() == before
