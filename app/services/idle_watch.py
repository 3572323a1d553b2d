"""While a loaded model is not used: when to give its memory back, and whether the machine slept."""

import time

from app.services.engine_desk import EngineDesk
from app.services.sleep_clock import SleepClock

WATCH_S = 5.0
"""How often a worker with nothing to do looks at the clocks."""


class IdleWatch:
    """Asked by the worker between two waits."""

    def __init__(self, desk: EngineDesk, sleep: SleepClock) -> None:
        self._desk = desk
        self._sleep = sleep
        self._used = time.monotonic()

    def used(self) -> None:
        """The model was used, or has just been loaded."""
        self._used = time.monotonic()

    def patience(self) -> float:
        """Seconds until it is worthwhile to ask again."""
        return min(WATCH_S, max(0.0, self._until() - time.monotonic()))

    def is_over(self) -> bool:
        """Whether it was not used for as long as the user wants to wait."""
        return time.monotonic() >= self._until() and not self._desk.has_jobs

    def slept(self) -> bool:
        """Whether the machine was asleep since this was last asked."""
        return self._sleep.slept()

    def _until(self) -> float:
        return self._used + self._desk.idle_limit_s
