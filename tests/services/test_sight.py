"""What of a chat the model sees: the horizon of its answers, and pins."""

from __future__ import annotations

import pytest

from app.domain.conversation import Effort, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.domain.settings import CONTEXT_LENGTH
from app.domain.tree import Horizon, MessageNode
from app.services.settings_service import SettingsService
from app.store.chats import ChatStore
from app.store.paths import ProfilePaths
from tests.services.conftest import ANSWER_MS, Start, arguments

QUESTION = "What is Alcove?"


@pytest.fixture
def long_chat(paths: ProfilePaths, settings: SettingsService) -> int:
    """A chat of twelve turns, for a memory that does not hold them: messages 1 to 24, the answers even."""
    settings.set_value(CONTEXT_LENGTH.key, 512)
    store = ChatStore(paths.chats_file)
    info = store.create(date="2026-11-23", effort=Effort.LOW, instructions="", model="")
    parent = None
    for turn in range(12):
        parent = store.append(info.id, parent, Message(Role.USER, f"Question {turn}: what is a token?")).id
        parent = store.append(info.id, parent, Message(Role.ASSISTANT, "A token is a piece of a word. " * 4)).id
    store.close()
    return info.id


def test_a_full_memory_is_said_at_once_and_remembered(start: Start, long_chat: int) -> None:
    program = start()
    program.show(long_chat)
    sight = program.chat.sight
    assert sight.horizon is None
    order: list[str] = []
    sight.horizon_changed.connect(lambda _: order.append("horizon"))
    program.chat.answer_grew.connect(lambda _: order.append("text"))
    with program.qtbot.waitSignal(sight.horizon_changed, timeout=ANSWER_MS) as changed:
        program.chat.send(QUESTION)
    horizon: Horizon = arguments(changed)[0]
    assert horizon == sight.horizon
    assert horizon.left_out > 4
    assert horizon.kept[0] == 1
    path = [node.id for node in program.path()]
    assert path.index(horizon.begins) == horizon.left_out + len(horizon.kept)
    program.show(None)
    assert sight.horizon is None
    program.show(long_chat)  # while it is being answered, perhaps
    assert sight.horizon == horizon
    program.qtbot.waitUntil(lambda: not program.chat.busy, timeout=ANSWER_MS)
    assert order[0] == "horizon"
    receipt = program.path()[-1].receipt
    assert receipt is not None
    assert receipt.usage.left_out == horizon.left_out
    assert sight.horizon == horizon
    program.chat.close()
    again = start()
    again.show(long_chat)
    assert again.chat.sight.horizon == horizon


def test_a_pinned_message_stays_in_view(start: Start, long_chat: int) -> None:
    program = start()
    sight = program.chat.sight
    sight.pin(5, True)  # no chat is shown
    program.show(long_chat)
    with program.qtbot.waitSignal(sight.pinned) as pinned:
        sight.pin(5, True)
    assert arguments(pinned) == [5, True]
    assert [node.id for node in program.path() if node.message.pinned] == [5]
    program.ask(QUESTION)
    horizon = sight.horizon
    assert horizon is not None
    assert 5 in horizon.kept
    sight.pin(5, False)
    sight.pin(7, True)
    program.ask(QUESTION)
    assert sight.horizon is not None
    assert 5 not in sight.horizon.kept
    assert 7 in sight.horizon.kept
    program.chat.close()
    assert [node.id for node in program.stored(long_chat).nodes if node.message.pinned] == [7]
    assert program.problems == []


def test_another_version_of_a_pinned_message_is_pinned(start: Start, long_chat: int) -> None:
    program = start()
    program.show(long_chat)
    program.chat.sight.pin(23, True)
    for node_id, pinned in ((23, True), (21, False)):
        with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS):
            program.chat.edit(node_id, "What is temperature?")
        assert program.path()[-2].message == Message(Role.USER, "What is temperature?", pinned=pinned)


class FullStore(ChatStore):
    """A disk that was full before the pin."""

    def pin(self, node_id: int, pinned: bool) -> MessageNode:
        raise UserError(ErrorCode.DISK_FULL, path="chats")


def test_a_pin_that_cannot_be_stored_is_taken_back(start: Start, long_chat: int, paths: ProfilePaths) -> None:
    program = start(open_store=lambda: FullStore(paths.chats_file))
    program.show(long_chat)
    said: list[tuple[int, bool]] = []
    program.chat.sight.pinned.connect(lambda node_id, pinned: said.append((node_id, pinned)))
    with program.qtbot.waitSignal(program.chat.problem) as problem:
        program.chat.sight.pin(4, True)
    assert arguments(problem)[0].code is ErrorCode.DISK_FULL
    assert said == [(4, True), (4, False)]
    assert not any(node.message.pinned for node in program.path())


class ForgetfulStore(ChatStore):
    """A disk that takes no answers."""

    def save_answer(self, *_: object, **__: object) -> MessageNode:
        raise UserError(ErrorCode.DISK_FULL, path="chats")


def test_an_answer_that_is_not_stored_yet_can_be_pinned(start: Start, paths: ProfilePaths) -> None:
    program = start(open_store=lambda: ForgetfulStore(paths.chats_file))
    node = program.ask(QUESTION)
    program.chat.sight.pin(node.id, True)
    assert program.path()[-1].message.pinned
    chat = program.chat_id()
    program.show(None)
    program.show(chat)
    assert program.path()[-1].message.pinned
    assert program.path()[-1].message.content == node.message.content
