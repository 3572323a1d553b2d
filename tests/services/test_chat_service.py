"""A chat's whole way: asked, answered, stored, changed, deleted; with the real store, engine and demo model."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.domain.conversation import Effort, Message, Role
from app.domain.errors import ErrorCode
from app.domain.generation import FinishReason, Receipt
from app.domain.settings import EFFORT, INSTRUCTIONS
from app.domain.tree import MessageNode
from app.services import answer_saver
from app.services.payloads import Phase
from app.store.chats import ChatStore
from app.store.paths import ProfilePaths
from tests.services.conftest import ANSWER_MS, Program, Start, arguments, reason
from tests.services.slow_child import slow

QUESTION = "What is Alcove?"


def heard(program: Program) -> list[tuple[str, Any]]:
    """Everything that the chat service says from now on, in order."""
    said: list[tuple[str, Any]] = []
    chat = program.chat
    for name in (
        "path_changed",
        "node_added",
        "answer_grew",
        "answer_finished",
        "busy_changed",
    ):
        getattr(chat, name).connect(lambda value, name=name: said.append((name, value)))
    chat.list.changed.connect(lambda chats: said.append(("listed", chats)))
    chat.opened.connect(lambda conversation, draft: said.append(("opened", (conversation, draft))))
    return said


def test_the_model_is_loaded_before_anybody_asks(start: Start) -> None:
    program = start()
    program.wait_ready()
    assert program.engine.state.model_name == "Demo guide (built in)"
    assert program.engine.state.context > 0
    assert Phase.LOADING in [state.phase for state in program.states]


def test_a_question_is_answered_and_stored(start: Start) -> None:
    program = start()
    said = heard(program)
    node = program.ask(f"  {QUESTION}\n")
    names = [name for name, _ in said]
    assert names[:4] == ["busy_changed", "listed", "node_added", "node_added"]
    grown = [value for name, value in said if name == "answer_grew"]
    assert "".join(growth.answer for growth in grown) == node.message.content != ""
    assert "".join(growth.reasoning for growth in grown) == node.message.reasoning != ""
    assert node.complete
    assert node.receipt is not None
    assert node.receipt.finish_reason is FinishReason.STOP
    assert node.receipt.model == "Demo guide (built in)"
    assert node.receipt.usage.completion_tokens > 10
    assert node.receipt.timings.load_s > 0
    program.qtbot.waitUntil(lambda: not program.chat.busy)
    user, answer = program.path()
    assert (user.message.role, user.message.content) == (Role.USER, QUESTION)
    assert answer == node
    assert [chat.title for chat in program.chat.list.chats()] == [QUESTION]
    program.chat.close()
    assert program.stored().path() == (user, answer)
    assert program.problems == []


def test_growth_comes_at_most_once_per_frame(start: Start) -> None:
    program = start()
    times: list[float] = []
    program.chat.answer_grew.connect(lambda _: times.append(time.monotonic()))
    for _ in range(5):
        program.ask(QUESTION)
    assert len(times) >= 10
    # Within an answer a frame is 16 ms, less what a timer may be early.
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.012


def test_a_fresh_chat_is_stored_with_its_first_message_and_not_before(start: Start) -> None:
    program = start()
    program.settings.set_value(INSTRUCTIONS.key, "Be brief.")
    program.settings.set_value(EFFORT.key, "low")
    program.show(None)
    assert program.chat.effort is Effort.LOW
    program.chat.set_effort(Effort.HIGH)
    assert program.chat.list.chats() == ()
    program.ask(QUESTION)
    (info,) = program.chat.list.chats()
    assert (info.effort, info.instructions) == (Effort.HIGH, "Be brief.")
    program.chat.set_effort(Effort.MEDIUM)
    assert program.chat.effort is Effort.MEDIUM
    program.chat.close()
    assert program.stored().info.effort is Effort.MEDIUM


def test_the_next_message_follows_the_answer(start: Start) -> None:
    program = start()
    first = program.ask(QUESTION)
    second = program.ask("Is it private?")
    path = program.path()
    assert [node.message.role for node in path] == [Role.USER, Role.ASSISTANT] * 2
    assert path[1] == first
    assert path[3] == second
    assert second.receipt is not None
    assert first.receipt is not None
    assert second.receipt.usage.prompt_tokens > first.receipt.usage.prompt_tokens


def test_nothing_is_sent_for_whitespace(start: Start) -> None:
    program = start()
    program.chat.send(" \n\t ")
    assert not program.chat.busy


def test_stop_keeps_what_is_there(start: Start) -> None:
    program = start(slow)
    node_id = program.begin(QUESTION)
    assert program.chat.busy
    assert program.chat.answering_node == node_id
    with program.qtbot.waitSignal(program.chat.answer_finished) as finished:
        program.chat.stop()
    node = arguments(finished)[0]
    assert node.complete
    assert node.receipt.finish_reason is FinishReason.CANCELLED
    assert node.message.reasoning
    assert not program.chat.busy
    program.chat.close()
    assert program.stored().node(node_id) == node


def test_stop_acts_before_the_model_has_been_asked(start: Start) -> None:
    program = start(slow)
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        program.chat.send(QUESTION)
        program.chat.stop()
    assert arguments(finished)[0].receipt.finish_reason is FinishReason.CANCELLED
    assert reason(program.ask("Is it private?")) is FinishReason.STOP


def test_a_second_message_waits_for_the_first_ones_end(start: Start) -> None:
    program = start(slow)
    program.begin(QUESTION)
    with program.qtbot.waitSignal(program.chat.returned) as returned:
        program.chat.send("And then?")
    assert arguments(returned) == ["And then?"]
    program.chat.regenerate()
    program.chat.edit(program.path()[0].id, "What else?")
    assert [error.code for error in program.problems] == [ErrorCode.STILL_ANSWERING] * 3
    assert len(program.path()) == 2


def test_regenerate_adds_a_version(start: Start) -> None:
    program = start()
    first = program.ask(QUESTION)
    with program.qtbot.waitSignals([program.chat.path_changed, program.chat.answer_finished], timeout=ANSWER_MS):
        program.chat.regenerate()
    current = program.chat.current()
    assert current is not None
    versions = current.siblings(first.id)
    assert len(versions) == 2
    assert current.path()[-1] == versions[1]
    with program.qtbot.waitSignal(program.chat.path_changed) as changed:
        program.chat.select_version(first.id)
    assert arguments(changed)[0].path()[-1] == first
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS):
        program.chat.regenerate(first.id)
    current = program.chat.current()
    assert current is not None
    assert len(current.siblings(first.id)) == 3


def test_edit_adds_a_version_of_the_question_and_keeps_the_draft(start: Start) -> None:
    program = start()
    program.ask(QUESTION)
    program.ask("Is it private?")
    question = program.path()[0]
    program.chat.save_draft("half a thought")
    with program.qtbot.waitSignals([program.chat.path_changed, program.chat.answer_finished], timeout=ANSWER_MS):
        program.chat.edit(question.id, "Who are you?")
    path = program.path()
    assert path[0].message.content == "Who are you?"
    assert len(path) == 2
    number = program.chat_id()
    program.show(None)
    with program.qtbot.waitSignal(program.chat.opened) as opened:
        program.chat.open(number)
    assert arguments(opened)[1] == "half a thought"
    with program.qtbot.waitSignal(program.chat.path_changed) as changed:
        program.chat.select_version(question.id)
    assert [node.message.content for node in arguments(changed)[0].path()][::2] == [QUESTION, "Is it private?"]


def test_a_question_without_an_answer_is_answered_by_regenerate(start: Start) -> None:
    program = start()
    program.ask(QUESTION)
    number = program.chat_id()
    question = program.path()[0]
    program.chat.close()
    restarted = start()
    conversation = restarted.show(number)
    assert conversation is not None
    with restarted.qtbot.waitSignal(restarted.chat.answer_finished, timeout=ANSWER_MS):
        restarted.chat.regenerate(question.id)
    assert len(restarted.path()) == 2


def test_an_answer_goes_on_in_its_own_chat(start: Start) -> None:
    program = start(slow)
    node_id = program.begin(QUESTION)
    number = program.chat_id()
    said = heard(program)
    program.show(None)
    assert not program.chat.busy
    program.qtbot.waitUntil(lambda: program.engine.state.tokens_per_s > 0, timeout=ANSWER_MS)
    assert "answer_grew" not in [name for name, _ in said]
    conversation = program.show(number)
    assert conversation is not None
    shown = conversation.node(node_id)
    assert not shown.complete
    assert shown.message.reasoning
    assert program.chat.answering_node == node_id
    said.clear()
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        pass
    node = arguments(finished)[0]
    grown = [value for name, value in said if name == "answer_grew"]
    assert shown.message.reasoning + "".join(growth.reasoning for growth in grown) == node.message.reasoning
    assert shown.message.content + "".join(growth.answer for growth in grown) == node.message.content


def test_an_answer_that_ends_unseen_is_there_on_return(start: Start) -> None:
    program = start(slow)
    program.begin(QUESTION)
    number = program.chat_id()
    program.show(None)
    program.qtbot.waitUntil(lambda: program.engine.state.phase is Phase.READY, timeout=ANSWER_MS)
    conversation = program.show(number)
    assert conversation is not None
    assert conversation.path()[-1].complete
    assert conversation.path()[-1].message.content
    assert not program.chat.busy


def test_two_chats_are_answered_one_after_the_other(start: Start) -> None:
    program = start(slow)
    program.begin(QUESTION)
    first = program.chat_id()
    program.show(None)
    with program.qtbot.waitSignals([program.chat.node_added] * 2):
        program.chat.send("Is it private?")
    assert program.chat.busy
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=2 * ANSWER_MS) as finished:
        pass
    assert arguments(finished)[0].message.content
    conversation = program.show(first)
    assert conversation is not None
    assert conversation.path()[-1].complete
    assert conversation.path()[-1].message.content


def test_an_answer_in_another_version_is_not_shown_in_this_one(start: Start) -> None:
    program = start(slow)
    program.begin(QUESTION)
    with program.qtbot.waitSignal(program.chat.answer_finished):
        program.chat.stop()
    first = program.path()[-1]
    with program.qtbot.waitSignal(program.chat.answer_grew, timeout=ANSWER_MS):
        program.chat.regenerate()
    with program.qtbot.waitSignal(program.chat.path_changed):
        program.chat.select_version(first.id)
    said = heard(program)
    program.qtbot.waitUntil(lambda: not program.chat.busy, timeout=ANSWER_MS)
    assert {name for name, _ in said} <= {"busy_changed", "listed"}
    current = program.chat.current()
    assert current is not None
    assert current.siblings(first.id)[1].message.content


def test_a_title_can_be_changed_and_not_be_nothing(start: Start) -> None:
    program = start()
    program.ask(QUESTION)
    with program.qtbot.waitSignal(
        program.chat.list.changed, check_params_cb=lambda chats: [c.title for c in chats] == ["About Alcove"]
    ):
        program.chat.list.rename(program.chat_id(), "  About \n Alcove ")
    current = program.chat.current()
    assert current is not None
    assert current.info.title == "About Alcove"
    program.chat.list.rename(program.chat_id(), "   ")
    program.chat.close()
    assert program.stored().info.title == "About Alcove"


def test_a_deleted_chat_can_be_put_back(start: Start) -> None:
    program = start()
    program.ask(QUESTION)
    number = program.chat_id()
    with program.qtbot.waitSignals([program.chat.list.deleted, program.chat.opened]):
        program.chat.list.delete(number)
    assert program.chat.list.chats() == ()
    assert program.chat.current() is None
    with program.qtbot.waitSignal(program.chat.opened):
        program.chat.undo_delete(number)
    assert len(program.path()) == 2
    assert len(program.chat.list.chats()) == 1


def test_a_chat_deleted_while_it_is_answered_stops(start: Start) -> None:
    program = start(slow)
    node_id = program.begin(QUESTION)
    number = program.chat_id()
    with program.qtbot.waitSignals([program.chat.list.deleted, program.chat.opened]):
        program.chat.list.delete(number)
    program.qtbot.waitUntil(lambda: program.engine.state.phase is Phase.READY)
    conversation = None
    with program.qtbot.waitSignal(program.chat.opened) as opened:
        program.chat.undo_delete(number)
    conversation = arguments(opened)[0]
    assert conversation.node(node_id).receipt.finish_reason is FinishReason.CANCELLED


def test_what_was_deleted_is_gone_after_the_end(start: Start) -> None:
    program = start()
    node = program.ask(QUESTION)
    number = program.chat_id()
    with program.qtbot.waitSignal(program.chat.list.deleted):
        program.chat.list.delete(number)
    program.chat.close()
    store = ChatStore(program.paths.chats_file)
    assert store.purge_deleted() == 0
    store.close()
    with pytest.raises(KeyError):
        program.stored(number)
    content = program.paths.chats_file.read_bytes()
    assert QUESTION.encode() not in content
    assert node.message.reasoning.encode() not in content


def test_drafts_belong_to_their_chat_and_outlive_the_program(start: Start) -> None:
    program = start()
    program.ask(QUESTION)
    number = program.chat_id()
    program.chat.save_draft("for this chat")
    with program.qtbot.waitSignal(program.chat.opened) as opened:
        program.chat.new_chat()
    assert arguments(opened) == [None, ""]
    program.chat.save_draft("for a new one")
    with program.qtbot.waitSignal(program.chat.opened) as opened:
        program.chat.open(number)
    assert arguments(opened)[1] == "for this chat"
    program.chat.save_draft("changed at the last moment")
    program.chat.close()
    restarted = start()
    with restarted.qtbot.waitSignal(restarted.chat.opened) as opened:
        restarted.chat.new_chat()
    assert arguments(opened)[1] == "for a new one"
    with restarted.qtbot.waitSignal(restarted.chat.opened) as opened:
        restarted.chat.open(number)
    assert arguments(opened)[1] == "changed at the last moment"


def test_what_is_typed_while_the_first_message_is_stored_goes_with_it(start: Start) -> None:
    program = start()
    with program.qtbot.waitSignals([program.chat.node_added] * 2):
        program.chat.send(QUESTION)
        program.chat.save_draft("the next thought")
    number = program.chat_id()
    with program.qtbot.waitSignal(program.chat.opened) as opened:
        program.chat.new_chat()
    assert arguments(opened) == [None, ""]
    with program.qtbot.waitSignal(program.chat.opened) as opened:
        program.chat.open(number)
    assert arguments(opened)[1] == "the next thought"


def test_quitting_keeps_what_was_said_so_far(start: Start) -> None:
    program = start(slow)
    node_id = program.begin(QUESTION)
    current = program.chat.current()
    assert current is not None
    so_far = current.node(node_id).message.reasoning
    program.chat.close()
    node = program.stored().node(node_id)
    assert node.complete
    assert node.receipt is not None
    assert node.receipt.finish_reason is FinishReason.CANCELLED
    assert node.receipt.usage.completion_tokens > 0
    assert node.receipt.timings.decode_s > 0
    assert node.message.reasoning.startswith(so_far)


class Disk(ChatStore):
    """A store that says when it has written."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.written = threading.Condition()
        self.drafts: list[str] = []
        self.reasoning: list[str] = []

    def save_draft(self, conversation_id: int | None, text: str) -> None:
        super().save_draft(conversation_id, text)
        with self.written:
            self.drafts.append(text)
            self.written.notify_all()

    def save_answer(
        self, node_id: int, message: Message, *, complete: bool, receipt: Receipt | None = None
    ) -> MessageNode:
        node = super().save_answer(node_id, message, complete=complete, receipt=receipt)
        with self.written:
            self.reasoning.append(message.reasoning)
            self.written.notify_all()
        return node


