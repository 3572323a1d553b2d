"""Going from one chat to another takes the store a moment; what is asked for meanwhile waits for the arrival."""

from collections.abc import Callable


class Moves:
    """Counts moves by number. A later arrival counts for the moves before it."""

    def __init__(self) -> None:
        self._last = 0
        self._arrived = 0
        self._waiting: list[Callable[[], None]] = []

    def start(self) -> int:
        """A move begins; its number is for ``arrive``."""
        self._last += 1
        return self._last

    def arrive(self, number: int) -> None:
        """A move is over, well or not. After the last one what waits is done, in order."""
        self._arrived = number
        if number == self._last:
            waiting, self._waiting = self._waiting, []
            for act in waiting:
                act()

    def postponed(self, act: Callable[[], None]) -> bool:
        """Whether a move goes on; ``act`` is then kept for its end."""
        if self._arrived < self._last:
            self._waiting.append(act)
            return True
        return False
