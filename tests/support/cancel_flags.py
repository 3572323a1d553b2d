"""Cancel flags that are raised at a certain point of the work, not of time."""

from __future__ import annotations

from threading import Event as Flag
from typing import Protocol


class Decodes(Protocol):
    """Counts the tokens that it has decoded."""

    decoded: int


class Countdown(Flag):
    """A cancel flag that is raised after it was asked so often, in the middle of whatever is being done."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._left = times

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


class AfterTokens(Flag):
    """A cancel flag that is raised when so many more tokens were decoded."""

    def __init__(self, machine: Decodes, tokens: int) -> None:
        super().__init__()
        self._machine = machine
        self._last = machine.decoded + tokens

    def is_set(self) -> bool:
        return self._machine.decoded >= self._last