def test_quitting_stores_what_there_is_before_it_waits_for_the_engine(
    start: Start, paths: ProfilePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_saver, "SAVE_EVERY_MS", 1 << 30)
    disks: list[Disk] = []

    def open_store() -> ChatStore:
        disks.append(Disk(paths.chats_file))
        return disks[0]

    program = start(slow, open_store)
    disk = disks[0]
    node_id = program.begin(QUESTION)
    current = program.chat.current()
    assert current is not None
    so_far = current.node(node_id).message.reasoning
    assert so_far
    program.chat.save_draft("half a thought")
    close = program.engine.close

    def close_late() -> None:
        with disk.written:
            assert disk.written.wait_for(lambda: bool(disk.drafts and disk.reasoning), 30)
        assert disk.drafts[-1] == "half a thought"
        assert disk.reasoning[-1].startswith(so_far)
        close()

    monkeypatch.setattr(program.engine, "close", close_late)
    program.chat.close()
    assert program.engine.child_pid is None


def test_a_message_sent_on_the_way_to_a_fresh_chat_begins_that_chat(start: Start) -> None:
    program = start()
    program.ask(QUESTION)
    first = program.chat_id()
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS):
        program.chat.new_chat()
        program.chat.send("Is it private?")
    assert program.chat_id() != first
    assert [node.message.content for node in program.path() if node.message.role is Role.USER] == ["Is it private?"]


def test_what_is_typed_while_the_store_opens_stays(start: Start) -> None:
    program = start(opens=False)
    with program.qtbot.waitSignal(program.chat.opened) as opened:
        program.chat.save_draft("typed early")
    assert arguments(opened) == [None, "typed early"]
    program.chat.close()
    restarted = start(opens=False)
    with restarted.qtbot.waitSignal(restarted.chat.opened) as opened:
        pass
    assert arguments(opened) == [None, "typed early"]


def test_deleting_twice_is_deleting_once(start: Start) -> None:
    program = start()
    program.ask(QUESTION)
    number = program.chat_id()
    with program.qtbot.waitSignal(program.chat.list.deleted):
        program.chat.list.delete(number)
        program.chat.list.delete(number)
    program.show(None)
    assert not program.problems
