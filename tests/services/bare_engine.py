"""The engine's thread without a window, and what it said."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from app.domain.conversation import Dialogue, Message, Role
from app.domain.generation import Sampling
from app.domain.plan_wishes import PlanWishes
from app.engine import child
from app.engine.client import EngineClient, Entry
from app.engine.model_loading import Target
from app.engine.plan_memory import PlanMemory
from app.resources import DEMO_MODEL
from app.services.engine_reports import AnswerWish, Ended, Report, TextGrew
from app.services.engine_thread import EngineThread
from app.services.payloads import EngineState, Phase

WAIT_S = 45.0
"""For a crowded machine; less than the minute that a child may take to its first word."""


def target(name: str = "The guide", path: Path = DEMO_MODEL, context: int = 4096) -> Target:
    """A model that is loaded quickly, whatever else runs here."""
    return Target(str(path), name, PlanWishes(context=context, threads=1, batch=64))


class BareEngine:
    """``making`` is called on the engine's thread before each client is made."""

    def __init__(self, entry: Entry = child.run, memory: PlanMemory | None = None, log: Path | None = None) -> None:
        self.entry = entry
        self.making: Callable[[], None] = lambda: None
        self.log = log
        self.children = 0
        self.states: list[EngineState] = []
        self.reports: list[Report] = []
        self._changed = threading.Condition()
        self.thread = EngineThread(self._make_client, self._take, memory)

    def ask(self, text: str, chat: str = "1", tokens: int = 24) -> int:
        """Have a question answered; the job's id."""
        dialogue = Dialogue((Message(Role.USER, text),), date="2026-01-01")
        wish = AnswerWish(dialogue, Sampling(temperature=0, max_tokens=tokens), chat)
        return self.thread.generate(target(), wish)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until this is so."""
        with self._changed:
            assert self._changed.wait_for(condition, WAIT_S), (self.states, self.reports)

    def wait_phase(self, phase: Phase) -> None:
        """Until it is in this phase."""
        self.wait(lambda: bool(self.states) and self.states[-1].phase is phase)

    def wait_ended(self, job: int) -> Ended:
        """The end of a job."""
        self.wait(lambda: job in self._ends())
        return self._ends()[job]

    def wait_text(self, job: int) -> None:
        """Until something of the answer has come."""
        self.wait(lambda: any(isinstance(report, TextGrew) and report.job_id == job for report in self.reports))

    @property
    def pid(self) -> int:
        """The child's."""
        pid = self.thread.child_pid
        assert pid is not None
        return pid

    def _ends(self) -> dict[int, Ended]:
        return {report.job_id: report for report in self.reports if isinstance(report, Ended)}

    def _make_client(self, graphics: bool) -> EngineClient:
        self.making()
        self.children += 1
        return EngineClient(self.log, entry=self.entry, graphics=False)

    def _take(self) -> None:
        with self._changed:
            state, reports = self.thread.take()
            if state is not None:
                self.states.append(state)
            self.reports.extend(reports)
            self._changed.notify_all()
