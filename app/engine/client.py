"""The window's end of the pipe: starts one engine child, talks to it, notices its death, and ends it.

Two threads of its own serve the caller. The *supervisor* starts the process (Linux ends a child together with the
thread that started it, so this thread must live as long as the child), reads its frames into an inbox, and reaps it.
The *writer* sends requests from an outbox, so that ``send`` never waits, not even for a child that is stopped while
its pipe is full.
"""

import math
import multiprocessing
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path

from app.domain.errors import ErrorCode, UserError
from app.engine import child
from app.engine.child import ChildOptions
from app.engine.frames import MAX_EVENT_BYTES, MAX_REQUEST_BYTES, FrameError, PipeEnd, event_codec, request_codec
from app.engine.oom_kills import oom_kills
from app.engine.protocol import Event, Generate, Heartbeat, Hello, Request, Shutdown
from app.engine.sampling import check_finite
from app.engine.windows_job import KillOnClose

STALL_S = 0.8
"""Silence after which a child counts as stalled: four heartbeats."""

OVERSLEPT_S = 0.3
"""A wait that ends this much late means that this process slept (or starved) itself: its clock starts anew."""

START_S = 60.0
"""The longest time to a child's first frame; a cold disk and a virus scanner may take most of it."""

GRACE_S = 1.0
"""The time a child is given to end after each way of asking."""

INBOX_BYTES = 2 * MAX_EVENT_BYTES
OUTBOX_BYTES = 2 * MAX_REQUEST_BYTES

Entry = Callable[[PipeEnd, PipeEnd, ChildOptions], None]


_NEVER = math.inf
_KILLED = -9
_REQUESTS = request_codec()
_EVENTS = event_codec()


@dataclass(frozen=True, slots=True)
class EngineLost:
    """The child is gone for good, or was ended because it sent garbage; the last thing a client reports."""

    code: ErrorCode
    reason: str


@dataclass(frozen=True, slots=True)
class EngineStalled:
    """Nothing has come from the child for a second: it is stopped, or the machine is overloaded."""


@dataclass(frozen=True, slots=True)
class EngineResumed:
    """A stalled child speaks again."""


Report = Event | EngineLost | EngineStalled | EngineResumed


