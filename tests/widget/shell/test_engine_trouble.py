"""An engine that dies or hangs is told in the bar, whose button goes on with the answer."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from PySide6.QtCore import Qt

from app.domain.generation import FinishReason
from app.services.payloads import Phase
from app.ui.shell.rail import Pane
from tests.services.slow_child import crawling, slow
from tests.widget.conftest import ANSWER_MS, Program, Start

LEFT = Qt.MouseButton.LeftButton
QUESTION = "What is Alcove?"

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


def begin(program: Program) -> None:
    """Ask, and wait for the first text."""
    with program.qtbot.waitSignal(program.chat.answer_grew, timeout=ANSWER_MS):
        program.window.type_and_send(QUESTION)


def hit(program: Program, number: int) -> None:
    """Send the engine child a signal."""
    pid = program.engine.child_pid
    assert pid is not None
    os.kill(pid, number)


def ended_well(program: Program) -> bool:
    """Whether the last answer is whole."""
    current = program.chat.current()
    assert current is not None
    receipt = current.path()[-1].receipt
    return receipt is not None and receipt.finish_reason is FinishReason.STOP


@posix
def test_an_answer_that_broke_off_goes_on_from_the_bar(start: Start) -> None:
    program = start(slow)
    bar = program.window.message_bar
    begin(program)
    hit(program, signal.SIGKILL)
    program.qtbot.waitUntil(lambda: bar.action_button.isVisible(), timeout=ANSWER_MS)
    assert bar.action_button.text() == "Reload and continue"
    assert bar.notice is not None
    assert "Your chats are safe" in bar.notice.what
    program.wait_answer(lambda: program.qtbot.mouseClick(bar.action_button, LEFT))
    assert not bar.isVisible()
    assert ended_well(program)
    assert program.window.chat_pane.transcript.plain_text().count(QUESTION) == 1
    current = program.chat.current()
    assert current is not None
    assert current.path()[-1].message.content in program.window.shown_text()


def break_off(program: Program) -> None:
    """Have an answer break off, and wait for the offer to go on with it."""
    bar = program.window.message_bar
    begin(program)
    hit(program, signal.SIGKILL)
    program.qtbot.waitUntil(lambda: bar.action_button.isVisible(), timeout=ANSWER_MS)
    assert bar.action_button.text() == "Reload and continue"


def show(program: Program, chat: int | None) -> None:
    """Go to another chat."""
    with program.qtbot.waitSignal(program.chat.opened):
        if chat is None:
            program.chat.new_chat()
        else:
            program.chat.open(chat)


@posix
def test_an_answer_that_broke_off_goes_on_from_another_chat(start: Start) -> None:
    program = start(slow)
    bar = program.window.message_bar
    break_off(program)
    chat = program.chat_id()
    show(program, None)
    assert bar.action_button.isVisible()
    program.wait_answer(lambda: program.qtbot.mouseClick(bar.action_button, LEFT))
    assert program.chat_id() == chat
    assert ended_well(program)
    assert not bar.isVisible()


@posix
@pytest.mark.parametrize("how", ["another message", "another version", "its own button", "deleted"])
def test_what_cannot_be_gone_on_with_any_more_is_not_offered(start: Start, how: str) -> None:
    program = start(slow)
    bar = program.window.message_bar
    break_off(program)
    chat = program.chat_id()
    current = program.chat.current()
    assert current is not None
    node = current.path()[-1].id
    match how:
        case "another message":
            program.ask(QUESTION)
        case "another version":
            program.wait_answer(program.chat.regenerate)
        case "its own button":
            program.wait_answer(lambda: program.chat.continue_answer(node))
        case _:
            show(program, None)
            with program.qtbot.waitSignal(program.chat.list.deleted):
                program.chat.list.delete(chat)
    assert bar.notice is None


@posix
def test_a_hanging_engine_is_told_and_started_again(start: Start) -> None:
    program = start(crawling)
    program.window.engine_trouble.set_patience(10)
    bar = program.window.message_bar
    begin(program)
    hit(program, signal.SIGSTOP)
    program.qtbot.waitUntil(lambda: bar.action_button.isVisible(), timeout=ANSWER_MS)
    assert program.engine.state.phase is Phase.STALLED
    assert program.window.status.button.text() == "Restart"
    program.wait_answer(lambda: program.qtbot.mouseClick(bar.action_button, LEFT))
    program.qtbot.waitUntil(lambda: ended_well(program), timeout=ANSWER_MS)
    assert not bar.isVisible()


@posix
def test_an_engine_that_wakes_up_takes_its_notice_back(start: Start) -> None:
    program = start(crawling)
    program.window.engine_trouble.set_patience(10)
    bar = program.window.message_bar
    begin(program)
    hit(program, signal.SIGSTOP)
    program.qtbot.waitUntil(bar.isVisible, timeout=ANSWER_MS)
    hit(program, signal.SIGCONT)
    program.qtbot.waitUntil(lambda: not bar.isVisible(), timeout=ANSWER_MS)
    program.chat.stop()
    program.qtbot.waitUntil(lambda: not program.chat.busy, timeout=ANSWER_MS)


def test_a_stopped_answer_has_a_button_that_goes_on(start: Start) -> None:
    program = start(slow)
    view = program.window.chat_pane.transcript
    begin(program)
    program.wait_answer(program.chat.stop)
    current = program.chat.current()
    assert current is not None
    node = current.path()[-1].id
    program.qtbot.waitUntil(lambda: view.button(node, "continue") is not None)
    button = view.button(node, "continue")
    assert button is not None
    assert button.text() == "Continue"
    program.wait_answer(lambda: program.qtbot.mouseClick(button, LEFT))
    assert ended_well(program)
    program.qtbot.waitUntil(lambda: view.button(node, "continue") is None)
    program.ask(QUESTION)
    assert view.button(node, "continue") is None


def test_the_card_in_use_says_where_the_model_runs(start: Start) -> None:
    program = start()
    program.wait_ready()
    program.window.show_pane(Pane.MODELS)
    (card,) = program.window.models_pane.cards
    assert "Runs on the processor" in card.explanation
    program.engine.unload()
    program.qtbot.waitUntil(lambda: card.explanation == "", timeout=ANSWER_MS)
    assert program.window.status.button.text() == "Load"
    program.qtbot.mouseClick(program.window.status.button, LEFT)
    program.wait_ready()
    assert "Runs on the processor" in card.explanation
