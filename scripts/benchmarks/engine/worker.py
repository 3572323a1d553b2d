"""The engine behind the window's own worker thread: the whole path of a token, with the time at which it arrives."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass

from app.domain.conversation import Dialogue
from app.domain.generation import FinishReason, Sampling
from app.domain.plan_wishes import PlanWishes
from app.engine.client import EngineClient
from app.engine.model_loading import Target
from app.services.engine_reports import AnswerWish, Ended, LoadFailed, PromptMade, Reading, Report, TextGrew
from app.services.engine_thread import EngineThread
from app.services.payloads import EngineState, Phase
from scripts.benchmarks.engine.setting import BenchmarkError, Setting

PATIENCE_S = 900.0


@dataclass(frozen=True, slots=True)
class Streamed:
    """One answer by the arrival of its reports: the first one (the prompt is made), that all of the prompt is read,
    and the last one. ``read`` tokens of the prompt were not in memory, ``texts`` reports brought text.
    """

    made: float
    prompt_read: float
    end: float
    read: int
    tokens: int
    texts: int

    @property
    def read_per_s(self) -> float:
        """Prompt tokens a second."""
        return self.read / (self.prompt_read - self.made)

    @property
    def decoded_per_s(self) -> float:
        """Tokens a second after the first, which comes out of the prompt's last."""
        return (self.tokens - 1) / (self.end - self.prompt_read)


class Worker:
    """The worker with its child. The model is loaded while it is measured, and where the machine does not hold it
    twice, only then.
    """

    def __init__(self, setting: Setting, context: int) -> None:
        plan = setting.plan(context)
        wishes = PlanWishes(context, plan.threads, mapped=plan.mapped, repacked=plan.repacked)
        self._apart = setting.apart
        self._target = Target(str(setting.model), setting.model.stem, wishes)
        self._news: queue.SimpleQueue[tuple[float, EngineState | Report]] = queue.SimpleQueue()
        self._loaded = False
        self._thread = EngineThread(
            lambda graphics: EngineClient(setting.folder / "child.log", graphics=graphics), self._hear
        )

    def load(self) -> None:
        """Have the model loaded."""
        if not self._loaded:
            self._thread.prepare(self._target)
            self._wait_for(Phase.READY)
            self._loaded = True

    def rest(self) -> None:
        """Make room for a peer."""
        if self._apart and self._loaded:
            self._thread.unload()
            self._wait_for(Phase.UNLOADED)
            self._loaded = False

    def answer(self, dialogue: Dialogue, sampling: Sampling, *, continuing: bool = False) -> Streamed:
        """Have the dialogue answered to the end."""
        job = self._thread.generate(self._target, AnswerWish(dialogue, sampling, continuing=continuing))
        made = read = 0.0
        texts = 0
        while True:
            at, report = self._next()
            match report:
                case PromptMade(job_id=job.real):
                    made = made or at
                case Reading(job_id=job.real, done=done, total=total):
                    made = made or at
                    read = at if done == total else read
                case TextGrew(job_id=job.real):
                    texts += 1
                case Ended(job_id=job.real):
                    if report.reason is FinishReason.ERROR:
                        raise BenchmarkError(f"an answer failed: {report.error}")
                    usage = report.usage
                    new = usage.prompt_tokens - usage.reused_tokens
                    return Streamed(made, read, at, new, usage.completion_tokens, texts)
                case _:
                    pass

    def close(self) -> None:
        """End the child and the worker."""
        self._thread.close()

    def _wait_for(self, phase: Phase) -> None:
        while True:
            _, news = self._next()
            if isinstance(news, LoadFailed):
                raise BenchmarkError(f"the model was not loaded: {news.error}")
            if isinstance(news, EngineState) and news.phase is phase:
                return

    def _next(self) -> tuple[float, EngineState | Report]:
        try:
            return self._news.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise BenchmarkError(f"the worker was silent for {PATIENCE_S:.0f} s") from None

    def _hear(self) -> None:
        """Called on the worker's thread when there is news, as the window's notifier is."""
        at = time.perf_counter()
        state, reports = self._thread.take()
        for news in (*reports, *([state] if state is not None else [])):
            self._news.put((at, news))
