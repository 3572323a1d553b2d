"""The thread that drives the engine child, as everybody else sees it."""

import itertools
import logging
import threading
from collections.abc import Callable

from app.domain.errors import ErrorCode, UserError
from app.engine.model_loading import Target
from app.engine.plan_memory import PlanMemory
from app.engine.protocol import Forget, Keeping, KeepWithin, Leave
from app.services.child_slot import ChildSlot, MakeClient
from app.services.engine_desk import EngineDesk
from app.services.engine_reports import AnswerWish, Report
from app.services.engine_worker import EngineWorker
from app.services.payloads import EngineState
from app.services.report_box import ReportBox
from app.services.sleep_clock import SleepClock

log = logging.getLogger(__name__)


class EngineThread:
    """Owns the engine child. All public methods may be called from any thread and return at once.

    ``notify`` is called on the worker thread when reports wait that `take` has not fetched yet.
    """

    def __init__(
        self,
        make_client: MakeClient,
        notify: Callable[[], None],
        memory: PlanMemory | None = None,
        sleep: SleepClock | None = None,
    ) -> None:
        """``memory`` keeps what was learned about loading."""
        self._child = ChildSlot(make_client)
        self._box = ReportBox(notify)
        self._ids = itertools.count(1)
        self._desk = EngineDesk(self._ids)
        self._worker = EngineWorker(
            self._child, self._desk, self._box, self._ids, memory or PlanMemory(None), sleep or SleepClock()
        )
        self._called = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine")
        self._thread.start()

    # ---- any thread ----

    def prepare(self, target: Target, *, insist: bool = False) -> None:
        """Load ``target`` in the background, once nothing runs; ``insist``: although it failed before."""
        self._desk.want(target, insist=insist)
        self._call()

    def generate(self, target: Target, wish: AnswerWish) -> int:
        """Make an answer after the jobs before it; returns the job's id."""
        job_id = self._desk.add(target, wish)
        self._call()
        return job_id

    def cancel(self, job_id: int) -> None:
        """End a job, whatever it is at; its `Ended` still comes. Unknown and ended jobs are ignored."""
        self._desk.cancel(job_id)
        self._child.cancel(job_id)  # from here: the worker may be waiting for events
        self._call()

    def unload(self) -> None:
        """Stop loading, and what waits for it; or give the model's memory back, once nothing runs."""
        self._desk.unwant()
        self._call()

    def abandon(self) -> None:
        """End a child that does not respond; what it was at ends as if it had died."""
        self._desk.abandon()
        self._call()

    def set_idle_limit(self, seconds: float) -> None:
        """Give the memory back after so long without an answer; ``math.inf``: never."""
        self._desk.idle_limit_s = seconds
        self._call()

    def set_keeping(self, keeping: Keeping) -> None:
        """Where chats' memories are kept, from the next load on; how much space they have, at once."""
        self._worker.loader.keeping = keeping
        self._child.post(KeepWithin(next(self._ids), keeping.space_bytes))

    def leave(self) -> None:
        """The user left the chat."""
        self._child.post(Leave(next(self._ids)))

    def forget(self, chat: str) -> None:
        """A chat was deleted."""
        self._child.post(Forget(next(self._ids), chat))

    def take(self) -> tuple[EngineState | None, tuple[Report, ...]]:
        """What has happened since the last call: the newest state, if it changed, and the reports in order."""
        return self._box.take()

    @property
    def child_pid(self) -> int | None:
        """The engine child's process id, while there is one."""
        client = self._child.client
        return None if client is None else client.pid

    def close(self) -> None:
        """End the child and the thread. Reports that were made until then can still be taken."""
        self._closing = True
        self._call()
        self._thread.join()

    def _call(self) -> None:
        self._called.set()
        self._child.wake()

    # ---- the thread ----

    def _run(self) -> None:
        worker = self._worker
        while not self._closing:
            try:
                self._called.clear()
                if self._closing:  # called between the look at it and the clearing
                    break
                if not worker.begin_wanted():
                    self._called.wait()
                elif not self._called.is_set():  # a client that was being made then did not hear of it
                    worker.listen()
            except Exception as bug:
                # Whoever waits for an answer has to hear of its end.
                log.exception("the engine's worker failed")
                worker.end_all(UserError(ErrorCode.BUG, reason=type(bug).__name__))
        worker.close()