class EngineClient:
    """One engine child. After ``EngineLost`` make a new client.

    ``start`` once; ``send``, ``wake`` and ``close`` from any thread; ``receive`` from one thread.
    """

    def __init__(
        self,
        log_path: Path | None = None,
        *,
        log_level: str = "warning",
        cpu_variant: str = "",
        graphics: bool = True,
        entry: Entry = child.run,
    ) -> None:
        """``log_path`` takes the child's log, from ``log_level`` on; ``entry`` is the function that runs in it.

        ``cpu_variant`` and ``graphics`` are `ChildOptions`'.
        """
        self._options = ChildOptions(str(log_path) if log_path else "", cpu_variant, log_level, graphics)
        self._entry = entry
        self._lock = threading.Condition()
        self._inbox: deque[tuple[Report, int]] = deque()
        self._inbox_bytes = 0
        self._last_frame = 0.0
        self._frames = 0
        self._greeted = False
        self._stalled_at: int | None = None
        self._over = False  # EngineLost was handed out
        self._woken = False
        self._closed = False
        self._outbox: deque[bytes | None] = deque()
        self._outbox_bytes = 0
        self._outbox_lock = threading.Condition()
        self._process: SpawnProcess | None = None
        self._started = threading.Event()
        self._ended = threading.Event()
        self._start_error: OSError | None = None
        self._start_time = 0.0
        self._pid: int | None = None
        self._supervisor: threading.Thread | None = None
        self._writer: threading.Thread | None = None

    # ---- Any thread ----

    def start(self) -> None:
        """Start the child; ``Hello`` follows when it is ready. Raises UserError when no process can be made."""
        if self._supervisor is not None:
            raise RuntimeError("a client is used for one child")
        self._start_time = time.monotonic()
        self._supervisor = threading.Thread(target=self._supervise, name="engine-supervisor", daemon=True)
        self._supervisor.start()
        self._started.wait()
        if self._process is None:
            self._supervisor.join()
            error = self._start_error
            reason = error.strerror if error is not None and error.strerror else "the process could not be set up"
            raise UserError(ErrorCode.ENGINE_START_FAILED, reason=reason) from error

    @property
    def alive(self) -> bool:
        """Whether the child's process runs."""
        return self._pid is not None and not self._ended.is_set()

    @property
    def pid(self) -> int | None:
        """The child's process id, None before the start; it stays after the end."""
        return self._pid

    def send(self, request: Request) -> None:
        """Hand over a request; never waits. To a child that is gone it does nothing: ``receive`` tells.

        Raises UserError when the request is too large for a frame, when a sampling parameter is not a number, or when
        a stalled child has left too many unread.
        """
        if isinstance(request, Generate):
            check_finite(request.sampling)
        try:
            frame = _REQUESTS.encode(request)
        except FrameError as error:
            raise UserError(ErrorCode.INVALID_REQUEST, reason=error.reason) from error
        if self._ended.is_set():
            return
        with self._outbox_lock:
            if self._outbox_bytes + len(frame) > OUTBOX_BYTES:
                raise UserError(ErrorCode.ENGINE_DIED, reason="it takes no requests")
            self._post(frame)

    def wake(self) -> None:
        """Make a ``receive`` that waits, or the next one, return None."""
        with self._lock:
            self._woken = True
            self._lock.notify_all()

    def close(self) -> None:
        """End the child, asking first; returns when it is gone, after two seconds at most. May be called again."""
        with self._lock:
            first, self._closed = not self._closed, True
            patient = self._stalled_at is None
            self._lock.notify_all()
        if first and self._process is not None:
            if patient:
                with self._outbox_lock:
                    self._post(_REQUESTS.encode(Shutdown(0)))
                self._ended.wait(GRACE_S)
            if not self._ended.is_set():
                self._process.terminate()
                self._ended.wait(GRACE_S / 2 if patient else 0)
            if not self._ended.is_set():
                self._process.kill()
        for thread in (self._supervisor, self._writer):
            if thread is not None and thread is not threading.current_thread():
                thread.join()

    # ---- The consumer's thread ----

    def receive(self, timeout: float | None = None) -> Report | None:
        """The next event or report. None after ``timeout`` seconds, after ``wake``, after ``close``, and at once when
        ``EngineLost`` was handed out before. Heartbeats are not handed out.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            while True:
                if self._closed or self._over:
                    return None
                if self._stalled_at is not None and self._frames > self._stalled_at:
                    self._stalled_at = None
                    return EngineResumed()
                if self._inbox:
                    return self._next_report()
                if self._woken:
                    self._woken = False
                    return None
                now = time.monotonic()
                quiet_until = self._quiet_until()
                if now >= quiet_until:
                    if self._frames:
                        self._stalled_at = self._frames
                        return EngineStalled()
                    return self._never_started()
                if deadline is not None and now >= deadline:
                    return None
                until = quiet_until if deadline is None else min(deadline, quiet_until)
                self._lock.wait(None if until == _NEVER else until - now)
                if time.monotonic() > until + OVERSLEPT_S:
                    self._last_frame = time.monotonic()

    def _quiet_until(self) -> float:
        """Until when the child may be silent."""
        if self._stalled_at is not None or self._ended.is_set():
            return _NEVER
        return self._last_frame + STALL_S if self._frames else self._start_time + START_S

    def _next_report(self) -> Report:
        report, size = self._inbox.popleft()
        self._inbox_bytes -= size
        self._lock.notify_all()  # the supervisor may wait for room
        self._over = isinstance(report, EngineLost)
        return report

    def _never_started(self) -> EngineLost:
        self._over = True
        if self._process is not None:
            self._process.kill()
        return EngineLost(ErrorCode.ENGINE_START_FAILED, f"no sign of life in {START_S:.0f} seconds")

    # ---- The supervisor ----

    def _supervise(self) -> None:
        """The child's whole life as seen from here."""
        context = multiprocessing.get_context("spawn")
        ended_for_memory = oom_kills()
        try:
            requests_out, requests_in = context.Pipe(duplex=False)
            events_out, events_in = context.Pipe(duplex=False)
            process = context.Process(
                target=self._entry, args=(requests_out, events_in, self._options), name="alcove-engine", daemon=True
            )
            with sigint_held_back():
                process.start()
        except OSError as error:
            self._start_error = error
            return
        else:
            self._process = process
            self._pid = process.pid
        finally:
            if self._process is None:
                self._ended.set()
                self._started.set()
        # The child has its own copies; with these open, neither side would see the other's end.
        requests_out.close()
        events_in.close()
        self._writer = threading.Thread(target=self._write, args=(requests_in,), name="engine-writer", daemon=True)
        self._writer.start()
        job = KillOnClose(process.pid) if process.pid is not None else None
        self._started.set()
        lost = self._read(events_out)
        if lost is not None:
            process.kill()
        process.join(GRACE_S)
        if process.exitcode is None:
            process.kill()
            process.join()
        if lost is None:
            code = ErrorCode.ENGINE_DIED if self._greeted else ErrorCode.ENGINE_START_FAILED
            if process.exitcode == _KILLED and oom_kills() > ended_for_memory:
                code = ErrorCode.ENGINE_OUT_OF_MEMORY
            lost = EngineLost(code, describe_exit(process.exitcode))
        if job is not None:
            job.close()
        self._ended.set()
        self._deliver(lost, 0)
        with self._outbox_lock:
            self._outbox.appendleft(None)
            self._outbox_lock.notify_all()
        self._writer.join()
        events_out.close()
        requests_in.close()

    def _read(self, events: PipeEnd) -> EngineLost | None:
        """Take frames until the child's end (None) or nonsense."""
        while True:
            try:
                event, size = _EVENTS.receive(events)
            except EOFError:
                return None
            except FrameError as error:
                return EngineLost(ErrorCode.ENGINE_GARBAGE, error.reason)
            if isinstance(event, Hello):
                self._greeted = True
            with self._lock:
                self._last_frame = time.monotonic()
                self._frames += 1
                if isinstance(event, Heartbeat):
                    if self._stalled_at is not None:
                        self._lock.notify_all()
                    continue
            self._deliver(event, size)

    def _deliver(self, report: Report, size: int) -> None:
        """Put a report into the inbox; wait for room, so that a flood stays in the pipe, not in this memory."""
        with self._lock:
            while self._inbox_bytes > INBOX_BYTES and not self._closed:
                self._lock.wait()
            self._inbox.append((report, size))
            self._inbox_bytes += size
            self._last_frame = time.monotonic()  # the wait was this side's
            self._lock.notify_all()

    # ---- The writer ----

    def _post(self, frame: bytes) -> None:
        """Put a frame into the outbox; the lock is held."""
        self._outbox.append(frame)
        self._outbox_bytes += len(frame)
        self._outbox_lock.notify_all()

    def _write(self, requests: PipeEnd) -> None:
        while True:
            with self._outbox_lock:
                while not self._outbox:
                    self._outbox_lock.wait()
                frame = self._outbox.popleft()
                if frame is None:
                    return
            try:
                requests.send_bytes(frame)
            except OSError:
                return  # the child is gone; the supervisor says so
            with self._outbox_lock:
                self._outbox_bytes -= len(frame)


@contextmanager
def sigint_held_back() -> Generator[None]:
    """A process started in here never dies of Ctrl+C, not even before its first line: it inherits the mask."""
    if sys.platform == "win32":
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # would lift the mask when it starts on its own
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def describe_exit(code: int | None) -> str:
    """How a process ended, in words: ``code`` is negative for a signal, None when the system did not tell."""
    if code is None:
        return "its end left no trace"
    if code >= 0:
        return f"exit status {code:#x}" if code > 255 else f"exit status {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
