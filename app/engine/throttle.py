"""Reports of progress at a bearable pace."""

import time

PROGRESS_S = 0.05
"""Least time between two reports of progress."""


class Throttle:
    """Says whether enough time has passed since it last said so."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def due(self) -> bool:
        """True at most once per period, at the first call too."""
        now = time.perf_counter()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True
