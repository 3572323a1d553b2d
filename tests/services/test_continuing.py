"""An answer that broke off goes on in its place; an engine that hangs can be ended."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack

import pytest

from app.domain.conversation import Message
from app.domain.errors import ErrorCode
from app.domain.generation import FinishReason
from app.domain.tree import MessageNode
from app.services.payloads import Phase
from app.store.paths import ProfilePaths
from tests.services.conftest import ANSWER_MS, Program, Start, arguments, reason
from tests.services.slow_child import TROUBLE, slow, talks_nonsense, troubled
from tests.support.memory_limit import memory_limit

QUESTION = "What is Alcove?"
NOTICED_MS = 3000

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux's own limits")


def hit(program: Program, number: int) -> None:
    """Send the engine child a signal."""
    pid = program.engine.child_pid
    assert pid is not None
    os.kill(pid, number)


def said(message: Message) -> str:
    """All of an answer's text."""
    return message.reasoning + message.content


def begin_and_break(program: Program) -> MessageNode:
    """A node whose answer broke off in its middle."""
    program.begin(QUESTION)
    with program.qtbot.waitSignals([program.chat.answer_finished, program.chat.broken_off], timeout=NOTICED_MS):
        hit(program, signal.SIGKILL)
    node = program.path()[-1]
    assert said(node.message)
    return node


def go_on(program: Program, node: MessageNode) -> MessageNode:
    """Continue an answer, and wait for its end."""
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        program.chat.continue_answer(node.id)
    return arguments(finished)[0]


@posix
def test_an_answer_goes_on_after_the_engines_death(start: Start) -> None:
    program = start(slow)
    broken = begin_and_break(program)
    resumed: list[MessageNode] = []
    program.chat.answer_resumed.connect(resumed.append)
    whole = go_on(program, broken)
    assert [(node.id, node.complete, node.message) for node in resumed] == [(broken.id, False, broken.message)]
    assert whole.id == broken.id
    assert whole.complete
    assert whole.message.reasoning.startswith(broken.message.reasoning)
    assert whole.message.content
    assert reason(whole) is FinishReason.STOP
    assert len(program.path()) == 2
    program.chat.close()
    assert program.stored().node(whole.id) == whole


@posix
@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        ("nonsense", ErrorCode.ENGINE_GARBAGE),
        pytest.param("want of memory", ErrorCode.OUT_OF_MEMORY, marks=linux),
        pytest.param("eats memory", ErrorCode.ENGINE_OUT_OF_MEMORY, marks=linux),
    ],
)
def test_an_answer_goes_on_after_trouble_in_its_middle(
    start: Start, paths: ProfilePaths, trouble: str, code: ErrorCode
) -> None:
    file = paths.log_folder / TROUBLE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(trouble, encoding="ascii")
    program = start(troubled)
    with ExitStack() as limits:
        if trouble == "eats memory":
            program.wait_ready()
            pid = program.engine.child_pid
            assert pid is not None
            limits.enter_context(memory_limit(pid, 100 << 20))
        with program.qtbot.waitSignal(program.chat.broken_off, timeout=ANSWER_MS) as broken:
            program.chat.send(QUESTION)
    error, node_id = arguments(broken)
    assert error.code is code
    node = program.path()[-1]
    assert node.id == node_id
    assert reason(node) is FinishReason.ERROR
    assert said(node.message)
    file.unlink()
    whole = go_on(program, node)
    assert reason(whole) is FinishReason.STOP
    assert said(whole.message).startswith(said(node.message))


@posix
def test_a_broken_off_answer_is_offered_with_its_node(start: Start) -> None:
    program = start(slow)
    program.begin(QUESTION)
    with program.qtbot.waitSignal(program.chat.broken_off, timeout=NOTICED_MS) as broken:
        hit(program, signal.SIGKILL)
    error, node_id = arguments(broken)
    assert error.code is ErrorCode.ENGINE_DIED
    assert node_id == program.path()[-1].id


@posix
def test_while_it_goes_on_it_grows_and_can_break_again(start: Start) -> None:
    program = start(slow)
    first = begin_and_break(program)
    grown: list[str] = []
    program.chat.answer_grew.connect(lambda growth: grown.append(growth.reasoning + growth.answer))
    with program.qtbot.waitSignal(program.chat.answer_grew, timeout=ANSWER_MS):
        program.chat.continue_answer(first.id)
    assert program.chat.busy
    assert program.chat.answering_node == first.id
    with program.qtbot.waitSignal(program.chat.broken_off, timeout=NOTICED_MS):
        hit(program, signal.SIGKILL)
    second = program.path()[-1]
    assert said(second.message) == said(first.message) + "".join(grown)
    assert not second.complete
    assert go_on(program, second).complete


def test_a_stopped_answer_goes_on(start: Start) -> None:
    program = start(slow)
    program.begin(QUESTION)
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        program.chat.stop()
    stopped = arguments(finished)[0]
    assert reason(stopped) is FinishReason.CANCELLED
    whole = go_on(program, stopped)
    assert reason(whole) is FinishReason.STOP
    assert said(whole.message).startswith(said(stopped.message))
    assert stopped.receipt is not None
    assert whole.receipt is not None
    assert whole.receipt.usage.completion_tokens > stopped.receipt.usage.completion_tokens


def test_an_answer_that_never_began_is_made_whole(start: Start) -> None:
    program = start(talks_nonsense)
    node = program.ask(QUESTION)
    assert not said(node.message)
    assert {error.code for error in program.problems} == {ErrorCode.ENGINE_GARBAGE}
    assert not go_on(program, node).complete  # the same again, and nothing is lost of the chat
    assert len(program.path()) == 2


def test_what_is_no_cut_answer_is_not_gone_on_with(start: Start) -> None:
    program = start()
    program.chat.continue_answer(1)
    program.ask(QUESTION)
    question, first = program.path()
    program.chat.continue_answer(question.id)
    assert not program.chat.busy
    program.ask("Is it private?")
    program.chat.continue_answer(first.id)
    assert not program.chat.busy


@posix
def test_a_hanging_engine_is_ended_and_the_answer_goes_on(start: Start) -> None:
    program = start(slow)
    program.begin(QUESTION)
    hit(program, signal.SIGSTOP)
    program.qtbot.waitUntil(lambda: program.engine.state.phase is Phase.STALLED, timeout=NOTICED_MS)
    with program.qtbot.waitSignal(program.chat.broken_off, timeout=NOTICED_MS) as broken:
        program.engine.abandon()
    error, node_id = arguments(broken)
    assert "did not respond" in error.what
    program.chat.continue_answer(node_id)
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        pass
    assert reason(arguments(finished)[0]) is FinishReason.STOP


@posix
def test_an_engine_that_hangs_while_idle_is_loaded_again(start: Start) -> None:
    program = start()
    program.wait_ready()
    hit(program, signal.SIGSTOP)
    program.qtbot.waitUntil(lambda: program.engine.state.phase is Phase.STALLED, timeout=NOTICED_MS)
    program.engine.abandon()
    program.wait_ready()
    assert program.children == 2
