"""The engine: one worker thread drives the child, and what it reports is handed out once per frame."""

import time
from collections import deque

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.engine.model_loading import Target
from app.engine.plan_memory import PlanMemory
from app.engine.protocol import Keeping
from app.services.child_slot import MakeClient
from app.services.engine_reports import AnswerWish, Report, gathered
from app.services.engine_thread import EngineThread
from app.services.payloads import EngineState

_FRAME_MS = 16


class EngineService(QObject):
    """Owns the worker thread that drives the engine child.

    ``state_changed(EngineState)``: for the status line. ``reported(Report)``: what the jobs of `generate` come to, in
    order. Both come at most once per frame; text that came in between is gathered.
    """

    state_changed = Signal(object)
    reported = Signal(object)
    _arrived = Signal()

    def __init__(self, make_client: MakeClient, memory: PlanMemory | None = None) -> None:
        """``memory`` keeps what was learned about loading models."""
        super().__init__()
        self._state = EngineState()
        self._last_frame = 0.0
        self._undelivered: deque[Report] = deque()
        self._frame = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._frame.timeout.connect(self.deliver)
        self._arrived.connect(self._await_frame, Qt.ConnectionType.QueuedConnection)
        self._thread = EngineThread(make_client, self._arrived.emit, memory)

    @property
    def state(self) -> EngineState:
        """What the engine is doing now."""
        return self._state

    @property
    def child_pid(self) -> int | None:
        """The engine child's process id, while there is one."""
        return self._thread.child_pid

    def prepare(self, target: Target, *, insist: bool = False) -> None:
        """Load a model in the background, so that the first answer need not wait; ``insist``: although it failed."""
        self._thread.prepare(target, insist=insist)

    def generate(self, target: Target, wish: AnswerWish) -> int:
        """Make an answer, after the jobs before it; returns the job's id, which its reports carry."""
        return self._thread.generate(target, wish)

    def unload(self) -> None:
        """Stop loading, and what waits for it; or give the model's memory back, once nothing runs."""
        self._thread.unload()

    def abandon(self) -> None:
        """End an engine that does not respond; what it was at ends as if it had died."""
        self._thread.abandon()

    def set_idle_limit(self, seconds: float) -> None:
        """Give the memory back after so long without an answer; ``math.inf``: never."""
        self._thread.set_idle_limit(seconds)

    def set_keeping(self, keeping: Keeping) -> None:
        """Where chats' memories are kept, from the next load on; how much space they have, at once."""
        self._thread.set_keeping(keeping)

    def leave(self) -> None:
        """The user left the chat: its memory is kept where that is worthwhile."""
        self._thread.leave()

    def forget(self, chat: str) -> None:
        """A chat was deleted: the child keeps nothing of it."""
        self._thread.forget(chat)

    def cancel(self, job_id: int) -> None:
        """End a job at once, from whatever it is at; its `Ended` still comes."""
        self._thread.cancel(job_id)

    def deliver(self) -> None:
        """Hand out what has come so far, without waiting for the frame."""
        self._frame.stop()
        self._last_frame = time.monotonic()
        state, reports = self._thread.take()
        if state is not None:
            self._state = state
            self.state_changed.emit(state)
        self._undelivered.extend(gathered(reports))
        # A listener may run an event loop of its own, which comes here again: the order stays.
        while self._undelivered:
            self.reported.emit(self._undelivered.popleft())

    def close(self) -> None:
        """End the child and the thread, and hand out the last of what it said."""
        self._thread.close()
        self.deliver()

    def _await_frame(self) -> None:
        if not self._frame.isActive():
            since = (time.monotonic() - self._last_frame) * 1000
            self._frame.start(max(0, round(_FRAME_MS - since)))
