"""Streaming into the view, following its end, and keeping the reader's place."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.domain.generation import FinishReason
from app.ui.transcript.view import TranscriptView
from tests.unit.markdown.test_streaming import ANSWER, chunks
from tests.widget.transcript.conftest import Reader, answer, user

LONG = "\n\n".join(f"paragraph {n} " + "word " * 30 for n in range(60))


def wheel(view: TranscriptView, dy: int) -> None:
    """Turns the mouse wheel over the middle of the view; up is positive."""
    point = QPointF(view.viewport().rect().center())
    event = QWheelEvent(
        point, QPointF(view.mapToGlobal(point)), QPoint(), QPoint(0, dy), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view.viewport(), event)


def start(view: TranscriptView, before: str = LONG) -> None:
    view.show_path((user(1, "q"), answer(2, before, 1), user(3, "r", 2)))
    view.add_node(answer(4, "", 3, complete=False))


@pytest.mark.parametrize("seed", range(4))
def test_a_streamed_answer_looks_like_a_loaded_one(
    make_view: Callable[..., TranscriptView], qtbot: QtBot, seed: int
) -> None:
    streamed, loaded = make_view(900, 1400), make_view(900, 1400)
    final = answer(4, ANSWER, 3)
    streamed.show_path((user(3, "r"),))
    streamed.add_node(answer(4, "", 3, complete=False))
    rng = random.Random(seed)
    for piece in chunks(ANSWER, seed):
        streamed.grow(4, answer=piece)
        if rng.random() < 0.3:
            streamed.pace.flush()
    streamed.finish(final)
    loaded.show_path((user(3, "r"), final))
    for view in (streamed, loaded):
        view.verticalScrollBar().setValue(0)
    assert streamed.column.height == loaded.column.height
    assert [p.block for p in streamed.column.laid(1).placed] == [p.block for p in loaded.column.laid(1).placed]
    assert streamed.viewport().grab().toImage() == loaded.viewport().grab().toImage()


def test_finished_blocks_are_not_laid_out_again(view: TranscriptView, reader: Reader) -> None:
    start(view, "short")
    view.grow(4, answer="One.\n\nTwo.\n\n```py\nx = 1\n")
    view.pace.flush()
    before = [placed.document for placed in view.column.laid(3).placed]
    made = view.column.typesetter.documents
    for n in range(50):
        view.grow(4, answer=f"y{n} = {n}\n")
        view.pace.flush()
    assert [placed.document for placed in view.column.laid(3).placed] == before
    assert view.column.typesetter.documents == made
    assert view.column.laid(3).placed[2].document.toPlainText().endswith("y49 = 49")


def test_deltas_are_gathered(view: TranscriptView, reader: Reader) -> None:
    start(view, "short")
    reader.settle()
    before = view.column.typesetter.layouts
    for _ in range(200):
        view.grow(4, answer="word ")
    assert view.column.typesetter.layouts == before
    reader.settle()
    assert view.column.typesetter.layouts <= before + 3
    assert reader.texts()[-1].count("word") == 200


def test_the_end_is_followed(view: TranscriptView, reader: Reader) -> None:
    start(view)
    assert reader.at_end
    for n in range(30):
        view.grow(4, answer=f"sentence {n}.\n\n")
        view.pace.flush()
        assert reader.at_end
    assert "sentence 29." in reader.texts()
    assert not view.new_text.isVisible()


def test_a_reader_who_scrolled_away_stays_and_is_told(view: TranscriptView, reader: Reader, qtbot: QtBot) -> None:
    start(view)
    wheel(view, 360)
    assert not view.following
    shown = reader.texts()
    place = view.verticalScrollBar().value()
    assert not view.new_text.isVisible()
    for n in range(20):
        view.grow(4, answer=f"sentence {n}.\n\n")
        view.pace.flush()
    assert view.verticalScrollBar().value() == place
    assert reader.texts() == shown
    assert view.new_text.isVisible()
    qtbot.mouseClick(view.new_text, Qt.MouseButton.LeftButton)
    assert reader.at_end
    assert view.following
    assert not view.new_text.isVisible()


def test_scrolling_to_the_end_follows_again(view: TranscriptView, reader: Reader) -> None:
    start(view)
    wheel(view, 240)
    view.grow(4, answer="more\n\n" * 5)
    view.pace.flush()
    for _ in range(20):
        wheel(view, -240)
    assert view.following
    assert not view.new_text.isVisible()
    view.grow(4, answer="last\n\n" * 5)
    view.pace.flush()
    assert reader.at_end


def test_the_reader_s_own_message_is_always_shown(view: TranscriptView, reader: Reader) -> None:
    view.show_path((user(1, "q"), answer(2, LONG, 1)))
    reader.key(Qt.Key.Key_Home)
    view.add_node(user(3, "my next question", 2))
    assert "my next question" in reader.texts()


def test_reasoning_streams_under_a_live_title(view: TranscriptView, reader: Reader) -> None:
    start(view, "short")
    view.grow(4, reasoning="The user wants bread. I sho")
    view.pace.flush()
    fold = reader.button(4, "fold")
    assert fold.wanted is not None
    assert (fold.text(), fold.wanted.detail) == ("Thinking", "The user wants bread.")
    view.grow(4, reasoning="uld be short. ")
    view.pace.flush()
    assert fold.wanted.detail == "I should be short."
    reader.click(4, "fold")
    assert reader.texts()[-1] == "The user wants bread. I should be short."
    view.grow(4, reasoning="Now.")
    view.grow(4, answer="Bread.")
    view.pace.flush()
    assert fold.text().startswith("Thought for ")
    assert reader.texts()[-2:] == ["The user wants bread. I should be short. Now.", "Bread."]
    reasoning = "The user wants bread. I should be short. Now."
    view.finish(answer(4, "Bread.", 3, reasoning=reasoning, reasoning_s=7.0))
    assert reader.button(4, "fold").text() == "Thought for 7 s"


def test_the_reading_of_the_prompt_is_shown(view: TranscriptView, reader: Reader) -> None:
    start(view, "short")
    laid = view.column.laid(3)
    assert laid.status is not None
    before = view.viewport().grab().toImage()
    view.set_reading(300, 1500)
    half = view.viewport().grab().toImage()
    view.set_reading(1400, 1500)
    full = view.viewport().grab().toImage()
    assert before != half != full
    view.grow(4, answer="Hi")
    view.pace.flush()
    assert view.column.laid(3).status is None


def test_buttons_of_an_answer_come_when_it_is_done(view: TranscriptView, reader: Reader) -> None:
    start(view, "short")
    view.grow(4, answer="Hello")
    view.pace.flush()
    assert view.button(4, "copy") is None
    assert not reader.button(2, "regenerate").isEnabled()
    view.finish(answer(4, "Hello.", 3, reason=FinishReason.CANCELLED))
    assert reader.texts()[-1] == "Hello."
    assert reader.button(4, "copy").isEnabled()
    assert reader.button(2, "regenerate").isEnabled()
    assert view.column.laid(3).mark is not None


def test_text_for_a_chat_that_was_left_is_dropped(view: TranscriptView, reader: Reader) -> None:
    start(view, "short")
    view.show_path((user(7, "elsewhere"),))
    view.grow(4, answer="lost")
    view.finish(answer(4, "lost", 3))
    reader.settle()
    assert reader.texts() == ["elsewhere"]


def test_an_answer_being_written_goes_on_after_the_chat_was_left_and_opened_again(
    view: TranscriptView, reader: Reader
) -> None:
    view.show_path((user(3, "r"), answer(4, "So far", 3, complete=False, reason=None)), None, 4)
    assert view.column.laid(1).mark is None
    view.grow(4, answer=" and on")
    view.pace.flush()
    assert reader.texts()[-1] == "So far and on"


@pytest.mark.parametrize("size", [(480, 500), (1300, 700), (901, 600)])
def test_resizing_keeps_the_reader_s_place(view: TranscriptView, reader: Reader, size: tuple[int, int]) -> None:
    view.show_path(tuple(answer(n, f"message {n}\n\n" + "word " * 80) for n in range(1, 80)))
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum() // 2)
    first = next(text for text in reader.texts() if text.startswith("message"))
    view.resize(*size)
    assert first in reader.texts()


def test_resizing_at_the_end_stays_at_the_end(view: TranscriptView, reader: Reader) -> None:
    view.show_path((user(1, "q"), answer(2, LONG, 1)))
    view.resize(500, 400)
    assert reader.at_end


def test_another_path_of_the_same_chat_keeps_the_place(view: TranscriptView, reader: Reader) -> None:
    path = tuple(answer(n, f"message {n}\n\n" + "word " * 80, n - 1) for n in range(1, 40))
    view.show_path(path)
    view.verticalScrollBar().setValue(1500)
    shown = reader.texts()
    view.show_path((*path[:38], answer(50, "another version", 38)))
    assert reader.texts() == shown
    view.show_path((answer(99, LONG),))
    assert reader.at_end


@pytest.mark.parametrize(
    ("key", "where"),
    [(Qt.Key.Key_Home, "top"), (Qt.Key.Key_End, "end"), (Qt.Key.Key_PageUp, "up"), (Qt.Key.Key_PageDown, "down")],
)
def test_keys_scroll(view: TranscriptView, reader: Reader, key: Qt.Key, where: str) -> None:
    view.show_path((user(1, "q"), answer(2, LONG, 1)))
    bar = view.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    before = bar.value()
    reader.key(key)
    page = bar.pageStep()
    moved = bar.value() - before
    assert {
        "top": bar.value() == 0,
        "end": reader.at_end and view.following,
        "up": -page <= moved < -page / 2,
        "down": page >= moved > page / 2,
    }[where]


def test_scrolling_up_does_not_jump_when_estimates_become_exact(view: TranscriptView, reader: Reader) -> None:
    view.show_path(
        tuple(answer(n, ("word " * (n * 37 % 400)) + "\n\n```\n" + "x\n" * (n % 30) + "```") for n in range(300))
    )
    for _ in range(40):
        placed, before = next((p, o.y() + p.frame.y()) for _, p, o in view.visible_blocks())
        old = view.verticalScrollBar().value()
        wheel(view, 120)
        if view.verticalScrollBar().value() == 0:
            break
        after = next((o.y() + p.frame.y() for _, p, o in view.visible_blocks() if p is placed), None)
        step = 3 * view.verticalScrollBar().singleStep()
        assert after is not None
        assert after - before == pytest.approx(step, abs=2), (old, view.verticalScrollBar().value())


def test_2000_messages_open_with_few_layouts(view: TranscriptView, reader: Reader, qtbot: QtBot) -> None:
    nodes = tuple(
        user(n, f"question {n} " * 8) if n % 2 else answer(n, f"{ANSWER}\n\nnumber {n}") for n in range(1, 2001)
    )
    before = view.column.typesetter.layouts
    view.show_path(nodes)
    view.viewport().grab()
    assert view.column.typesetter.layouts - before <= 6
    assert reader.at_end
    qtbot.waitUntil(lambda: not view.place.busy)
    assert view.column.typesetter.layouts - before <= 30
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum() // 2)
    assert view.column.typesetter.layouts - before <= 40
    assert any(entry.laid is not None for entry in view.column.entries[800:1200])


def test_layouts_far_away_are_given_back(view: TranscriptView) -> None:
    view.show_path(tuple(answer(n, f"message {n}") for n in range(1, 1000)))
    bar = view.verticalScrollBar()
    while bar.value() > 0:
        bar.setValue(bar.value() - bar.pageStep())
    assert sum(entry.laid is not None for entry in view.column.entries) <= 130
