"""A real engine child for tests: wait for what comes, with a bound, never for time to pass."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from app.domain.conversation import Dialogue, Effort, Message, Role
from app.domain.errors import ErrorCode
from app.domain.generation import Sampling
from app.engine.child import run
from app.engine.client import EngineClient, EngineLost, Entry, Report
from app.engine.protocol import (
    AnswerText,
    CommentaryText,
    Failed,
    Finished,
    Generate,
    Hello,
    Load,
    Loaded,
    LoadPlan,
    ReasoningText,
    Render,
    Rendered,
)

DEMO = Path(__file__).resolve().parents[2] / "resources" / "models" / "alcove-demo.gguf"
PATIENCE_S = 45.0
QUESTION = "What is Alcove?"

Kind = TypeVar("Kind")


def dialogue(*texts: str, effort: Effort = Effort.LOW) -> Dialogue:
    """User and assistant by turns."""
    roles = itertools.cycle((Role.USER, Role.ASSISTANT))
    messages = tuple(Message(role, text) for role, text in zip(roles, texts, strict=False))
    return Dialogue(messages, date="2026-01-01", effort=effort)


class Engine:
    """A client, the ids of its requests, and everything that was received."""

    def __init__(self, log_path: Path | None = None, entry: Entry = run, log_level: str = "debug") -> None:
        self.client = EngineClient(log_path, entry=entry, log_level=log_level)
        self.reports: list[Report] = []
        self._ids = itertools.count(1)

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def start(self) -> Engine:
        """Start the child and wait for nothing."""
        self.client.start()
        return self

    @property
    def pid(self) -> int:
        """The child's process id."""
        assert self.client.pid is not None
        return self.client.pid

    def new_id(self) -> int:
        """An id no request has had."""
        return next(self._ids)

    def next(self, timeout: float = PATIENCE_S) -> Report:
        """The next report; fails when none comes."""
        report = self.client.receive(timeout)
        assert report is not None, f"nothing within {timeout} seconds after {self.reports[-3:]}"
        self.reports.append(report)
        return report

    def expect(self, *kinds: type[Kind], timeout: float = PATIENCE_S) -> Kind:
        """Receive until a report of one of these kinds; an unexpected failure or loss fails the test."""
        deadline = time.monotonic() + timeout
        while True:
            report = self.next(max(0.001, deadline - time.monotonic()))
            if isinstance(report, kinds):
                return report
            assert not isinstance(report, Failed | EngineLost), report

    def lost(self, timeout: float) -> EngineLost:
        """Receive until the child is reported lost."""
        deadline = time.monotonic() + timeout
        while not isinstance(report := self.next(max(0.001, deadline - time.monotonic())), EngineLost):
            pass
        return report

    def load(self, path: Path = DEMO, plan: LoadPlan | None = None) -> Loaded:
        """Load and wait."""
        self.client.send(Load(self.new_id(), str(path), plan or LoadPlan()))
        return self.expect(Loaded)

    def failure(self, path: Path) -> ErrorCode:
        """Load a file that must fail; the code of the failure."""
        self.client.send(Load(self.new_id(), str(path)))
        return ErrorCode(self.expect(Failed).code)

    def ask(self, question: Dialogue, sampling: Sampling | None = None) -> Answer:
        """Generate and wait."""
        request_id = self.new_id()
        begin = len(self.reports)
        self.client.send(Generate(request_id, question, sampling or Sampling(temperature=0)))
        finished = self.expect(Finished)
        return Answer(finished, self.reports[begin:])

    def render(self, question: Dialogue) -> Rendered:
        """The exact prompt."""
        self.client.send(Render(self.new_id(), question))
        return self.expect(Rendered)

    def endless(self) -> Sampling:
        """Sampling that makes the demo talk for more than 1,500 tokens: nonsense, whose seed did not draw an end."""
        for seed in range(100):
            sampling = Sampling(temperature=1000, seed=seed, max_tokens=1500)
            answer = self.ask(dialogue(QUESTION), sampling)
            if answer.finished.usage.completion_tokens == 1500:
                return Sampling(temperature=1000, seed=seed)
        raise AssertionError("every seed came to an end")


class Answer:
    """One generation's events."""

    def __init__(self, finished: Finished, reports: list[Report]) -> None:
        self.finished = finished
        self.reports = reports
        self.reasoning = "".join(r.text for r in reports if isinstance(r, ReasoningText))
        self.commentary = "".join(r.text for r in reports if isinstance(r, CommentaryText))
        self.answer = "".join(r.text for r in reports if isinstance(r, AnswerText))

    @property
    def text(self) -> tuple[str, str, str]:
        """All that was said."""
        return self.reasoning, self.commentary, self.answer


def started(log_path: Path | None = None, entry: Entry = run, log_level: str = "debug") -> Engine:
    """An engine whose child has said hello; use it in a ``with``."""
    engine = Engine(log_path, entry, log_level).start()
    engine.expect(Hello)
    return engine
