"""A child that lives and does nothing is told, can be stopped and started again, and costs no text."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.domain.errors import ErrorCode
from app.domain.generation import FinishReason
from app.hub.library import DEMO_ID
from app.resources import DEMO_MODEL
from app.services import hang_watch
from app.services.hang_watch import GAPS, OBEY_S, READING_S, SILENT_OBEY_S, WRITING_S, HangWatch, Verdict
from app.services.payloads import Phase
from app.store.paths import ProfilePaths
from tests.services.conftest import ANSWER_MS, Program, Start, arguments, reason
from tests.services.slow_child import TROUBLE, hangs_when_it_loads, hangs_when_it_unloads, troubled

QUESTION = "What is Alcove?"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests need not wait as long as a person may."""
    monkeypatch.setattr(hang_watch, "WRITING_S", 0.3)
    monkeypatch.setattr(hang_watch, "GAPS", 2)
    monkeypatch.setattr(hang_watch, "SILENT_OBEY_S", 0.3)
    monkeypatch.setattr("app.services.engine_worker.OBEY_S", 0.3)
    monkeypatch.setattr("app.services.engine_worker.KEEP_S", 0.3)


@pytest.fixture
def hang(paths: ProfilePaths) -> Path:
    """While this file is there a child hangs at its twentieth token."""
    file = paths.log_folder / TROUBLE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("hang", encoding="ascii")
    return file


def is_phase(program: Program, phase: Phase) -> Callable[[], bool]:
    """Whether the engine is in this phase."""
    return lambda: program.engine.state.phase is phase


def begin_and_hang(start: Start) -> Program:
    """A program whose answer does not go on."""
    program = start(troubled)
    program.begin(QUESTION)
    program.qtbot.waitUntil(is_phase(program, Phase.STALLED), timeout=ANSWER_MS)
    assert program.chat.busy
    return program


def test_an_answer_that_does_not_go_on_is_told_until_it_does(start: Start, hang: Path) -> None:
    program = begin_and_hang(start)
    program.states.clear()
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        hang.unlink()
    assert reason(arguments(finished)[0]) is FinishReason.STOP
    assert program.states[0].phase is Phase.ANSWERING
    assert program.problems == []
    assert program.children == 1


def test_it_can_be_stopped_and_what_was_said_stays(start: Start, hang: Path) -> None:
    program = begin_and_hang(start)
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        program.chat.stop()
    stopped = arguments(finished)[0]
    assert reason(stopped) is FinishReason.CANCELLED
    assert stopped.message.reasoning
    hang.unlink()
    assert program.ask(QUESTION).complete
    assert program.children == 2
    assert program.problems == []


def test_it_can_be_stopped_before_its_silence_is_noticed(
    start: Start, hang: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hang_watch, "WRITING_S", math.inf)
    program = start(troubled)
    program.begin(QUESTION)
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        program.chat.stop()
    assert reason(arguments(finished)[0]) is FinishReason.CANCELLED
    hang.unlink()
    assert program.ask(QUESTION).complete


def test_it_can_be_started_again_and_goes_on(start: Start, hang: Path) -> None:
    program = begin_and_hang(start)
    with program.qtbot.waitSignal(program.chat.broken_off, timeout=ANSWER_MS) as broken:
        program.engine.abandon()
    error, node_id = arguments(broken)
    assert error.code is ErrorCode.ENGINE_HUNG
    so_far = program.path()[-1].message.reasoning
    assert so_far
    hang.unlink()
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        program.chat.continue_answer(node_id)
    whole = arguments(finished)[0]
    assert reason(whole) is FinishReason.STOP
    assert whole.message.reasoning.startswith(so_far)


@pytest.mark.usefixtures("hang")
def test_it_does_not_hold_up_the_end_of_the_program(start: Start) -> None:
    program = begin_and_hang(start)
    begin = time.monotonic()
    program.chat.close()
    assert time.monotonic() - begin < 10
    assert program.path()[-1].message.reasoning


@pytest.fixture
def loading(start: Start, tmp_path: Path) -> Program:
    """A program whose model is never loaded."""
    file = tmp_path / "slow.gguf"
    file.write_bytes(DEMO_MODEL.read_bytes())
    program = start(hangs_when_it_loads)
    program.wait_ready()
    program.models.add_file(file)
    program.qtbot.waitUntil(lambda: program.engine.state.progress > 0, timeout=ANSWER_MS)
    assert program.engine.state.phase is Phase.LOADING
    return program


def test_a_load_that_hangs_can_be_given_up(loading: Program) -> None:
    name = loading.engine.state.model_name
    loading.engine.unload()
    loading.qtbot.waitUntil(is_phase(loading, Phase.UNLOADED), timeout=ANSWER_MS)
    assert loading.engine.child_pid is None
    assert loading.engine.state.model_name == name
    assert loading.problems == []


def test_another_model_can_be_chosen_in_place_of_one_that_hangs(loading: Program) -> None:
    loading.models.select(DEMO_ID)
    loading.wait_ready()
    assert loading.ask(QUESTION).complete


def test_memory_that_is_not_given_back_is_taken(start: Start) -> None:
    program = start(hangs_when_it_unloads)
    program.wait_ready()
    program.engine.unload()
    program.qtbot.waitUntil(lambda: program.engine.state.freed, timeout=ANSWER_MS)
    assert program.engine.child_pid is None
    assert program.problems == []


# ---- The watch itself ----


class Clock:
    """A clock that is put forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """As the module's."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The watch's own clock, and its usual patience."""
    monkeypatch.undo()
    clock = Clock()
    monkeypatch.setattr(hang_watch, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def test_who_has_nothing_to_do_is_fine(clock: Clock) -> None:
    watch = HangWatch()
    clock.now += 1e6
    assert watch.verdict() is Verdict.FINE
    assert watch.left() == math.inf


def test_reading_may_take_longer_than_writing(clock: Clock) -> None:
    watch = HangWatch()
    watch.begin()
    assert watch.left() == READING_S
    clock.now += READING_S - 1
    watch.heard(writing=False)
    clock.now += READING_S - 1
    assert watch.verdict() is Verdict.FINE
    watch.heard(writing=True)
    assert watch.left() == WRITING_S
    clock.now += WRITING_S
    assert watch.verdict() is Verdict.SILENT
    assert watch.left() == math.inf
    watch.heard(writing=True)
    assert watch.verdict() is Verdict.FINE


def test_who_writes_slowly_may_be_silent_for_longer(clock: Clock) -> None:
    watch = HangWatch()
    watch.begin()
    watch.heard(writing=True)
    clock.now += 2
    watch.heard(writing=True)
    clock.now += 1
    watch.heard(writing=True)
    assert watch.left() == GAPS * 2 > WRITING_S
    watch.begin()
    watch.heard(writing=True)
    assert watch.left() == WRITING_S


def test_who_is_told_to_stop_has_little_time(clock: Clock) -> None:
    watch = HangWatch()
    watch.begin()
    watch.told(OBEY_S)
    assert watch.left() == OBEY_S
    clock.now += OBEY_S - 1
    watch.told(OBEY_S)  # as often as the worker looks
    assert watch.left() == 1
    clock.now += 1
    assert watch.verdict() is Verdict.DEAF
    watch.rest()
    assert watch.verdict() is Verdict.FINE


def test_who_is_silent_and_told_to_stop_has_less(clock: Clock) -> None:
    watch = HangWatch()
    watch.begin()
    clock.now += READING_S
    watch.told(OBEY_S)
    assert watch.left() == SILENT_OBEY_S < OBEY_S
