"""The program's test of itself says what went wrong, whatever was under way when it did."""

from __future__ import annotations

import pytest

from app.domain.errors import ErrorCode, UserError
from app.services.payloads import Phase
from app.services.smoke_test import QUESTION, SmokeTest
from tests.services.conftest import ANSWER_MS, Program, Start
from tests.services.slow_child import breaks_once, dies_at_once, slow

NOT_STARTED = "The engine that runs the model could not be started (exit status 7)."


class FakeWindow:
    """Types into the chat, and shows what is there."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.asked: list[str] = []
        self.types = True
        self.shows = True

    def type_and_send(self, text: str) -> None:
        """As the real one does."""
        self.asked.append(text)
        if self.types:
            self._program.chat.send(text)

    def shown_text(self) -> str:
        """The last answer."""
        path = self._program.path()
        return path[-1].message.content if path and self.shows else ""


def run(program: Program, test: SmokeTest) -> str:
    """Show a fresh chat, which begins the test, and wait for its end; the failure."""
    with program.qtbot.waitSignal(test.finished, timeout=ANSWER_MS):
        program.chat.new_chat()
    return test.failure


def test_an_answer_that_is_shown_is_a_success(start: Start) -> None:
    program = start()
    window = FakeWindow(program)
    assert run(program, SmokeTest(program.chat, window)) == ""
    assert window.asked == [QUESTION]


def test_an_engine_that_dies_with_the_question_is_the_cause(start: Start) -> None:
    program = start(dies_at_once)
    program.qtbot.waitUntil(lambda: program.engine.state.phase is Phase.FAILED, timeout=ANSWER_MS)
    program.qtbot.waitUntil(lambda: bool(program.problems))
    # The first try has failed and been told; the next one belongs to the question.
    assert run(program, SmokeTest(program.chat, FakeWindow(program))).startswith(NOT_STARTED)


def start_tested(start: Start) -> tuple[Program, SmokeTest]:
    """A program that nobody has listened to yet, whose engine dies, and its test with a window that types nothing."""
    program = start(dies_at_once, opens=False)
    window = FakeWindow(program)
    window.types = False
    return program, SmokeTest(program.chat, window)


def test_an_engine_that_dies_before_the_question_is_the_cause(start: Start) -> None:
    program, test = start_tested(start)
    with program.qtbot.waitSignal(test.finished, timeout=ANSWER_MS):
        pass
    assert test.failure.startswith(NOT_STARTED)


def test_what_follows_from_the_cause_does_not_hide_it(start: Start) -> None:
    program, test = start_tested(start)
    with program.qtbot.waitSignal(test.finished, timeout=ANSWER_MS):
        pass
    program.chat.problem.emit(UserError(ErrorCode.NO_MODEL_LOADED))
    assert test.failure.startswith(NOT_STARTED)


def test_an_answer_that_breaks_off_says_why(start: Start) -> None:
    program = start(breaks_once)
    assert "stopped working in the middle of an answer" in run(program, SmokeTest(program.chat, FakeWindow(program)))


def test_an_answer_that_is_stopped_is_a_failure(start: Start) -> None:
    program = start(slow)
    test = SmokeTest(program.chat, FakeWindow(program))
    program.chat.answer_grew.connect(lambda _: program.chat.stop())
    assert run(program, test) == "The answer was cut short or empty."


def test_an_answer_that_is_not_shown_is_a_failure(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.smoke_test.LIMIT_S", 0.5)
    program = start()
    program.wait_ready()
    program.ask(QUESTION)  # so that nothing but the showing is missing in the time that there is
    window = FakeWindow(program)
    window.shows = False
    assert "No answer was shown" in run(program, SmokeTest(program.chat, window))
