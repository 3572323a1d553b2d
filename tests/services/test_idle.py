"""Memory that nobody uses is given back, and a sleep of the machine is noticed."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator

import psutil
import pytest
from pytestqt.qtbot import QtBot

from app.domain.settings import IDLE_UNLOAD
from app.engine.client import EngineClient
from app.engine.model_loading import Target
from app.resources import DEMO_MODEL
from app.services import idle_watch
from app.services.engine_thread import EngineThread
from app.services.payloads import EngineState, Phase
from app.services.sleep_clock import ASLEEP_S, SleepClock, seconds_asleep
from tests.services.conftest import ANSWER_MS, Start
from tests.support import loading_children as children

QUESTION = "What is Alcove?"


def test_an_idle_model_is_unloaded_and_comes_back_with_the_next_message(start: Start) -> None:
    program = start()
    program.wait_ready()
    pid = program.engine.child_pid
    assert pid is not None
    program.engine.set_idle_limit(0.0)
    program.qtbot.waitUntil(lambda: program.engine.state.phase is Phase.UNLOADED, timeout=ANSWER_MS)
    assert program.engine.state.freed
    assert program.engine.state.model_name
    assert program.engine.child_pid is None
    assert not psutil.pid_exists(pid)
    program.engine.set_idle_limit(math.inf)
    assert program.ask(QUESTION).complete
    assert program.problems == []


def test_an_answer_is_not_interrupted_by_it(start: Start) -> None:
    program = start()
    program.wait_ready()
    program.begin(QUESTION)
    program.engine.set_idle_limit(0.0)
    with program.qtbot.waitSignal(program.chat.answer_finished, timeout=ANSWER_MS) as finished:
        pass
    assert finished.args is not None
    assert finished.args[0].complete
    program.qtbot.waitUntil(lambda: program.engine.state.freed, timeout=ANSWER_MS)


def test_the_setting_says_when(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    program = start()
    limits: list[float] = []
    monkeypatch.setattr(program.engine, "set_idle_limit", limits.append)
    program.settings.set_value(IDLE_UNLOAD.key, 5)
    program.settings.set_value(IDLE_UNLOAD.key, 0)
    program.settings.reset(IDLE_UNLOAD.key)
    assert limits == [300, math.inf, 1800]


# ---- Sleep ----


def test_only_long_sleeps_count() -> None:
    now = 100.0
    clock = SleepClock(lambda: now)
    assert not clock.slept()
    now += ASLEEP_S / 2
    assert not clock.slept()
    now += ASLEEP_S
    assert clock.slept()
    assert not clock.slept()


def test_the_systems_clocks_agree_while_it_is_awake() -> None:
    first = seconds_asleep()
    assert seconds_asleep() == pytest.approx(first, abs=0.1)
    if sys.platform == "linux":
        assert first >= -0.1


class Sleeper:
    """An engine thread whose machine can be put to sleep."""

    def __init__(self, entry: object) -> None:
        self.asleep = 0.0
        self.children = 0
        self.states: list[EngineState] = []
        self._changed = threading.Condition()

        def make_client(graphics: bool) -> EngineClient:
            self.children += 1
            return EngineClient(entry=entry, graphics=graphics)  # type: ignore[arg-type]

        self.thread = EngineThread(make_client, self._take, sleep=SleepClock(lambda: self.asleep))
        self.target = Target(str(DEMO_MODEL), "The guide")

    def _take(self) -> None:
        state, _ = self.thread.take()
        with self._changed:
            if state is not None:
                self.states.append(state)
            self._changed.notify_all()

    def wait(self, phase: Phase) -> None:
        """Until the engine is in this phase."""
        with self._changed:
            assert self._changed.wait_for(lambda: bool(self.states) and self.states[-1].phase is phase, 30)


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> Iterator[Sleeper]:
    """A thread whose child sees a graphics card once, and never again."""
    monkeypatch.setattr(idle_watch, "WATCH_S", 0.02)
    sleeper = Sleeper(children.loses_its_card)
    yield sleeper
    sleeper.thread.close()


def test_a_card_that_is_gone_after_a_sleep_takes_the_model_with_it(sleeper: Sleeper) -> None:
    sleeper.thread.prepare(sleeper.target)
    sleeper.wait(Phase.READY)
    sleeper.asleep += 3600
    sleeper.wait(Phase.UNLOADED)
    assert not sleeper.states[-1].freed
    sleeper.thread.prepare(sleeper.target)
    sleeper.wait(Phase.READY)
    assert sleeper.children == 2
