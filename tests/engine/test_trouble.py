"""What goes wrong inside the child is logged, leaves nothing behind that later answers would rest on, and costs one of
them at most.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.errors import ErrorCode
from app.domain.generation import Sampling
from app.engine.client import Entry
from app.engine.protocol import Failed, Generate, Settled, SettleWhen, Shutdown
from tests.support import engine_children as children
from tests.support.engine import QUESTION, Engine, dialogue, started

LONG = "Tell me more about models, please. " * 20 + QUESTION
GREEDY = Sampling(temperature=0)


def log_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def said() -> str:
    """What a sound engine answers."""
    with started() as engine:
        engine.load()
        return engine.ask(dialogue(LONG), GREEDY).answer


def failed(engine: Engine) -> Failed:
    engine.client.send(Generate(engine.new_id(), dialogue(LONG), GREEDY))
    return engine.expect(Failed)


@pytest.mark.parametrize(
    ("entry", "error"), [(children.bug_while_idle, "ZeroDivisionError"), (children.no_memory_while_idle, "MemoryError")]
)
def test_what_fails_while_nobody_asks_ends_nothing(tmp_path: Path, said: str, entry: Entry, error: str) -> None:
    log = tmp_path / "engine.log"
    with started(log, entry, log_level="warning") as engine:
        engine.load()
        engine.client.send(Generate(engine.new_id(), dialogue(LONG), GREEDY, settle=SettleWhen.ALWAYS))
        assert engine.expect(Settled).request_id == 0
        again = engine.ask(dialogue(LONG), GREEDY)
    assert again.finished.usage.reused_tokens == 0  # the memory was dropped
    assert again.answer == said
    assert "Traceback" in log_of(log)
    assert error in log_of(log)


def test_a_bug_while_an_answer_is_made_leaves_an_empty_memory(tmp_path: Path, said: str) -> None:
    log = tmp_path / "engine.log"
    with started(log, children.bug_while_answering, log_level="warning") as engine:
        engine.load()
        assert failed(engine).code == ErrorCode.BUG
        again = engine.ask(dialogue(LONG), GREEDY)
    assert again.finished.usage.reused_tokens == 0
    assert again.answer == said
    assert "ZeroDivisionError" in log_of(log)


def test_want_of_memory_is_a_known_error() -> None:
    with started(entry=children.no_memory_to_answer) as engine:
        engine.load()
        assert failed(engine).code == ErrorCode.OUT_OF_MEMORY


def test_a_bug_at_the_end_is_logged_and_does_not_hold_it_up(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    with started(log, children.bug_at_the_end, log_level="warning") as engine:
        engine.client.send(Shutdown(engine.new_id()))
        assert engine.lost(timeout=5).reason == "exit status 0"
    assert "ZeroDivisionError" in log_of(log)
