"""The worker thread that drives the engine child: loads what is wanted, runs one answer after another."""

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from app.domain.conversation import Dialogue
from app.domain.errors import ErrorCode, UserError
from app.domain.generation import FinishReason, Sampling
from app.engine.client import EngineClient, EngineLost, EngineResumed, EngineStalled
from app.engine.failures import error_of
from app.engine.protocol import (
    AnswerText,
    Cancel,
    CommentaryText,
    Event,
    Failed,
    Finished,
    Generate,
    Load,
    Loaded,
    LoadProgress,
    PrefillProgress,
    ReasoningText,
    ToolCalled,
    Unloaded,
)
from app.services.answer_progress import AnswerProgress
from app.services.engine_reports import (
    Ended,
    GenerationJob,
    LoadFailed,
    Reading,
    Report,
    Target,
    TextGrew,
    ToolCallMade,
)
from app.services.payloads import EngineState, Phase

log = logging.getLogger(__name__)

# After these the model's memory is in an unknown state: it is loaded again for the next answer.
_RELOAD_AFTER = frozenset({ErrorCode.DECODE_FAILED, ErrorCode.OUT_OF_MEMORY, ErrorCode.NO_MODEL_LOADED})


class EngineThread:
    """Owns the engine child. All public methods may be called from any thread and return at once.

    ``notify`` is called on the worker thread when reports wait that `take` has not fetched yet.
    """

    def __init__(self, make_client: Callable[[], EngineClient], notify: Callable[[], None]) -> None:
        self._make_client = make_client
        self._notify = notify
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._called = threading.Event()
        # Guarded by the lock.
        self._jobs: deque[GenerationJob] = deque()
        self._wanted: Target | None = None
        self._cancelled: set[int] = set()
        self._client: EngineClient | None = None
        self._sent: int | None = None
        self._stalled = False
        self._closing = False
        self._reports: list[Report] = []
        self._new_state: EngineState | None = None
        # The worker's own.
        self._state = EngineState()
        self._loaded: Target | None = None
        self._loading: Load | None = None
        self._loading_target: Target | None = None
        self._giving_up_load = False
        self._load_s = 0.0
        self._running: AnswerProgress | None = None
        self._thread = threading.Thread(target=self._run, name="engine")
        self._thread.start()

    # ---- any thread ----

    def prepare(self, target: Target) -> None:
        """Load ``target`` in the background, once nothing runs."""
        with self._lock:
            self._wanted = target
        self._call()

    def generate(self, target: Target, dialogue: Dialogue, sampling: Sampling) -> int:
        """Answer ``dialogue`` after the jobs before it; returns the job's id."""
        job = GenerationJob(next(self._ids), target, dialogue, sampling)
        with self._lock:
            self._jobs.append(job)
            self._wanted = target
        self._call()
        return job.id

    def cancel(self, job_id: int) -> None:
        """End a job, whatever it is at; its `Ended` still comes. Unknown and ended jobs are ignored."""
        with self._lock:
            self._cancelled.add(job_id)
            # The worker may be waiting for events, so the cancel is sent from here. A child that hangs hears nothing:
            # the worker ends it instead.
            if self._client is not None and self._sent == job_id and not self._stalled:
                self._client.send(Cancel(job_id))
        self._call()

    def take(self) -> tuple[EngineState | None, tuple[Report, ...]]:
        """What has happened since the last call: the newest state, if it changed, and the reports in order."""
        with self._lock:
            state, self._new_state = self._new_state, None
            reports, self._reports = tuple(self._reports), []
        return state, reports

    @property
    def child_pid(self) -> int | None:
        """The engine child's process id, while there is one."""
        with self._lock:
            return self._client.pid if self._client is not None else None

    def close(self) -> None:
        """End the child and the thread. Reports that were made until then can still be taken."""
        with self._lock:
            self._closing = True
        self._call()
        self._thread.join()

    def _call(self) -> None:
        self._called.set()
        with self._lock:
            if self._client is not None:
                self._client.wake()

    # ---- the worker ----

    def _run(self) -> None:
        while not self._closing:
            try:
                self._step()
            except Exception as bug:
                # Whoever waits for an answer has to hear of its end.
                log.exception("the engine's worker failed")
                self._end_all(UserError(ErrorCode.BUG, reason=type(bug).__name__))
        self._drop_client()

    def _step(self) -> None:
        self._called.clear()
        if self._closing:  # called between the look at it and the clearing
            return
        self._end_cancelled()
        self._advance()
        if self._client is None:
            self._called.wait()
            return
        received = self._client.receive(None)
        match received:
            case None:
                pass
            case EngineLost():
                log.error("the engine was lost: %s %s", received.code, received.reason)
                self._lose(UserError(received.code, reason=received.reason))
            case EngineStalled():
                self._set_stalled(True)
            case EngineResumed():
                self._set_stalled(False)
            case _:
                self._handle(received)

    def _end_cancelled(self) -> None:
        """Jobs that were cancelled before they were sent end here, and so does a child that hangs on one."""
        with self._lock:
            gone = [job for job in self._jobs if job.id in self._cancelled]
            self._jobs = deque(job for job in self._jobs if job.id not in self._cancelled)
            self._cancelled.difference_update(job.id for job in gone)
            hangs = self._stalled and self._sent in self._cancelled
        for job in gone:
            self._report(Ended(job.id, FinishReason.CANCELLED))
        if hangs and self._running is not None:
            running, self._running = self._running, None
            self._drop_client()
            self._report(running.ended(FinishReason.CANCELLED))
            self._show(EngineState())

    def _advance(self) -> None:
        """Start what comes next, if nothing runs."""
        if self._running is not None:
            return
        with self._lock:
            job = self._jobs[0] if self._jobs else None
            target = job.target if job is not None else self._wanted
        if self._loading is not None:
            if target != self._loading_target and not self._giving_up_load and self._client is not None:
                self._giving_up_load = True
                self._client.send(Cancel(self._loading.request_id))
        elif target is not None and target != self._loaded:
            self._load(target)
        elif job is not None:
            self._send(job)

    def _load(self, target: Target) -> None:
        try:
            client = self._client or self._start_client()
        except UserError as error:
            self._load_failed(target, error)
            return
        self._loaded = None
        self._loading = Load(next(self._ids), target.path, target.plan)
        self._loading_target = target
        self._giving_up_load = False
        self._show(EngineState(Phase.LOADING, model_name=target.name))
        client.send(self._loading)

    def _start_client(self) -> EngineClient:
        client = self._make_client()
        client.start()
        with self._lock:
            self._client = client
            self._stalled = False
        return client

    def _send(self, job: GenerationJob) -> None:
        assert self._client is not None
        load_s, self._load_s = self._load_s, 0.0
        self._running = AnswerProgress(job.id, load_s)
        self._show(replace(self._state, phase=Phase.READING, progress=0.0, tokens_per_s=0.0))
        try:
            with self._lock:
                self._jobs.popleft()
                self._client.send(Generate(job.id, job.dialogue, job.sampling))
                self._sent = job.id
                if job.id in self._cancelled:
                    self._client.send(Cancel(job.id))
        except UserError as error:
            self._fail(self._running, error)

    def _handle(self, event: Event) -> None:
        if self._loading is not None:
            self._handle_loading(event, self._loading, self._loading_target)
        elif self._running is not None:
            self._handle_running(event, self._running)

    def _handle_loading(self, event: Event, load: Load, target: Target | None) -> None:
        match event:
            case LoadProgress(request_id=load.request_id, fraction=fraction):
                self._show(replace(self._state, progress=fraction))
            case Loaded(request_id=load.request_id):
                self._loading = None
                self._loaded = target
                self._load_s = event.load_s
                self._show(replace(self._state, phase=Phase.READY, progress=0.0, context=event.context))
            case Unloaded(request_id=load.request_id):
                self._loading = None
                self._show(EngineState())
            case Failed(request_id=load.request_id):
                self._loading = None
                if target is not None:
                    self._load_failed(target, error_of(event))
            case _:
                pass

    def _load_failed(self, target: Target, error: UserError) -> None:
        """Every job that waits for this model ends; it is not tried again until somebody asks."""
        with self._lock:
            failed = [job for job in self._jobs if job.target == target]
            self._jobs = deque(job for job in self._jobs if job.target != target)
            if self._wanted == target:
                self._wanted = None
        self._show(EngineState(Phase.FAILED, model_name=target.name, error=error))
        for job in failed:
            self._report(Ended(job.id, FinishReason.ERROR, error=error))
        if not failed:
            self._report(LoadFailed(error))

    def _handle_running(self, event: Event, running: AnswerProgress) -> None:
        match event:
            case PrefillProgress(request_id=running.job_id, done=done, total=total):
                self._report(Reading(running.job_id, done, total))
                self._show(replace(self._state, phase=Phase.READING, progress=done / total if total else 0.0))
            case ReasoningText(request_id=running.job_id, text=text):
                running.thinks()
                self._grow(running, TextGrew(running.job_id, reasoning=text))
            case CommentaryText(request_id=running.job_id, text=text):
                running.speaks()
                self._grow(running, TextGrew(running.job_id, commentary=text))
            case AnswerText(request_id=running.job_id, text=text):
                running.speaks()
                self._grow(running, TextGrew(running.job_id, answer=text))
            case ToolCalled(request_id=running.job_id, name=name, arguments=arguments):
                running.speaks()
                self._report(ToolCallMade(running.job_id, name, arguments))
            case Finished(request_id=running.job_id):
                self._finish(running, event)
            case Failed(request_id=running.job_id):
                self._fail(running, error_of(event))
            case _:
                pass

    def _grow(self, running: AnswerProgress, text: TextGrew) -> None:
        self._report(text)
        if (rate := running.rate()) is not None or self._state.phase is not Phase.ANSWERING:
            self._show(replace(self._state, phase=Phase.ANSWERING, progress=0.0, tokens_per_s=rate or 0.0))

    def _finish(self, running: AnswerProgress, event: Finished) -> None:
        self._end_running()
        timings = replace(event.timings, load_s=running.load_s)
        self._report(replace(running.ended(event.reason), usage=event.usage, timings=timings))
        self._show(
            replace(self._state, phase=Phase.READY, progress=0.0, tokens_per_s=event.timings.decode_tokens_per_s)
        )

    def _fail(self, running: AnswerProgress, error: UserError) -> None:
        self._end_running()
        if error.code in _RELOAD_AFTER:
            self._loaded = None
            self._show(replace(self._state, phase=Phase.FAILED, progress=0.0, error=error))
        else:
            self._show(replace(self._state, phase=Phase.READY, progress=0.0))
        self._report(running.ended(FinishReason.ERROR, error=error))

    def _end_running(self) -> None:
        with self._lock:
            self._sent = None
            if self._running is not None:
                self._cancelled.discard(self._running.job_id)
        self._running = None

    def _lose(self, error: UserError) -> None:
        """The child is gone: what ran has ended, and nothing is loaded."""
        target = self._loading_target if self._loading is not None else None
        running, self._running = self._running, None
        self._drop_client()
        self._show(EngineState(Phase.FAILED, model_name=self._state.model_name, error=error))
        if running is not None:
            self._report(running.ended(FinishReason.ERROR, error=error))
        with self._lock:
            # Nothing is loaded again by itself: what killed the child could do so for ever.
            self._wanted = None
        if target is not None:
            self._load_failed(target, error)

    def _end_all(self, error: UserError) -> None:
        """Nothing that was asked for is tried again: it could fail like this for ever."""
        self._lose(error)
        with self._lock:
            jobs, self._jobs = tuple(self._jobs), deque()
        for job in jobs:
            self._report(Ended(job.id, FinishReason.ERROR, error=error))

    def _drop_client(self) -> None:
        with self._lock:
            client, self._client = self._client, None
            self._sent = None
            self._stalled = False
        self._loaded = None
        self._loading = None
        if client is not None:
            client.close()

    # ---- reports ----

    def _set_stalled(self, stalled: bool) -> None:
        with self._lock:
            self._stalled = stalled
        if stalled:
            self._show(replace(self._state, phase=Phase.STALLED))
        elif self._loading is not None:
            self._show(replace(self._state, phase=Phase.LOADING))
        elif self._running is not None:
            self._show(replace(self._state, phase=Phase.ANSWERING if self._running.has_text else Phase.READING))
        else:
            self._show(replace(self._state, phase=Phase.READY if self._loaded is not None else Phase.UNLOADED))

    def _show(self, state: EngineState) -> None:
        if state == self._state:
            return
        self._state = state
        with self._lock:
            first = self._new_state is None and not self._reports
            self._new_state = state
        if first:
            self._notify()

    def _report(self, report: Report) -> None:
        with self._lock:
            first = self._new_state is None and not self._reports
            self._reports.append(report)
        if first:
            self._notify()
