"""How much of the processor other programs took meanwhile: what a figure of a busy machine is worth."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Self

import psutil


class Neighbours:
    """Counts from ``with`` to its end; ``share`` is then the part of the machine's time, 0 to 1, that others took.

    Processes that this one has started count as its own once they have been waited for.
    """

    def __init__(self) -> None:
        self.share = 0.0
        self._begin = 0.0
        self._busy = 0.0
        self._own = 0.0

    def __enter__(self) -> Self:
        self._begin, self._busy, self._own = time.monotonic(), busy_s(), own_s()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        others = busy_s() - self._busy - (own_s() - self._own)
        elapsed = (time.monotonic() - self._begin) * (psutil.cpu_count() or 1)
        self.share = min(max(others / elapsed, 0.0), 1.0) if elapsed > 0 else 0.0


def busy_s() -> float:
    """Seconds that the machine's cores have computed."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def own_s() -> float:
    """Seconds that this process and those that it has waited for have computed."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
