"""What a screen reader finds."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QAccessible

from app.domain.conversation import ToolCall
from app.ui.transcript.accessibility import Announcer
from app.ui.transcript.view import TranscriptView
from tests.widget.transcript.conftest import Reader, answer, tool_result, user


def test_the_view_is_a_list_of_named_messages(view: TranscriptView) -> None:
    call = ToolCall("look", "{}")
    view.show_path(
        (
            user(1, "Why *this*?"),
            answer(
                2, "Because **of** that.\n\n- item", 1, reasoning="hm", reasoning_s=2, commentary="Wait.", calls=(call,)
            ),
            tool_result(3, "21", "look"),
        )
    )
    interface = QAccessible.queryAccessibleInterface(view)
    assert interface.role() == QAccessible.Role.List
    names = [interface.child(index).text(QAccessible.Text.Name) for index in range(interface.childCount())]
    assert names == [
        "You:\nWhy *this*?",
        "Answer:\nThought for 2 s.\nWait.\n{}\nBecause of that.\nitem",
        "Tool result:\nResult of look.\n21",
    ]
    assert interface.child(0).role() == QAccessible.Role.ListItem
    assert interface.child(3) is None
    assert [interface.indexOfChild(interface.child(index)) for index in range(3)] == [0, 1, 2]


def test_a_message_is_where_it_is_drawn(view: TranscriptView, reader: Reader) -> None:
    view.show_path((user(1, "question"), answer(2, "some answer", 1)))
    interface = QAccessible.queryAccessibleInterface(view)
    point = view.viewport().mapToGlobal(reader.point("some answer"))
    assert interface.child(1).rect().contains(point)
    assert not interface.child(0).rect().contains(point)
    assert interface.childAt(point.x(), point.y()).text(QAccessible.Text.Name) == "Answer:\nsome answer"


def test_a_message_that_is_gone_is_not_valid(view: TranscriptView) -> None:
    view.show_path((user(1, "question"),))
    message = QAccessible.queryAccessibleInterface(view).child(0)
    assert message.isValid()
    view.show_path((user(2, "other"),))
    assert not message.isValid()
    assert message.rect().isEmpty()


def test_streamed_text_is_read_out_by_sentences(view: TranscriptView, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(QAccessible, "isActive", staticmethod(lambda: True))
    monkeypatch.setattr(Announcer, "_say", lambda _self, text: said.append(text))
    view.show_path((user(1, "q"),))
    view.add_node(answer(2, "", 1, complete=False))
    for piece in ("The fi", "rst. The se", "cond", "! And v1.2 is", " the last"):
        view.grow(2, answer=piece)
    assert said == ["The first.", " The second!"]
    view.finish(answer(2, "The first. The second! And v1.2 is the last", 1))
    assert said[-1] == " And v1.2 is the last"


def test_every_button_has_a_name(view: TranscriptView) -> None:
    view.show_path((user(1, "q"), answer(2, "```\nx\n```", 1, reasoning="r")), lambda node: (node, node + 10))
    buttons = view.message_actions.buttons.buttons()
    assert len(buttons) >= 9
    assert all(button.accessibleName() for button in buttons)


def test_a_point_outside_finds_the_nearest(view: TranscriptView) -> None:
    view.show_path((user(1, "q"),))
    interface = QAccessible.queryAccessibleInterface(view)
    far = view.viewport().mapToGlobal(QPoint(5, 5000))
    assert interface.childAt(far.x(), far.y()) is not None
