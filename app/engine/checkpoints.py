"""Earlier moments of a memory that it can go back to: few near its beginning, more near its end."""

from collections.abc import Iterator

from app.engine.memory_image import WindowImage

MOST = 24
MOST_BYTES = 48 * 1024 * 1024
"""gpt-oss-20b's window takes 3.1 MB: room for 15 of them."""


class Checkpoints:
    """The windows of one sequence at different lengths, bounded in number and bytes.

    When there are too many, the one is dropped whose loss costs least: the reading that it spares (from the one before
    it to the one behind it) against its distance from the end, because people change what they wrote last. The first
    and the newest stay.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._windows: list[WindowImage] = []

    def __iter__(self) -> Iterator[WindowImage]:
        """In ascending length."""
        return iter(self._windows)

    @property
    def last(self) -> int:
        """The greatest length, 0 when there is none."""
        return self._windows[-1].length if self._windows else 0

    def add(self, window: WindowImage) -> None:
        """Take one that is longer than all others. One that is larger than all the room is not kept."""
        if len(window.state) > self._most_bytes:
            return
        self._windows.append(window)
        while len(self._windows) > self._most or sum(len(kept.state) for kept in self._windows) > self._most_bytes:
            del self._windows[self._least()]

    def newest(self, length: int) -> WindowImage | None:
        """The one with the greatest length that is not over ``length``."""
        return next((window for window in reversed(self._windows) if window.length <= length), None)

    def cut(self, length: int) -> None:
        """Forget those of more than ``length`` tokens."""
        self._windows = [window for window in self._windows if window.length <= length]

    def _least(self) -> int:
        if len(self._windows) < 3:
            return 0
        lengths = [window.length for window in self._windows]

        def worth(index: int) -> float:
            return (lengths[index + 1] - lengths[index - 1]) / (lengths[-1] - lengths[index])

        return min(range(1, len(lengths) - 1), key=worth)
