"""A child that was stopped while nothing was asked of it is no dead end for what is asked next."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.domain.errors import ErrorCode
from app.domain.generation import FinishReason
from app.engine import child
from app.engine.model_loading import Target
from app.engine.plan_memory import PlanMemory
from app.resources import DEMO_MODEL
from app.services.engine_reports import LoadNotice
from app.services.payloads import Phase
from tests.services.bare_engine import BareEngine, target
from tests.services.slow_child import crawling, hangs_when_it_unloads, loads_slowly

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")

QUESTION = "What is Alcove?"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[BareEngine]:
    """An engine with the real child, which remembers what it learns of loading."""
    engine = BareEngine(memory=PlanMemory(tmp_path / "plans.json"))
    yield engine
    engine.thread.close()


@pytest.fixture
def stopped(engine: BareEngine) -> BareEngine:
    """One whose child was stopped when the model was loaded."""
    engine.thread.prepare(target())
    engine.wait_phase(Phase.READY)
    os.kill(engine.pid, signal.SIGSTOP)
    engine.wait_phase(Phase.STALLED)
    return engine


def loads_another(engine: BareEngine) -> None:
    """Another model is loaded in a second child, and the first is gone."""
    pid = engine.pid
    engine.thread.prepare(target("Another", context=2048))
    engine.wait(lambda: engine.states[-1].phase is Phase.READY and engine.states[-1].model_name == "Another")
    assert engine.children == 2
    assert not psutil.pid_exists(pid)


def wait_sent(engine: BareEngine) -> None:
    """Until the child has the job that was asked for: what is ended first may be so before, the second is not."""
    for _ in range(2):
        job = engine.ask(QUESTION, chat="2")
        engine.thread.cancel(job)
        engine.wait_ended(job)


def test_a_message_does_not_hide_it_and_is_answered_when_it_goes_on(stopped: BareEngine) -> None:
    begin = len(stopped.states)
    pid = stopped.pid
    job = stopped.ask(QUESTION)
    wait_sent(stopped)
    assert {state.phase for state in stopped.states[begin - 1 :]} == {Phase.STALLED}
    os.kill(pid, signal.SIGCONT)
    assert stopped.wait_ended(job).error is None
    assert stopped.children == 1


def test_the_message_can_be_stopped(stopped: BareEngine) -> None:
    pid = stopped.pid
    job = stopped.ask(QUESTION)
    wait_sent(stopped)
    stopped.thread.cancel(job)
    assert stopped.wait_ended(job).reason is FinishReason.CANCELLED
    assert stopped.wait_ended(stopped.ask(QUESTION)).error is None
    assert not psutil.pid_exists(pid)


def test_another_model_is_loaded_in_a_child_of_its_own(stopped: BareEngine) -> None:
    loads_another(stopped)


def test_its_memory_is_taken(stopped: BareEngine) -> None:
    pid = stopped.pid
    stopped.thread.unload()
    stopped.wait_phase(Phase.UNLOADED)
    assert stopped.states[-1].freed
    assert not psutil.pid_exists(pid)


def test_a_load_that_was_stopped_is_given_up(engine: BareEngine, tmp_path: Path) -> None:
    engine.entry = loads_slowly
    file = tmp_path / "slow.gguf"
    file.write_bytes(DEMO_MODEL.read_bytes())
    engine.thread.prepare(target(path=file))
    engine.wait(lambda: bool(engine.states) and engine.states[-1].progress > 0)
    pid = engine.pid
    os.kill(pid, signal.SIGSTOP)
    engine.wait_phase(Phase.STALLED)
    engine.thread.unload()
    engine.wait_phase(Phase.UNLOADED)
    assert not psutil.pid_exists(pid)
    engine.thread.prepare(target())
    engine.wait_phase(Phase.READY)


def test_a_model_is_loaded_although_the_one_before_is_not_given_back(
    engine: BareEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.engine_worker.KEEP_S", 0.3)
    engine.entry = hangs_when_it_unloads
    engine.thread.prepare(target())
    engine.wait_phase(Phase.READY)
    loads_another(engine)


def learned(tmp_path: Path) -> str:
    """What is remembered of loading."""
    return (tmp_path / "plans.json").read_text(encoding="utf-8")


def test_a_restart_in_the_first_answer_is_held_against_no_plan(engine: BareEngine, tmp_path: Path) -> None:
    engine.entry = crawling
    job = engine.ask(QUESTION, tokens=400)
    engine.wait_text(job)
    before = learned(tmp_path)
    (context,) = {state.context for state in engine.states if state.context}
    os.kill(engine.pid, signal.SIGSTOP)
    engine.wait_phase(Phase.STALLED)
    engine.thread.abandon()
    ended = engine.wait_ended(job)
    assert ended.error is not None
    assert ended.error.code is ErrorCode.ENGINE_HUNG
    assert learned(tmp_path) == before
    engine.states.clear()
    assert engine.wait_ended(engine.ask(QUESTION)).error is None
    assert {state.context for state in engine.states if state.context} == {context}
    assert not any("usual way" in state.explanation for state in engine.states)
    assert learned(tmp_path) == before


def test_a_restart_of_a_load_tries_a_safer_plan_that_is_not_held_to(engine: BareEngine, tmp_path: Path) -> None:
    engine.entry = loads_slowly
    file = tmp_path / "slow.gguf"
    file.write_bytes(DEMO_MODEL.read_bytes())
    wanted = Target(str(file), "The guide")
    engine.thread.prepare(wanted)
    engine.wait(lambda: bool(engine.states) and engine.states[-1].progress > 0)
    os.kill(engine.pid, signal.SIGSTOP)
    engine.wait_phase(Phase.STALLED)
    engine.entry = child.run
    engine.thread.abandon()
    engine.wait_phase(Phase.READY)
    engine.wait(lambda: bool(engine.reports))
    (notice,) = engine.reports
    assert isinstance(notice, LoadNotice)
    assert notice.notice.code is ErrorCode.LOADED_SAFER
    assert "did not respond" in notice.notice.what
    safer = engine.states[-1].context
    assert '"crashed"' not in learned(tmp_path)
    engine.thread.unload()
    engine.wait_phase(Phase.UNLOADED)
    engine.thread.prepare(wanted)
    engine.wait_phase(Phase.READY)
    assert engine.states[-1].context > safer
    assert "usual way" not in engine.states[-1].explanation
