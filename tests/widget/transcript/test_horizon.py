"""The line where the model's memory begins, and the pins that keep messages in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.domain.tree import Horizon, MessageNode
from app.ui.theme import Theme
from app.ui.transcript import horizon as words
from app.ui.transcript.view import TranscriptView
from tests.widget.transcript.conftest import Reader, answer, user

LATE = Horizon(9, 4, (1, 2, 5, 6))


def chat(turns: int = 6) -> tuple[MessageNode, ...]:
    """Questions with odd numbers, answers with even ones."""
    nodes: list[MessageNode] = []
    for number in range(1, 2 * turns, 2):
        nodes += [
            user(number, f"question {number}", number - 1 or None),
            answer(number + 1, f"answer {number}", number),
        ]
    return tuple(nodes)


def marked(view: TranscriptView) -> list[int]:
    return [entry.node.id for entry in view.column.entries if entry.mark is not None]


def line_y(view: TranscriptView, node: int) -> float:
    """Where the line under a message is, in the viewport."""
    index = view.column.index_of(node)
    assert index is not None
    laid = view.column.laid(index).horizon
    assert laid is not None
    return view.column.top(index) - view.scrolled + laid.lines[0].y()


def spoken(view: TranscriptView, index: int) -> str:
    return QAccessible.queryAccessibleInterface(view).child(index).text(QAccessible.Text.Name)


def test_a_line_parts_what_is_seen_from_what_is_not(view: TranscriptView, reader: Reader) -> None:
    view.resize(900, 1400)
    view.show_path(chat(), horizon=LATE)
    assert marked(view) == [8]
    y = line_y(view, 8)
    assert reader.button(8, "pin").geometry().bottom() < y < reader.point("question 9").y()
    line = view.viewport().grab().toImage().pixelColor(round(view.left) + 5, round(y))
    assert line.name() == view.theme.colours.control_border
    assert reader.button(8, "horizon").text() == "Why?"
    assert "The model no longer sees 4 messages above this line." in spoken(view, 7)
    assert all("no longer sees" not in spoken(view, index) for index in range(12) if index != 7)


def test_without_a_horizon_there_is_no_line(view: TranscriptView) -> None:
    view.show_path(chat())
    assert marked(view) == []
    height = view.column.height
    view.horizon.show(LATE)
    assert view.column.height > height
    view.horizon.show(None)
    assert marked(view) == []
    assert view.column.height == pytest.approx(height)
    view.horizon.show(Horizon(99, 4, ()))  # of a path that is not shown
    assert marked(view) == []


def test_the_line_moves_with_the_horizon_and_the_reader_stays(view: TranscriptView, reader: Reader) -> None:
    view.show_path(chat(12), horizon=LATE)
    assert view.following
    view.horizon.show(Horizon(13, 8, (1, 2, 5, 6)))
    assert marked(view) == [12]
    assert reader.at_end
    view.verticalScrollBar().setValue(500)
    anchor = next(index for index in range(24) if view.column.top(index) > view.scrolled)
    y = view.column.top(anchor) - view.scrolled
    view.horizon.show(Horizon(5, 2, (1, 2)))
    assert marked(view) == [4]
    assert view.column.top(anchor) - view.scrolled == pytest.approx(y, abs=1)


def test_the_line_stays_when_messages_come(view: TranscriptView) -> None:
    view.show_path(chat(), horizon=LATE)
    view.add_node(user(13, "another", 12))
    view.add_node(answer(14, "", 13, complete=False))
    view.grow(14, answer="some text")
    view.finish(answer(14, "some text", 13))
    assert marked(view) == [8]
    view.set_theme(Theme.for_palette(True, 1.5))
    assert marked(view) == [8]
    assert view.column.laid(7).horizon is not None


def test_another_chat_has_its_own_line(view: TranscriptView) -> None:
    nodes = chat()
    view.show_path(nodes, horizon=LATE)
    view.show_path(nodes)
    assert marked(view) == []
    view.show_path(nodes, horizon=Horizon(3, 1, (0,)))
    assert marked(view) == [2]


def test_why_unfolds_by_mouse_and_keys(view: TranscriptView, reader: Reader, qtbot: QtBot) -> None:
    view.resize(900, 1400)
    view.show_path(chat(), horizon=LATE)
    height, y = view.column.height, line_y(view, 8)
    button = reader.button(8, "horizon")
    assert button.accessibleName().endswith("folded")
    assert "new chat" not in spoken(view, 7)
    reader.click(8, "horizon")
    laid = view.column.laid(7).horizon
    assert laid is not None
    assert laid.card is not None
    assert view.column.height > height + laid.card.height()
    assert line_y(view, 8) == pytest.approx(y)
    assert reader.button(8, "horizon").accessibleName().endswith("open")
    assert "start a new chat" in spoken(view, 7)
    button.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert view.column.height == pytest.approx(height)


@pytest.mark.parametrize("scale", [0.8, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("width", [240, 420, 900])
@pytest.mark.parametrize("direction", [Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft])
def test_nothing_overlaps(
    make_view: Callable[..., TranscriptView],
    qapp: QApplication,
    scale: float,
    width: int,
    direction: Qt.LayoutDirection,
) -> None:
    qapp.setLayoutDirection(direction)
    try:
        view = make_view(width, 3000)
        view.set_theme(Theme.for_palette(False, scale))
        view.show_path(chat(), horizon=LATE)
        view.horizon.toggle(view.column.entries[7])
        laid = view.column.laid(7).horizon
        assert laid is not None
        assert laid.card is not None
        parts = [laid.text, laid.button, laid.card, *laid.lines]
        for index, one in enumerate(parts):
            assert one.left() >= -0.5
            assert one.right() <= view.column.width + 0.5
            assert laid.top <= one.top() < one.bottom() <= laid.top + laid.height
            for other in parts[index + 1 :]:
                assert not one.intersects(other), (one, other)
        assert view.column.laid(7).height == pytest.approx(laid.top + laid.height)
    finally:
        qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)


def test_the_line_is_no_text_to_select(view: TranscriptView, reader: Reader) -> None:
    view.resize(900, 1400)
    view.show_path(chat(), horizon=LATE)
    reader.click(8, "horizon")
    reader.drag(reader.point("answer 7", 0), reader.point("question 9", 1))
    assert reader.copied() == "answer 7\n\nquestion 9"
    reader.click_at(QPointF(view.left + 30, line_y(view, 8) + 60).toPoint())
    assert view.selection is None


def test_pinning_asks_by_mouse_and_keys(view: TranscriptView, reader: Reader, qtbot: QtBot) -> None:
    view.resize(900, 1400)
    view.show_path(chat())
    with qtbot.waitSignal(view.pin_requested) as asked:
        reader.click(4, "pin")
    assert asked.args == [4, True]
    button = reader.button(3, "pin")
    assert (button.toolTip(), button.accessibleName()) == ("Keep in the model's view",) * 2
    button.setFocus(Qt.FocusReason.TabFocusReason)
    with qtbot.waitSignal(view.pin_requested) as asked:
        qtbot.keyClick(button, Qt.Key.Key_Space)
    assert asked.args == [3, True]
    view.message_actions.set_pinned(3, True)
    assert reader.button(3, "pin").toolTip() == words.pin(True) == "Pinned: no longer keep in the model's view"
    assert spoken(view, 2).startswith("You:\nPinned.\nquestion")
    with qtbot.waitSignal(view.pin_requested) as asked:
        reader.click(3, "pin")
    assert asked.args == [3, False]
    view.message_actions.set_pinned(3, False)
    assert reader.button(3, "pin").toolTip() == "Keep in the model's view"
    assert view.button(1, "pin") is None  # the first message stays by itself
    view.message_actions.set_pinned(99, True)  # of a chat that is not shown


def test_a_pin_is_seen_without_the_mouse(view: TranscriptView, reader: Reader) -> None:
    view.resize(900, 1400)
    view.show_path(chat())
    view.message_actions.hover(None)

    def lit(node: int) -> bool:
        button = reader.button(node, "pin")
        picture = view.viewport().grab(button.geometry()).toImage()
        colours = {picture.pixelColor(x, y).name() for x in range(picture.width()) for y in range(picture.height())}
        return view.theme.colours.accent in colours

    assert not lit(3)
    assert not lit(4)
    view.message_actions.set_pinned(3, True)
    view.message_actions.set_pinned(4, True)
    assert lit(3)
    assert lit(4)


def test_tab_comes_to_the_pin_between_its_neighbours(view: TranscriptView, reader: Reader) -> None:
    view.resize(900, 1400)
    view.show_path(chat(), horizon=LATE)
    order = [button.wanted.key[1] for button in view.message_actions.buttons.buttons() if button.wanted]
    assert {"copy", "regenerate", "pin", "horizon"} <= set(order)
    for one, other in (("copy", "regenerate"), ("regenerate", "pin"), ("pin", "horizon")):
        assert reader.button(8, one).nextInFocusChain() is reader.button(8, other)


def test_what_is_above_the_line_and_still_seen_says_so(view: TranscriptView, reader: Reader) -> None:
    view.resize(900, 1400)
    view.show_path(chat(), horizon=LATE)
    view.message_actions.set_pinned(5, True)
    says = {entry.node.id for entry in view.column.entries if view.button(entry.node.id, "seen") is not None}
    assert says == {1, 2, 6}  # a pinned one has its pin
    assert reader.button(1, "seen").text() == "Still in view"
    assert not reader.button(1, "seen").isEnabled()
    assert "Still in view." in spoken(view, 0)
    assert "Pinned." in spoken(view, 4)
    view.horizon.show(None)
    assert view.button(1, "seen") is None


def test_a_narrow_window_shows_the_label_as_an_icon(make_view: Callable[..., TranscriptView]) -> None:
    view = make_view(300, 3000)
    view.set_theme(Theme.for_palette(False, 2.0))
    view.show_path(chat(), horizon=LATE)
    assert view.button(2, "seen") is None  # its pin says enough
    label = view.button(1, "seen")
    assert label is not None
    assert (label.text(), label.accessibleName(), label.toolTip()) == ("", "Still in view", "Still in view")
    assert label.geometry().right() <= view.viewport().width()


def test_one_message_is_one(view: TranscriptView) -> None:
    view.show_path(chat(), horizon=Horizon(3, 1, (1,)))
    assert "The model no longer sees 1 message above this line" in spoken(view, 1)
    assert "4,000 messages" in words.above(4000)


def test_a_long_chat_moves_its_line_quickly(view: TranscriptView) -> None:
    """Only two messages are laid out anew, however long the chat is."""
    view.show_path(chat(1000), horizon=LATE)
    before = view.column.typesetter.layouts
    view.horizon.show(Horizon(1001, 900, (1, 2)))
    assert view.column.typesetter.layouts - before <= 4
    assert marked(view) == [1000]
