"""The list of chats as data: days, order, what changes and what stays."""

from datetime import datetime, timedelta, timezone

import pytest
from PySide6.QtCore import Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from app.domain.tree import ConversationInfo
from app.ui.chat.conversation_model import ChatRole, ConversationModel, DaySpan, rows_of, seconds_to_midnight, span_of

ZONE = timezone(timedelta(hours=9))
NOW = datetime(2026, 3, 2, 0, 30, tzinfo=ZONE)  # just after a midnight in Tokyo, still yesterday in Europe


def chat(number: int, updated: datetime, title: str = "") -> ConversationInfo:
    """A chat of that moment."""
    stamp = updated.timestamp()
    return ConversationInfo(number, title or f"chat {number}", created=stamp, updated=stamp, date="2026-01-01")


@pytest.mark.parametrize(
    ("before", "span"),
    [
        (timedelta(0), DaySpan.TODAY),
        (timedelta(minutes=30), DaySpan.TODAY),
        (timedelta(minutes=31), DaySpan.YESTERDAY),
        (timedelta(hours=24, minutes=30), DaySpan.YESTERDAY),
        (timedelta(hours=24, minutes=31), DaySpan.WEEK),
        (timedelta(days=7), DaySpan.WEEK),
        (timedelta(days=7, minutes=31), DaySpan.OLDER),
        (timedelta(days=4000), DaySpan.OLDER),
        (timedelta(hours=-5), DaySpan.TODAY),
    ],
)
def test_days_are_those_of_the_users_own_clock(before: timedelta, span: DaySpan) -> None:
    assert span_of((NOW - before).timestamp(), NOW) is span


def test_headings_stand_once_and_only_above_chats() -> None:
    chats = [chat(1, NOW - timedelta(days=30)), chat(2, NOW), chat(3, NOW - timedelta(minutes=5))]
    rows = rows_of(chats, NOW)
    assert [(row.span, row.chat and row.chat.id) for row in rows] == [
        (DaySpan.TODAY, None),
        (DaySpan.TODAY, 2),
        (DaySpan.TODAY, 3),
        (DaySpan.OLDER, None),
        (DaySpan.OLDER, 1),
    ]
    assert rows_of([], NOW) == ()


def test_seconds_to_midnight() -> None:
    assert seconds_to_midnight(NOW) == 23 * 3600 + 30 * 60 + 1


def test_is_a_sound_model(qtmodeltester: ModelTester, qtbot: QtBot) -> None:
    model = ConversationModel()
    model.set_chats([chat(n, NOW - timedelta(days=n)) for n in range(12)], NOW)
    model.set_open(3)
    qtmodeltester.check(model)


def test_a_new_title_moves_nothing(qtbot: QtBot) -> None:
    model = ConversationModel()
    first = chat(1, NOW)
    model.set_chats([first], NOW)
    with qtbot.assertNotEmitted(model.modelReset), qtbot.waitSignal(model.dataChanged):
        model.set_chats([chat(1, NOW, "renamed")], NOW)
    assert model.index(1).data() == "renamed"


def test_the_open_chat_is_marked(qtbot: QtBot) -> None:
    model = ConversationModel()
    model.set_chats([chat(1, NOW), chat(2, NOW)], NOW)
    model.set_open(1)
    assert [model.index(row).data(ChatRole.IS_OPEN) for row in range(3)] == [False, False, True]
    assert model.index_of(1).data(Qt.ItemDataRole.AccessibleTextRole) == "chat 1, open"
    model.set_open(None)
    assert not model.index_of(1).data(ChatRole.IS_OPEN)


@pytest.mark.parametrize(("typed", "asked"), [("  A  better\nname ", "A better name"), ("", None), ("chat 1", None)])
def test_a_title_is_asked_for_not_changed(qtbot: QtBot, typed: str, asked: str | None) -> None:
    model = ConversationModel()
    model.set_chats([chat(1, NOW)], NOW)
    heard: list[tuple[int, str]] = []
    model.rename_requested.connect(lambda *said: heard.append(said))
    assert model.setData(model.index_of(1), typed) is (asked is not None)
    assert heard == ([(1, asked)] if asked else [])
    assert model.index_of(1).data() == "chat 1"


def test_headings_cannot_be_chosen_or_edited() -> None:
    model = ConversationModel()
    model.set_chats([chat(1, NOW)], NOW)
    assert model.flags(model.index(0)) == Qt.ItemFlag.NoItemFlags
    assert not model.setData(model.index(0), "x")
    assert model.chat_at(model.index(0)) is None
