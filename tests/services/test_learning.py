"""A load that fails is tried in a safer way by itself, once, and what was learned is remembered."""

from __future__ import annotations

import sys

import pytest

from app.domain.errors import ErrorCode
from app.domain.generation import FinishReason
from app.domain.settings import CONTEXT_LENGTH
from app.engine.client import Entry
from app.services.payloads import Phase
from app.services.settings_service import SettingsService
from tests.services.conftest import ANSWER_MS, Program, Start, arguments, reason
from tests.support import loading_children as children
from tests.support.loading_children import MODEST

QUESTION = "What is Alcove?"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (children.crashes_when_large, "signal SIGABRT"),
        (children.first_decode_crashes_when_large, "signal SIGABRT"),
        (children.lacks_memory_when_large, "there was not enough memory"),
    ],
    ids=["crash", "first decode", "memory"],
)
def test_a_failed_load_is_tried_again_in_a_safer_way_and_said(start: Start, entry: Entry, why: str) -> None:
    program = start(entry)
    program.wait_ready()
    program.qtbot.waitUntil(lambda: bool(program.problems))
    (said,) = program.problems
    assert said.code is ErrorCode.LOADED_SAFER
    assert why in said.what
    assert program.engine.state.context == MODEST
    assert program.ask(QUESTION).complete


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's own limit")
def test_real_want_of_memory_leads_to_a_smaller_plan(start: Start, settings: SettingsService) -> None:
    settings.set_value(CONTEXT_LENGTH.key, 131_072)
    program = start(children.starved)
    program.wait_ready()
    program.qtbot.waitUntil(lambda: bool(program.problems))
    assert [error.code for error in program.problems] == [ErrorCode.LOADED_SAFER]
    assert program.engine.state.context <= MODEST
    assert program.ask(QUESTION).complete


def test_what_crashed_is_not_tried_again(start: Start) -> None:
    program = start(children.crashes_when_large)
    program.wait_ready()
    assert program.children == 2
    program.chat.close()

    again = start(children.crashes_when_large)
    again.wait_ready()
    assert again.children == 1
    assert again.engine.state.context == MODEST
    assert "could not be loaded in the usual way" in again.engine.state.explanation
    assert again.problems == []


def test_another_machine_is_another_matter(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    program = start(children.crashes_when_large)
    program.wait_ready()
    program.chat.close()
    monkeypatch.setattr("app.engine.plan_memory.llama_version", lambda: "1000.0")  # or llama.cpp
    again = start(children.crashes_when_large)
    again.wait_ready()
    assert again.children == 2


def test_what_always_crashes_is_tried_twice_and_then_only_when_one_insists(start: Start) -> None:
    program = start(children.always_crashes)
    program.qtbot.waitUntil(lambda: program.engine.state.phase is Phase.FAILED, timeout=ANSWER_MS)
    assert program.children == 2
    program.qtbot.waitUntil(lambda: [e.code for e in program.problems] == [ErrorCode.ENGINE_DIED])

    def reload(code: ErrorCode, children: int) -> None:
        program.problems.clear()
        program.chat.reload_model()
        program.qtbot.waitUntil(lambda: [e.code for e in program.problems] == [code], timeout=ANSWER_MS)
        assert program.children == children

    reload(ErrorCode.ENGINE_DIED, 3)  # the last of three plans
    reload(ErrorCode.ALWAYS_CRASHED, 4)
    assert not program.ask(QUESTION).complete
    assert program.children == 4
    reload(ErrorCode.ENGINE_DIED, 5)


def test_a_driver_that_kills_every_child_is_left_alone(start: Start) -> None:
    program = start(children.driver_kills_it)
    program.wait_ready()
    program.qtbot.waitUntil(lambda: bool(program.problems))
    assert [error.code for error in program.problems] == [ErrorCode.LOADED_ON_PROCESSOR]
    assert program.ask(QUESTION).complete


@pytest.fixture
def second_try(start: Start) -> Program:
    """A program in the middle of the second try."""
    program = start(children.crashes_then_loads_slowly)
    program.qtbot.waitUntil(lambda: program.children == 2 and 0 < program.engine.state.progress < 1, timeout=ANSWER_MS)
    return program


def test_the_second_try_can_be_given_up(second_try: Program) -> None:
    program = second_try
    program.engine.unload()
    program.qtbot.waitUntil(lambda: program.engine.state.phase is Phase.UNLOADED, timeout=2000)
    assert program.problems == []


def test_an_answer_that_waits_for_the_second_try_can_be_stopped(second_try: Program) -> None:
    program = second_try
    with program.qtbot.waitSignals([program.chat.node_added] * 2):
        program.chat.send(QUESTION)
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=2000) as finished:
        program.chat.stop()
    assert reason(arguments(finished)[0]) is FinishReason.CANCELLED


def test_the_program_can_be_closed_in_the_second_try(second_try: Program) -> None:
    second_try.chat.close()
    assert second_try.engine.child_pid is None


def test_a_wish_that_cannot_be_is_said_before_loading(start: Start) -> None:
    program = start()
    program.wait_ready()
    before = program.children
    program.settings.set_value("hardware.device", "graphics")
    program.ask(QUESTION)
    assert [error.code for error in program.problems] == [ErrorCode.DEVICE_MISSING]
    assert program.children == before
