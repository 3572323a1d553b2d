"""How many of the cores that the model's threads need are held by other programs."""

import threading
import time
from dataclasses import dataclass

import psutil

PERIOD_S = 0.25
"""Between two looks; the kernel counts in hundredths of a second."""


class OtherPrograms:
    """Looks now and then, in a thread of its own, so that asking costs nothing; ``close`` ends it.

    What is neither idle nor this process counts: other programs, the window's own process, and the time that a virtual
    machine's host keeps for itself.
    """

    def __init__(self, threads: int = 0, period: float = PERIOD_S) -> None:
        """``threads`` of this process compute; `compute_with` says so later."""
        self._processors = _allowed()
        self._spare = 0
        self.compute_with(threads)
        self._period = period
        self._busy_cores = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="other-programs", daemon=True)
        self._thread.start()

    def compute_with(self, threads: int) -> None:
        """So many threads of this process compute from now on."""
        self._spare = max(0, len(self._processors) - threads)

    def held(self) -> float:
        """Cores on average of the last period, beyond those that the threads leave free anyway."""
        return max(0.0, self._busy_cores - self._spare)

    def close(self) -> None:
        """End the looking."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        before = self._sight()
        while not self._ended.wait(self._period):
            now = self._sight()
            self._busy_cores = 0.0 if before is None or now is None else now.busy_cores(before)
            before = now

    def _sight(self) -> "_Sight | None":
        """What there is to see now; None when the system does not tell."""
        try:
            each = psutil.cpu_times(percpu=True)
        except (OSError, psutil.Error):
            return None
        busy = 0.0
        for processor in self._processors:
            if processor >= len(each):  # it was switched off
                continue
            times = each[processor]
            # A guest's time is part of the user's.
            idle = times.idle + getattr(times, "iowait", 0.0)
            guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
            busy += sum(times) - idle - guests
        return _Sight(time.monotonic(), len(each), busy, time.process_time())


@dataclass(frozen=True, slots=True)
class _Sight:
    """``busy`` seconds that the processors which this process may use have not been idle, its ``own`` among them; there
    are so many ``processors`` in the machine.
    """

    at: float
    processors: int
    busy: float
    own: float

    def busy_cores(self, before: "_Sight") -> float:
        """Cores that others held since; 0 when processors came or went, whose seconds cannot be compared."""
        if self.processors != before.processors or self.at <= before.at:
            return 0.0
        return (self.busy - before.busy - (self.own - before.own)) / (self.at - before.at)


def _allowed() -> list[int]:
    """The processors that this process may use."""
    count = len(psutil.cpu_times(percpu=True))
    affinity = getattr(psutil.Process(), "cpu_affinity", None)  # not on macOS
    allowed: list[int] = affinity() if affinity is not None else list(range(count))
    return [processor for processor in allowed if processor < count]
