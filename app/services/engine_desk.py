"""What is asked of the engine's worker: put down on any thread, taken up by the worker."""

import itertools
import math
import threading
from collections import deque
from dataclasses import dataclass

from app.engine.model_loading import Target
from app.services.engine_reports import AnswerWish, GenerationJob


@dataclass(frozen=True, slots=True)
class Wanted:
    """What comes next: the first job, if there is one, and the model that has to be loaded.

    ``insist``: it is to be tried although it failed before. ``unwanted``: the memory is to be given back.
    """

    job: GenerationJob | None
    target: Target | None
    insist: bool
    unwanted: bool


class EngineDesk:
    """Jobs in their order, the model that is wanted, and what was cancelled."""

    def __init__(self, ids: "itertools.count[int]") -> None:
        self._ids = ids
        self._lock = threading.Lock()
        self._jobs: deque[GenerationJob] = deque()
        self._cancelled: set[int] = set()
        self._target: Target | None = None
        self._insist = False
        self._unwanted = False
        self._abandoned = False
        self._idle_limit_s = math.inf

    # ---- any thread ----

    def want(self, target: Target, *, insist: bool) -> None:
        """Load this."""
        with self._lock:
            self._target = target
            self._insist = insist
            self._unwanted = False

    def add(self, target: Target, wish: AnswerWish) -> int:
        """Make an answer; the new job's id."""
        job = GenerationJob(next(self._ids), target, wish)
        with self._lock:
            self._jobs.append(job)
            self._target = target
            self._unwanted = False
        return job.id

    def cancel(self, job_id: int) -> None:
        """End this job."""
        with self._lock:
            self._cancelled.add(job_id)

    def unwant(self) -> None:
        """Load nothing, end the jobs that wait, give the memory back."""
        with self._lock:
            self._target = None
            self._unwanted = True
            self._cancelled.update(job.id for job in self._jobs)

    def abandon(self) -> None:
        """End the child."""
        with self._lock:
            self._abandoned = True

    @property
    def idle_limit_s(self) -> float:
        """Seconds without an answer after which the memory is given back."""
        with self._lock:
            return self._idle_limit_s

    @idle_limit_s.setter
    def idle_limit_s(self, seconds: float) -> None:
        with self._lock:
            self._idle_limit_s = seconds

    # ---- the worker ----

    def next(self) -> Wanted:
        """What comes next."""
        with self._lock:
            job = self._jobs[0] if self._jobs else None
            target = self._target if job is None else job.target
            return Wanted(job, target, self._insist, self._unwanted and target is None)

    def noted(self, wanted: Wanted) -> None:
        """The worker acts on this now: what was insisted on, or unwanted, is so once."""
        with self._lock:
            self._insist = self._insist and not wanted.insist
            self._unwanted = self._unwanted and not wanted.unwanted

    @property
    def has_jobs(self) -> bool:
        """Whether answers wait."""
        with self._lock:
            return bool(self._jobs)

    def begin_first(self) -> None:
        """The first job does not wait any more."""
        with self._lock:
            self._jobs.popleft()

    def take_cancelled(self) -> tuple[GenerationJob, ...]:
        """The waiting jobs that were cancelled, which are gone then."""
        with self._lock:
            gone = tuple(job for job in self._jobs if job.id in self._cancelled)
            self._jobs = deque(job for job in self._jobs if job.id not in self._cancelled)
            self._cancelled.difference_update(job.id for job in gone)
        return gone

    def is_cancelled(self, job_id: int) -> bool:
        """Whether a job was cancelled that had begun."""
        with self._lock:
            return job_id in self._cancelled

    def ended(self, job_id: int) -> None:
        """A job is over, cancelled or not."""
        with self._lock:
            self._cancelled.discard(job_id)

    def take_abandoned(self) -> bool:
        """Whether the child is to be ended; said once."""
        with self._lock:
            abandoned, self._abandoned = self._abandoned, False
        return abandoned

    def take_for(self, target: Target) -> tuple[GenerationJob, ...]:
        """All jobs that wait for this model; it is not wanted any more."""
        with self._lock:
            found = tuple(job for job in self._jobs if job.target == target)
            self._jobs = deque(job for job in self._jobs if job.target != target)
            if self._target == target:
                self._target = None
        return found

    def take_all(self) -> tuple[GenerationJob, ...]:
        """All jobs; nothing is wanted any more."""
        with self._lock:
            jobs, self._jobs = tuple(self._jobs), deque()
            self._target = None
        return jobs

    def rest(self) -> None:
        """Nothing is loaded again by itself."""
        with self._lock:
            self._target = None
