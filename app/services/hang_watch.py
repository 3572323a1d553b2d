"""A child whose heart beats may hang all the same, inside a driver for example: what it does not do tells.

The client notices within a second when nothing at all comes from a child. This is about work that does not go on.
"""

import math
import time
from enum import Enum, auto

OBEY_S = 10.0
"""The longest it may take to stop: a batch on a slow graphics card, which nothing can interrupt."""

SILENT_OBEY_S = 1.0

READING_S = 120.0
"""The longest silence before the first text; one batch of a large model, read from a slow disk."""

WRITING_S = 15.0
GAPS = 20
"""Later it may be silent for this long, or for so many times the longest pause that there was between two texts."""


class Verdict(Enum):
    """What to think of the child."""

    FINE = auto()
    SILENT = auto()  # it may be a busy computer: the user decides
    DEAF = auto()  # it does not stop what it was told to stop


class HangWatch:
    """Lives on the worker's thread, which tells it what happens and asks again when `left` is over."""

    def __init__(self) -> None:
        self._silent_at = math.inf
        self._deaf_at = math.inf
        self._heard_at: float | None = None
        self._longest = 0.0

    def begin(self) -> None:
        """The child was given an answer to make."""
        self.rest()
        self._silent_at = time.monotonic() + READING_S

    def heard(self, *, writing: bool) -> None:
        """Something of the answer came; ``writing``: there is text already."""
        now = time.monotonic()
        if not writing:
            self._silent_at = now + READING_S
            return
        if self._heard_at is not None:
            self._longest = max(self._longest, now - self._heard_at)
        self._heard_at = now
        self._silent_at = now + max(WRITING_S, GAPS * self._longest)

    def told(self, within_s: float) -> None:
        """The child was told to stop and has this time for it; one that is silent anyway has little. Once counts."""
        if self._deaf_at == math.inf:
            silent = self.verdict() is Verdict.SILENT
            self._deaf_at = time.monotonic() + (min(within_s, SILENT_OBEY_S) if silent else within_s)

    def rest(self) -> None:
        """Nothing is expected of it."""
        self._silent_at = self._deaf_at = math.inf
        self._heard_at = None
        self._longest = 0.0

    def left(self) -> float:
        """Seconds until the verdict may be another one."""
        now = time.monotonic()
        ahead = [at - now for at in (self._silent_at, self._deaf_at) if at > now]
        return min(ahead, default=math.inf)

    def verdict(self) -> Verdict:
        """What to think of it now."""
        now = time.monotonic()
        if now >= self._deaf_at:
            return Verdict.DEAF
        return Verdict.SILENT if now >= self._silent_at else Verdict.FINE
