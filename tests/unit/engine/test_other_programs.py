"""What other programs take of the processor, on processors that come and go."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from app.engine import other_programs
from app.engine.other_programs import OtherPrograms


class Processors:
    """Four of them, which are busy all the time as far as psutil says; those behind ``online`` are gone."""

    def __init__(self) -> None:
        self.online = 4
        self.error: Exception | None = None
        self._looks = 0
        self._looked = threading.Condition()

    def times(self, *, percpu: bool) -> list[Any]:
        assert percpu
        with self._looked:
            self._looks += 1
            self._looked.notify_all()
            if self.error is not None:
                raise self.error
            # A hundred hours more at each look: this process's own time does not count beside that.
            return [SimpleTimes(user=360_000.0 * self._looks, idle=0.0) for _ in range(self.online)]

    def wait(self, looks: int) -> None:
        """Until so many more looks were begun."""
        with self._looked:
            until = self._looks + looks
            assert self._looked.wait_for(lambda: self._looks >= until, 30)


class SimpleTimes(tuple[float, ...]):
    """As psutil's named tuples."""

    user: float
    idle: float

    def __new__(cls, *, user: float, idle: float) -> SimpleTimes:
        times = super().__new__(cls, (user, idle))
        times.user, times.idle = user, idle
        return times


@pytest.fixture
def processors(monkeypatch: pytest.MonkeyPatch) -> Processors:
    processors = Processors()
    process = SimpleNamespace(cpu_affinity=lambda: [0, 1, 2, 3])
    monkeypatch.setattr(
        other_programs,
        "psutil",
        SimpleNamespace(cpu_times=processors.times, Process=lambda: process, Error=psutil.Error),
    )
    return processors


def test_a_processor_that_goes_is_not_counted_and_the_looking_goes_on(processors: Processors) -> None:
    others = OtherPrograms(period=0.001)
    try:
        processors.wait(5)
        assert others.held() > 0
        processors.online = 1
        processors.wait(5)
        assert others.held() > 0  # by what is left
        processors.online = 4
        processors.wait(5)
        assert others.held() > 0
    finally:
        others.close()


def test_where_nothing_can_be_seen_nobody_holds_anything(processors: Processors) -> None:
    others = OtherPrograms(period=0.001)
    try:
        processors.wait(5)
        assert others.held() > 0
        processors.error = OSError("gone")
        processors.wait(5)
        assert others.held() == 0
        processors.error = None
        processors.wait(5)
        assert others.held() > 0
    finally:
        others.close()
