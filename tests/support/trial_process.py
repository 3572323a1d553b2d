"""A trial of the model's memory in a process of its own, and what came of it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from app.domain.load_plan import LoadPlan
from app.engine.checkpoints import MOST

PATIENCE_S = 240.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What a child goes through. ``steps`` random steps for each seed. ``margins``: compare other batches too;
    ``checkpoints``: there are so many at most. ``folder``: memories are kept there, and the session ends and begins
    again now and then.
    """

    model: str
    plan: LoadPlan
    seeds: tuple[int, ...]
    steps: int
    margins: bool = True
    checkpoints: int = MOST
    folder: str = ""


@dataclass(slots=True)
class Result:
    """What came of it."""

    problems: list[str] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)
    """How often each thing happened; a trial in which something never did proves nothing of it."""

    def count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    def note_most(self, what: str, number: int) -> None:
        self.done[what] = max(self.done.get(what, 0), number)


def tried(trial: Trial, run: Callable[[Trial], Result]) -> Result:
    """Run it in a spawned process: llama.cpp is never loaded in the tests' own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(there, trial, run))
    child.start()
    there.close()
    try:
        assert here.poll(PATIENCE_S), "the trial does not come to an end"
        result: Result | str = here.recv()
    finally:
        here.close()
        child.terminate()
        child.join()
    assert isinstance(result, Result), result
    return result


def _child(connection: Connection, trial: Trial, run: Callable[[Trial], Result]) -> None:
    import traceback

    try:
        connection.send(run(trial))
    except BaseException:
        connection.send(traceback.format_exc())
        raise
