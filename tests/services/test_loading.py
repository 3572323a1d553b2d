"""Loading a model never stands in the way: it can be stopped, changed and interrupted."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from app.domain.errors import ErrorCode
from app.domain.generation import FinishReason
from app.domain.settings import CONTEXT_LENGTH, THREADS
from app.hub.library import DEMO_ID
from app.resources import DEMO_MODEL
from app.services.payloads import EngineState, Phase
from tests.services.conftest import ANSWER_MS, Program, Start, arguments, reason
from tests.services.slow_child import loads_slowly, slow

QUESTION = "What is Alcove?"
SOON_S = 5


@pytest.fixture
def loading(start: Start, tmp_path: Path) -> Program:
    """A program in the middle of loading a large model."""
    file = tmp_path / "slow.gguf"
    file.write_bytes(DEMO_MODEL.read_bytes())
    program = start(loads_slowly)
    with program.qtbot.waitSignal(program.models.current_changed):
        program.models.add_file(file)
    program.qtbot.waitUntil(lambda: 0 < program.engine.state.progress < 1, timeout=ANSWER_MS)
    assert program.engine.state.phase is Phase.LOADING
    return program


def test_progress_rises(loading: Program) -> None:
    loading.states.clear()
    loading.qtbot.waitUntil(lambda: len(loading.states) >= 5)
    fractions = [state.progress for state in loading.states]
    assert fractions == sorted(fractions)


def test_another_model_can_be_chosen_meanwhile(loading: Program) -> None:
    begin = time.monotonic()
    loading.models.select(DEMO_ID)
    with loading.qtbot.waitSignal(
        loading.engine.state_changed, timeout=ANSWER_MS, check_params_cb=lambda state: state.phase is Phase.READY
    ):
        pass
    assert loading.engine.state.model_name == "Demo guide (built in)"
    assert time.monotonic() - begin < SOON_S
    assert loading.problems == []


def test_an_answer_that_waits_for_it_can_be_stopped(loading: Program) -> None:
    with loading.qtbot.waitSignals([loading.chat.node_added] * 2):
        loading.chat.send(QUESTION)
    with loading.qtbot.waitSignal(loading.chat.answer_finished, timeout=2000) as finished:
        loading.chat.stop()
    assert reason(arguments(finished)[0]) is FinishReason.CANCELLED
    assert loading.engine.state.phase is Phase.LOADING


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_two_deaths_meanwhile_end_the_answer_that_waits(loading: Program) -> None:
    with loading.qtbot.waitSignals([loading.chat.node_added] * 2):
        loading.chat.send(QUESTION)
    first = loading.engine.child_pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    loading.qtbot.waitUntil(
        lambda: loading.engine.child_pid not in (None, first) and 0 < loading.engine.state.progress < 1,
        timeout=ANSWER_MS,
    )
    second = loading.engine.child_pid
    assert second is not None
    with loading.qtbot.waitSignal(loading.chat.answer_finished, timeout=3000) as finished:
        os.kill(second, signal.SIGKILL)
    assert reason(arguments(finished)[0]) is FinishReason.ERROR
    assert [error.code for error in loading.problems] == [ErrorCode.ENGINE_DIED]
    assert loading.engine.state.phase is Phase.FAILED


def test_the_end_of_the_program_does_not_wait_for_it(loading: Program) -> None:
    begin = time.monotonic()
    loading.chat.close()
    assert time.monotonic() - begin < SOON_S


def test_a_model_chosen_during_an_answer_is_loaded_after_it(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "other.gguf"
    file.write_bytes(DEMO_MODEL.read_bytes())
    program = start(slow)
    program.begin(QUESTION)
    other: list[EngineState] = []
    program.engine.state_changed.connect(lambda state: other.append(state) if state.phase is Phase.LOADING else None)
    program.models.add_file(file)
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        pass
    assert reason(arguments(finished)[0]) is FinishReason.STOP
    program.qtbot.waitUntil(lambda: bool(other), timeout=ANSWER_MS)
    program.wait_ready()
    node = program.ask("Is it private?")
    assert node.receipt is not None
    assert node.receipt.model == program.models.current().name != "Demo guide (built in)"


def test_settings_of_the_hardware_count_with_the_next_load(start: Start) -> None:
    program = start()
    program.wait_ready()
    before = program.engine.state.context
    program.settings.set_value(CONTEXT_LENGTH.key, 1024)
    program.settings.set_value(THREADS.key, 1)
    assert program.ask(QUESTION).complete
    assert program.engine.state.context == 1024 != before
