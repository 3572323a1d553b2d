"""Memory that nobody uses is given back, and a sleep of the machine is noticed."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from app.domain.errors import ErrorCode
from app.domain.hardware import Device, DeviceKind, Hardware
from app.domain.memory_room import GRAPHICS
from app.domain.plan_wishes import AUTOMATIC, PlanWishes
from app.domain.settings import IDLE_UNLOAD
from app.engine import child
from app.engine.client import EngineClient, Entry
from app.engine.model_loading import Target
from app.resources import DEMO_MODEL
from app.services import idle_watch
from app.services.engine_reports import LoadNotice, Report
from app.services.engine_thread import EngineThread
from app.services.payloads import EngineState, Phase
from app.services.second_look import gone_and_new
from app.services.sleep_clock import ASLEEP_S, SleepClock, seconds_asleep
from tests.services import slow_child
from tests.services.conftest import ANSWER_MS, Start
from tests.support import loading_children

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

    def __init__(self) -> None:
        self.asleep = 0.0
        self.entry: Entry = child.run
        """What runs in the children that are started from now on."""
        self.children = 0
        self.states: list[EngineState] = []
        self.reports: list[Report] = []
        self._changed = threading.Condition()
        self.thread = EngineThread(self._make_client, self._take, sleep=SleepClock(lambda: self.asleep))

    def load(self, name: str, device: str = AUTOMATIC, phase: Phase = Phase.READY) -> EngineState:
        """Have the model loaded under this name; the state that this led to."""
        begin = len(self.states)
        path = DEMO_MODEL if phase is Phase.READY else DEMO_MODEL / "nothing"
        wishes = PlanWishes(context=1024, threads=1, batch=64, device=device)  # quick, whatever else runs here
        self.thread.prepare(Target(str(path), name, wishes))
        self.wait(lambda: any(state.phase is phase for state in self.states[begin:]))
        return self.states[-1]

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until this is so."""
        with self._changed:
            assert self._changed.wait_for(condition, 60)

    def _make_client(self, graphics: bool) -> EngineClient:
        with self._changed:
            self.children += 1
            self._changed.notify_all()
        return EngineClient(entry=self.entry, graphics=graphics)

    def _take(self) -> None:
        state, reports = self.thread.take()
        with self._changed:
            if state is not None:
                self.states.append(state)
            self.reports.extend(reports)
            self._changed.notify_all()


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sleeper]:
    """A thread on a machine with a graphics card, which looks at its clocks all the time."""
    monkeypatch.setattr(idle_watch, "WATCH_S", 0.02)
    sleeper = Sleeper()
    sleeper.entry = loading_children.has_a_card
    yield sleeper
    sleeper.thread.close()


def sleep(sleeper: Sleeper, entry: Entry) -> None:
    """Sleep until the worker has begun to look at the devices again, in a child with this entry."""
    children = sleeper.children
    sleeper.entry = entry
    sleeper.asleep += 3600
    sleeper.wait(lambda: sleeper.children > children)


def test_a_card_that_is_gone_after_a_sleep_takes_the_model_with_it(sleeper: Sleeper) -> None:
    assert loading_children.CARD in sleeper.load("The guide", GRAPHICS).explanation
    pid = sleeper.thread.child_pid
    assert pid is not None
    sleep(sleeper, child.run)
    sleeper.wait(lambda: bool(sleeper.reports))
    (said,) = sleeper.reports
    assert isinstance(said, LoadNotice)
    assert said.notice.code is ErrorCode.DEVICE_GONE
    assert loading_children.CARD in said.notice.what
    assert sleeper.states[-1] == EngineState(Phase.UNLOADED, "The guide")
    assert not psutil.pid_exists(pid)
    gone = len(sleeper.states)
    sleeper.load("Another")
    # Nothing was loaded but for the asking; the next child sees what there is now.
    assert {state.model_name for state in sleeper.states[gone:]} == {"Another"}
    assert sleeper.children == 3


@pytest.mark.parametrize(
    ("device", "after"),
    [(GRAPHICS, loading_children.has_a_card), (AUTOMATIC, child.run), (GRAPHICS, slow_child.dies_at_once)],
    ids=["the same", "a card is gone that was not used", "nothing is found out"],
)
def test_after_a_sleep_a_model_stays_whose_devices_do(sleeper: Sleeper, device: str, after: Entry) -> None:
    ready = sleeper.load("The guide", device)
    pid = sleeper.thread.child_pid
    sleep(sleeper, after)
    sleep(sleeper, after)  # the first look is over when there is a second
    assert sleeper.thread.child_pid == pid
    assert sleeper.states[-1] == ready
    assert sleeper.reports == []


def test_a_card_that_is_new_after_a_sleep_counts_for_the_next_load(sleeper: Sleeper) -> None:
    sleeper.entry = child.run
    sleeper.load("The guide")
    pid = sleeper.thread.child_pid
    sleep(sleeper, loading_children.has_a_card)
    sleep(sleeper, loading_children.has_a_card)
    assert sleeper.thread.child_pid == pid
    assert loading_children.CARD in sleeper.load("Another", GRAPHICS).explanation
    assert sleeper.thread.child_pid != pid


def test_a_child_that_is_from_before_a_sleep_gets_no_new_model(sleeper: Sleeper) -> None:
    sleeper.entry = child.run
    sleeper.load("Nothing", phase=Phase.FAILED)
    assert sleeper.thread.child_pid is not None
    sleeper.entry = loading_children.has_a_card
    sleeper.asleep += 3600
    assert loading_children.CARD in sleeper.load("The guide", GRAPHICS).explanation


def test_the_program_can_end_while_it_looks(sleeper: Sleeper) -> None:
    sleeper.load("The guide")
    sleep(sleeper, loading_children.says_nothing)
    sleeper.thread.close()
    assert [process for process in psutil.Process().children() if process.name().startswith("alcove")] == []


def device(number: int, description: str) -> Device:
    """A card."""
    return Device(f"CUDA{number}", description, DeviceKind.GRAPHICS, "CUDA", 1, 1)


@pytest.mark.parametrize(
    ("before", "after", "gone", "new"),
    [
        ("AB", "AB", "", ""),
        ("AB", "BA", "", ""),  # only renumbered
        ("AB", "B", "A", ""),
        ("AA", "A", "A", ""),
        ("A", "AA", "", "A"),
        ("A", "B", "A", "B"),
        ("", "A", "", "A"),
    ],
)
def test_what_is_gone_and_what_is_new(before: str, after: str, gone: str, new: str) -> None:
    def machine(cards: str) -> Hardware:
        return Hardware(devices=tuple(device(number, name) for number, name in enumerate(cards)))

    lost, found = gone_and_new(machine(before), machine(after))
    assert ("".join(card.description for card in lost), "".join(card.description for card in found)) == (gone, new)
