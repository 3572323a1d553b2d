"""What goes wrong around a chat costs no text, is said in words, and the next message works."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.domain.conversation import Dialogue, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.domain.generation import FinishReason, Receipt, Sampling
from app.domain.settings import CONTEXT_LENGTH, CURRENT_MODEL
from app.domain.tree import Conversation, MessageNode
from app.engine.client import EngineClient
from app.engine.frames import MAX_REQUEST_BYTES
from app.engine.model_loading import Target
from app.resources import DEMO_MODEL
from app.services import answer_saver
from app.services.engine_reports import AnswerWish, Ended, Report
from app.services.engine_service import EngineService
from app.services.payloads import Phase
from app.store.chats import ChatStore
from app.store.paths import ProfilePaths
from tests.services.conftest import ANSWER_MS, Program, Start, arguments, reason
from tests.services.slow_child import breaks_once, dies_at_once, slow, talks_nonsense

QUESTION = "What is Alcove?"
# A second to notice, and what a busy machine takes beside it.
NOTICED_MS = 3000

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


def hit(program: Program, number: int) -> None:
    """Send the engine child a signal."""
    pid = program.engine.child_pid
    assert pid is not None
    os.kill(pid, number)


def is_phase(program: Program, phase: Phase) -> Callable[[], bool]:
    return lambda: program.engine.state.phase is phase


@posix
def test_a_killed_engine_costs_nothing_that_was_said(start: Start) -> None:
    program = start(slow)
    node_id = program.begin(QUESTION)
    current = program.chat.current()
    assert current is not None
    so_far = current.node(node_id).message.reasoning
    with program.qtbot.waitSignals([program.chat.answer_finished, program.chat.broken_off], timeout=NOTICED_MS):
        hit(program, signal.SIGKILL)
    node = program.path()[-1]
    assert node.id == node_id
    assert not node.complete
    assert node.receipt is not None
    assert node.receipt.finish_reason is FinishReason.ERROR
    assert so_far
    assert node.message.reasoning.startswith(so_far)
    assert [error.code for error in program.problems] == [ErrorCode.ENGINE_DIED]
    assert program.engine.state.phase is Phase.FAILED
    assert not program.chat.busy
    program.chat.send(QUESTION)
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        pass
    assert arguments(finished)[0].receipt.finish_reason is FinishReason.STOP
    program.chat.close()
    stored = program.stored().node(node_id)
    assert stored == node


@posix
def test_a_death_while_idle_is_noticed(start: Start) -> None:
    program = start()
    program.wait_ready()
    hit(program, signal.SIGKILL)
    program.qtbot.waitUntil(is_phase(program, Phase.FAILED), timeout=NOTICED_MS)
    error = program.engine.state.error
    assert error is not None
    assert error.code is ErrorCode.ENGINE_DIED
    assert program.ask(QUESTION).complete


@posix
def test_a_dead_engine_is_loaded_again_when_asked(start: Start) -> None:
    program = start()
    program.wait_ready()
    hit(program, signal.SIGKILL)
    program.qtbot.waitUntil(is_phase(program, Phase.FAILED), timeout=NOTICED_MS)
    program.chat.reload_model()
    program.wait_ready()


@posix
def test_a_stopped_engine_stalls_and_resumes(start: Start) -> None:
    program = start(slow)
    node_id = program.begin(QUESTION)
    hit(program, signal.SIGSTOP)
    program.qtbot.waitUntil(is_phase(program, Phase.STALLED), timeout=NOTICED_MS)
    assert program.chat.busy
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        hit(program, signal.SIGCONT)
    node = arguments(finished)[0]
    assert node.id == node_id
    assert node.receipt.finish_reason is FinishReason.STOP
    phases = [state.phase for state in program.states]
    assert Phase.ANSWERING in phases[phases.index(Phase.STALLED) :]


@posix
def test_a_stopped_engine_can_be_given_up(start: Start) -> None:
    program = start(slow)
    program.begin(QUESTION)
    hit(program, signal.SIGSTOP)
    program.qtbot.waitUntil(is_phase(program, Phase.STALLED), timeout=NOTICED_MS)
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=NOTICED_MS) as finished:
        program.chat.stop()
    node = arguments(finished)[0]
    assert node.receipt.finish_reason is FinishReason.CANCELLED
    assert node.message.reasoning
    assert reason(program.ask("Is it private?")) is FinishReason.STOP


@posix
def test_a_stopped_engine_does_not_hold_up_the_end(start: Start) -> None:
    program = start(slow)
    node_id = program.begin(QUESTION)
    hit(program, signal.SIGSTOP)
    program.qtbot.waitUntil(is_phase(program, Phase.STALLED), timeout=NOTICED_MS)
    program.chat.close()
    assert program.stored().node(node_id).message.reasoning


def test_an_engine_that_cannot_start_says_so(start: Start) -> None:
    program = start(dies_at_once)
    node = program.ask(QUESTION)
    assert not node.complete
    assert {error.code for error in program.problems} == {ErrorCode.ENGINE_START_FAILED}
    assert program.engine.state.phase is Phase.FAILED


def test_an_engine_that_talks_nonsense_is_ended(start: Start) -> None:
    program = start(talks_nonsense)
    node = program.ask(QUESTION)
    assert not node.complete
    assert {error.code for error in program.problems} == {ErrorCode.ENGINE_GARBAGE}


def test_a_failed_decode_keeps_the_text_and_the_model_is_loaded_again(start: Start) -> None:
    program = start(breaks_once)
    program.wait_ready()
    node = program.ask(QUESTION)
    assert not node.complete
    assert node.message.reasoning
    assert [error.code for error in program.problems] == [ErrorCode.DECODE_FAILED]
    assert program.ask("Is it private?").complete
    phases = [state.phase for state in program.states]
    assert Phase.LOADING in phases[phases.index(Phase.READY) :]


def test_a_bug_in_the_worker_ends_the_answer_and_is_said(qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    def make_client(_graphics: bool) -> EngineClient:
        raise ZeroDivisionError

    engine = EngineService(make_client)
    reports: list[Report] = []
    engine.reported.connect(reports.append)
    dialogue = Dialogue((Message(Role.USER, QUESTION),), date="2026-01-01")
    job = engine.generate(Target("nowhere", "Nowhere"), AnswerWish(dialogue, Sampling()))
    qtbot.waitUntil(lambda: bool(reports))
    engine.close()
    (ended,) = reports
    assert isinstance(ended, Ended)
    assert ended.job_id == job
    assert ended.error is not None
    assert ended.error.code is ErrorCode.BUG
    assert "ZeroDivisionError" in caplog.text
    assert engine.state.phase is Phase.FAILED


def test_a_missing_model_is_said_and_another_one_works(start: Start, tmp_path: Path) -> None:
    model = tmp_path / "moved.gguf"
    model.write_bytes(DEMO_MODEL.read_bytes())
    program = start()
    program.wait_ready()
    with program.qtbot.waitSignal(program.models.current_changed):
        program.models.add_file(model)
    program.wait_ready()
    assert program.problems == []
    program.chat.close()
    model.unlink()
    restarted = start()
    with restarted.qtbot.waitSignal(restarted.chat.problem, timeout=ANSWER_MS) as problem:
        pass
    assert arguments(problem)[0].code is ErrorCode.FILE_NOT_FOUND
    node = restarted.ask(QUESTION)
    assert not node.complete
    restarted.settings.reset(CURRENT_MODEL.key)
    restarted.wait_ready()
    with restarted.qtbot.waitSignal(restarted.chat.answer_finished, timeout=ANSWER_MS) as finished:
        restarted.chat.regenerate()
    assert arguments(finished)[0].message.content


def test_a_message_longer_than_the_context_is_refused_and_the_chat_goes_on(start: Start) -> None:
    program = start()
    program.settings.set_value(CONTEXT_LENGTH.key, 8192)
    node = program.ask("word " * 20_000)
    assert not node.complete
    assert [error.code for error in program.problems] == [ErrorCode.MESSAGE_TOO_LONG]
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        program.chat.edit(program.path()[0].id, QUESTION)
    assert arguments(finished)[0].complete


def test_a_message_longer_than_a_frame_is_refused(start: Start) -> None:
    program = start()
    node = program.ask("x" * MAX_REQUEST_BYTES)
    assert not node.complete
    assert [error.code for error in program.problems] == [ErrorCode.INVALID_REQUEST]


def test_a_store_that_does_not_open_gives_the_text_back(start: Start, tmp_path: Path) -> None:
    def open_store() -> ChatStore:
        raise UserError(ErrorCode.STORE_NEWER, path="chats.sqlite3")

    program = start(open_store=open_store, opens=False)
    program.qtbot.waitUntil(lambda: bool(program.problems))
    with program.qtbot.waitSignal(program.chat.returned) as returned:
        program.chat.send(QUESTION)
    assert arguments(returned) == [QUESTION]
    assert {error.code for error in program.problems} == {ErrorCode.STORE_NEWER}
    assert not program.chat.busy


def after_a_crash(program: Program, tmp_path: Path) -> Conversation:
    """The first chat as it would be read if the program were killed now."""
    copy = tmp_path / "crashed"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(program.paths.data_folder, copy)
    store = ChatStore(copy / program.paths.chats_file.name)
    try:
        return store.conversation(1)
    finally:
        store.close()


class FullDisk(ChatStore):
    """A store whose disk is full while ``full`` says so."""

    full = False

    def save_answer(
        self, node_id: int, message: Message, *, complete: bool, receipt: Receipt | None = None
    ) -> MessageNode:
        self._check()
        return super().save_answer(node_id, message, complete=complete, receipt=receipt)

    def append(
        self, conversation_id: int, parent: int | None, message: Message, *, complete: bool = True
    ) -> MessageNode:
        if message.role == "assistant":
            self._check()
        return super().append(conversation_id, parent, message, complete=complete)

    def _check(self) -> None:
        if self.full:
            raise UserError(ErrorCode.DISK_FULL, path="/")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> type[FullDisk]:
    """A disk that can be filled and freed."""
    monkeypatch.setattr(FullDisk, "full", False)
    return FullDisk


def test_on_a_full_disk_the_answer_stays_in_memory_and_is_stored_later(
    start: Start, disk: type[FullDisk], paths: ProfilePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_saver, "RETRY_EVERY_MS", 100)
    program = start(slow, lambda: disk(paths.chats_file))
    node_id = program.begin(QUESTION)
    number = program.chat_id()
    disk.full = True
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        pass
    node = arguments(finished)[0]
    program.qtbot.waitUntil(lambda: bool(program.problems))
    program.show(None)
    conversation = program.show(number)
    assert conversation is not None
    assert conversation.node(node_id) == node
    assert [error.code for error in program.problems] == [ErrorCode.DISK_FULL]
    disk.full = False
    program.qtbot.waitUntil(lambda: after_a_crash(program, tmp_path).node(node_id) == node)
    program.chat.close()
    assert program.stored().node(node_id) == node


def test_a_question_that_cannot_be_stored_comes_back_and_leaves_nothing(
    start: Start, disk: type[FullDisk], paths: ProfilePaths
) -> None:
    program = start(open_store=lambda: disk(paths.chats_file))
    disk.full = True
    with program.qtbot.waitSignals([program.chat.returned, program.chat.problem]):
        program.chat.send(QUESTION)
    assert [error.code for error in program.problems] == [ErrorCode.DISK_FULL]
    assert program.chat.current() is None
    disk.full = False
    assert program.ask(QUESTION).complete
    assert len(program.chat.list.chats()) == 1


def test_a_growing_answer_is_on_the_disk_within_a_second(start: Start, tmp_path: Path) -> None:
    program = start(slow)
    node_id = program.begin(QUESTION)

    def on_disk() -> MessageNode:
        return after_a_crash(program, tmp_path).node(node_id)

    program.qtbot.waitUntil(lambda: bool(on_disk().message.reasoning), timeout=1000)
    current = program.chat.current()
    assert current is not None
    assert not current.node(node_id).complete
    assert current.node(node_id).message.reasoning.startswith(on_disk().message.reasoning)
