"""A thread that owns something and does jobs on it, in order."""

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar, cast

from PySide6.QtCore import QObject, Qt, Signal

from app.domain.errors import ErrorCode, UserError

log = logging.getLogger(__name__)

Owned = TypeVar("Owned")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job: its value, or the error it ended with."""

    value: object = None
    error: UserError | None = None


@dataclass(frozen=True, slots=True)
class _Job(Generic[Owned]):
    number: int
    work: Callable[[Owned], object]


@dataclass(frozen=True, slots=True)
class _Callbacks:
    done: Callable[[object], None] | None
    failed: Callable[[UserError], None] | None


class _Post(QObject):
    """Carries outcomes from the thread to the UI thread."""

    arrived = Signal(int, object)


class JobThread(Generic[Owned]):
    """Makes and owns a value on a thread of its own; jobs on it run there one after the other.

    What a job returns, or the `UserError` it raises, arrives at its callbacks on the UI thread, in the order of the
    jobs. An error that no job takes goes to `unhandled`. When the value cannot be made, that error is what every job
    ends with.
    """

    def __init__(
        self, name: str, make: Callable[[], Owned], end: Callable[[Owned], None], unhandled: Callable[[UserError], None]
    ) -> None:
        self._make = make
        self._end = end
        self._unhandled = unhandled
        self._jobs: queue.SimpleQueue[_Job[Owned] | None] = queue.SimpleQueue()
        self._callbacks: dict[int, _Callbacks] = {}
        self._last_number = 0
        self._closed = False
        self._post = _Post()
        self._post.arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._run, name=name)
        self._thread.start()

    def submit(
        self,
        work: Callable[[Owned], Result],
        done: Callable[[Result], None] | None = None,
        failed: Callable[[UserError], None] | None = None,
    ) -> None:
        """Do ``work`` on the thread, after all jobs before it. ``done`` or ``failed`` is called on the UI thread."""
        assert not self._closed
        self._last_number += 1
        self._callbacks[self._last_number] = _Callbacks(cast("Callable[[object], None] | None", done), failed)
        self._jobs.put(_Job(self._last_number, work))

    def close(self) -> None:
        """Finish the jobs that were submitted, end the owned value and the thread. No callback comes after it."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        self._thread.join()
        self._callbacks.clear()

    # ---- on the UI thread ----

    def _deliver(self, number: int, outcome: Outcome) -> None:
        callbacks = self._callbacks.pop(number, None)
        if callbacks is None:
            return
        if outcome.error is not None:
            (callbacks.failed or self._unhandled)(outcome.error)
        elif callbacks.done is not None:
            callbacks.done(outcome.value)

    # ---- on the thread ----

    def _run(self) -> None:
        made = _attempt(self._make)
        owned = cast("Owned", made.value)
        while (job := self._jobs.get()) is not None:
            outcome = made if made.error is not None else _attempt(partial(job.work, owned))
            self._post.arrived.emit(job.number, outcome)
        if made.error is None:
            _attempt(partial(self._end, owned))


def _attempt(work: Callable[[], object]) -> Outcome:
    try:
        return Outcome(work())
    except UserError as error:
        log.warning("a job ended with %s", error.code)
        return Outcome(error=error)
    except Exception as bug:
        # The jobs behind it, such as saving the answer that streams, still have to be done.
        log.exception("a job failed")
        return Outcome(error=UserError(ErrorCode.BUG, reason=type(bug).__name__))
