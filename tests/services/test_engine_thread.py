"""What is asked of the engine's thread is done soon, whatever its child is at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.domain.generation import FinishReason
from app.services.payloads import Phase
from tests.services.bare_engine import BareEngine, target
from tests.support import loading_children

QUESTION = "What is Alcove?"


@pytest.fixture
def engine() -> Iterator[BareEngine]:
    """An engine with the real child."""
    engine = BareEngine()
    yield engine
    engine.thread.close()


def test_a_load_is_given_up_while_its_child_is_being_made(engine: BareEngine) -> None:
    engine.entry = loading_children.says_nothing
    engine.making = engine.thread.unload
    engine.thread.prepare(target())
    engine.wait_phase(Phase.UNLOADED)


def test_an_answer_is_stopped_while_its_child_is_being_made(engine: BareEngine) -> None:
    engine.entry = loading_children.says_nothing
    engine.making = lambda: engine.thread.cancel(1)
    job = engine.ask(QUESTION)
    assert job == 1
    assert engine.wait_ended(job).reason is FinishReason.CANCELLED
