"""The engine child, asked as the window asks it, with the arrival time of every event in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from app.domain.conversation import Dialogue
from app.domain.generation import Sampling
from app.domain.load_plan import LoadPlan
from app.engine.client import EngineClient, EngineLost, EngineResumed, EngineStalled
from app.engine.protocol import (
    AnswerText,
    Cancel,
    CommentaryText,
    Event,
    Failed,
    Finished,
    Generate,
    Hello,
    Keeping,
    Leave,
    Left,
    Load,
    Loaded,
    PrefillProgress,
    PromptReady,
    ReasoningText,
    Render,
    Rendered,
    Settled,
    SettleWhen,
    Unload,
    Unloaded,
)
from scripts.benchmarks.engine.setting import BenchmarkError

PATIENCE_S = 600.0
"""The longest silence before a run is given up."""

SETTLE_S = 120.0

NOTHING_KEPT = Keeping()

E = TypeVar("E")


@dataclass(slots=True)
class Asked:
    """One answer: when it was asked for, and every event with the time of its arrival."""

    request_id: int
    begin: float
    arrivals: list[tuple[float, Event]] = field(default_factory=list[tuple[float, Event]])
    stopped: float = 0.0

    @property
    def end(self) -> float:
        """The arrival of the last event."""
        return self.arrivals[-1][0]

    @property
    def seconds(self) -> float:
        """From the request to the last event."""
        return self.end - self.begin

    @property
    def finished(self) -> Finished:
        """The last event."""
        event = self.arrivals[-1][1]
        assert isinstance(event, Finished)
        return event

    @property
    def tokens(self) -> int:
        """Tokens generated."""
        return self.finished.usage.completion_tokens

    @property
    def read(self) -> int:
        """Prompt tokens that were not in memory yet."""
        return self.finished.usage.prompt_tokens - self.finished.usage.reused_tokens

    @property
    def answer(self) -> str:
        """The answer's new text."""
        return "".join(event.text for _, event in self.arrivals if isinstance(event, AnswerText))

    @property
    def text_events(self) -> int:
        """How many events brought text."""
        return sum(isinstance(event, AnswerText | ReasoningText | CommentaryText) for _, event in self.arrivals)

    @property
    def ready(self) -> float:
        """When the prompt was made and nothing of it was read yet."""
        return next(time_ for time_, event in self.arrivals if isinstance(event, PromptReady | PrefillProgress))

    @property
    def prompt_read(self) -> float:
        """When all of the prompt was in memory."""
        times = [at for at, event in self.arrivals if isinstance(event, PrefillProgress) and event.done == event.total]
        if not times:
            raise BenchmarkError("the engine did not say when it had read the prompt")
        return times[-1]

    @property
    def read_s(self) -> float:
        """Seconds that reading the prompt took."""
        return self.prompt_read - self.ready

    @property
    def decoded_per_s(self) -> float:
        """Tokens a second after the first, which comes out of the prompt's last."""
        return (self.tokens - 1) / (self.end - self.prompt_read)


class Child:
    """One engine child. Events are taken in the thread that asks."""

    def __init__(self, log: Path | None = None) -> None:
        """``log`` takes all that llama.cpp says."""
        self._client = EngineClient(log, log_level="debug" if log else "warning")
        self._id = 0
        begin = time.perf_counter()
        self._client.start()
        self.backends = self._wait(Hello).backends
        self.hello_s = time.perf_counter() - begin

    @property
    def pid(self) -> int:
        """The child's process."""
        assert self._client.pid is not None
        return self._client.pid

    @property
    def variant(self) -> str:
        """The processor variant that was loaded, "" for a build without variants."""
        return next((name[4:] for name in self.backends if name.startswith("cpu-")), "")

    def load(self, model: Path, plan: LoadPlan, keeping: Keeping = NOTHING_KEPT) -> float:
        """Load a model; the seconds it took."""
        begin = time.perf_counter()
        self._client.send(Load(self._next_id(), str(model), plan, keeping=keeping))
        self._wait(Loaded)
        return time.perf_counter() - begin

    def unload(self) -> None:
        """Give the model's memory back."""
        self._client.send(Unload(self._next_id()))
        self._wait(Unloaded)

    def render(self, dialogue: Dialogue) -> tuple[int, ...]:
        """The prompt's tokens."""
        self._client.send(Render(self._next_id(), dialogue))
        return self._wait(Rendered).tokens

    def ask(
        self,
        dialogue: Dialogue,
        sampling: Sampling,
        *,
        chat: str = "",
        settle: SettleWhen = SettleWhen.NEVER,
        continuing: bool = False,
        stop_when: Callable[[Event], bool] | None = None,
        stop_after_s: float = 0.0,
    ) -> Asked:
        """Generate, to the last event. ``stop_after_s`` after the first event that ``stop_when`` chooses, it is
        stopped, and the time of that is kept.
        """
        request = Generate(self._next_id(), dialogue, sampling, chat, settle, continuing)
        asked = Asked(request.request_id, time.perf_counter())
        self._client.send(request)
        stop_at: float | None = None
        while True:
            if stop_at is not None and not asked.stopped and time.perf_counter() >= stop_at:
                asked.stopped = time.perf_counter()
                self._client.send(Cancel(request.request_id))
            waiting = stop_at is not None and not asked.stopped
            event = self._event(max(stop_at - time.perf_counter(), 0.0) if waiting and stop_at else PATIENCE_S)
            if event is None:
                if waiting:
                    continue
                raise BenchmarkError(f"the engine was silent for {PATIENCE_S:.0f} s")
            if getattr(event, "request_id", None) != request.request_id:
                continue
            asked.arrivals.append((time.perf_counter(), event))
            if isinstance(event, Finished):
                return asked
            if stop_when is not None and stop_at is None and stop_when(event):
                stop_at = time.perf_counter() + stop_after_s

    def settled(self, asked: Asked) -> Settled:
        """Wait until the engine has prepared the turn after this answer."""
        deadline = time.monotonic() + SETTLE_S
        while (left := deadline - time.monotonic()) > 0:
            event = self._event(left)
            if isinstance(event, Settled) and event.request_id == asked.request_id:
                return event
        raise BenchmarkError("the engine did not settle after an answer")

    def leave(self) -> int:
        """Leave the chat; how many bytes were kept for its return."""
        self._client.send(Leave(self._next_id()))
        return self._wait(Left).saved_bytes

    def close(self) -> None:
        """End the child."""
        self._client.close()

    def _next_id(self) -> int:
        self._id += 1
        return self._id

    def _wait(self, kind: type[E]) -> E:
        while True:
            event = self._event(PATIENCE_S)
            if event is None:
                raise BenchmarkError(f"the engine did not say {kind.__name__} in {PATIENCE_S:.0f} s")
            if isinstance(event, kind):
                return event

    def _event(self, timeout: float) -> Event | None:
        """The next event; that the child was slow to breathe on a busy machine is no matter."""
        deadline = time.monotonic() + timeout
        while True:
            report: Any = self._client.receive(max(deadline - time.monotonic(), 0.0))
            if isinstance(report, Failed | EngineLost):
                raise BenchmarkError(f"the engine failed: {report}")
            if not isinstance(report, EngineStalled | EngineResumed):
                return report
