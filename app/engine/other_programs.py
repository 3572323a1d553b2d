"""How many of the cores that the model's threads need are held by other programs."""

import threading
import time

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
        at, busy, own = time.monotonic(), self._busy(), time.process_time()
        while not self._ended.wait(self._period):
            now, now_busy, now_own = time.monotonic(), self._busy(), time.process_time()
            self._busy_cores = (now_busy - busy - (now_own - own)) / (now - at)
            at, busy, own = now, now_busy, now_own

    def _busy(self) -> float:
        """Seconds that the processors have not been idle."""
        each = psutil.cpu_times(percpu=True)
        total = 0.0
        for processor in self._processors:
            times = each[processor]
            # A guest's time is part of the user's.
            idle = times.idle + getattr(times, "iowait", 0.0)
            guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
            total += sum(times) - idle - guests
        return total


def _allowed() -> list[int]:
    """The processors that this process may use."""
    count = len(psutil.cpu_times(percpu=True))
    affinity = getattr(psutil.Process(), "cpu_affinity", None)  # not on macOS
    allowed: list[int] = affinity() if affinity is not None else list(range(count))
    return [processor for processor in allowed if processor < count]
