"""Notices that the machine was asleep: one clock stands still then, another goes on."""

import ctypes
import sys
import time
from collections.abc import Callable

ASLEEP_S = 5.0
"""Sleeps that are shorter leave drivers and devices as they are."""


def seconds_asleep() -> float:
    """The time since some start that this machine spent asleep; only differences mean something."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC) - time.clock_gettime(time.CLOCK_UPTIME_RAW)
    if sys.platform == "win32":
        kernel = ctypes.windll.kernel32
        kernel.GetTickCount64.restype = ctypes.c_ulonglong  # milliseconds
        awake = ctypes.c_ulonglong()  # in tenths of a microsecond
        kernel.QueryUnbiasedInterruptTime(ctypes.byref(awake))
        return kernel.GetTickCount64() / 1000 - awake.value / 1e7
    return 0.0


class SleepClock:
    """Asked now and then whether there was a sleep since it was last asked."""

    def __init__(self, clock: Callable[[], float] = seconds_asleep) -> None:
        self._clock = clock
        self._known = clock()

    def slept(self) -> bool:
        """Whether the machine slept for a while."""
        before, self._known = self._known, self._clock()
        return self._known - before >= ASLEEP_S
