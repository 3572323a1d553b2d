"""Earlier moments of a memory that it can go back to: few near its beginning, more near its end."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence

from app.engine.memory_image import WindowImage

MOST = 24
MOST_BYTES = 48 * 1024 * 1024
"""gpt-oss-20b's window takes 3.1 MB: room for 15 of them."""

FEW = 3
"""So many are wanted of any size: where the last message begins, where its answer does, and the end of the prompt. One
of gemma-3-12b's, whose window has 1,024 tokens, takes 335 MB.
"""

_SOME = 5
"""With room for fewer only those at messages count, and the first is as good as any."""

_NEAR = 8  # tokens: a message's header


class Checkpoints:
    """The windows of one sequence at different lengths, bounded in number and bytes.

    When there are too many, the one is dropped whose loss costs least: the reading that it spares (from the one before
    it to the one behind it) against its distance from the end, because people change what they wrote last. The newest
    stays, and where there is room for some, the first, at which other chats part.
    """

    def __init__(self, free_bytes: Callable[[], int], most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        """Large ones may take more than ``most_bytes``: `FEW` of them up to a quarter of ``free_bytes``, main memory
        that nobody uses; a single one up to half of it.
        """
        self._free = free_bytes
        self._most = most
        self._most_bytes = most_bytes
        self._windows: list[WindowImage] = []
        self._lasting: frozenset[int] = frozenset()

    def __iter__(self) -> Iterator[WindowImage]:
        """In ascending length."""
        return iter(self._windows)

    @property
    def last(self) -> int:
        """The greatest length, 0 when there is none."""
        return self._windows[-1].length if self._windows else 0

    def room(self, size: int) -> int:
        """How many of ``size`` bytes may be kept, 0 when not even one may."""
        return self._fitting(self._limit(size), size)

    def plan(self, lengths: Sequence[int], size: int, starts: Sequence[int] = ()) -> None:
        """A prompt is about to be read whose messages begin at ``starts``, and one of ``size`` bytes can be taken at
        each of ``lengths``, all ascending: decide which of them will be there in the end. No other need be taken.
        """
        kept = [window.length for window in self._windows]
        kept += [length for length in lengths if length > self.last]
        room = self.room(size)
        others = [length for length in kept[:-1] if not _is_near(length, starts)] if room < _SOME else []
        while len(kept) > room > 0:
            dropped = _least(kept, room, others)
            if kept[dropped] in others:
                others.remove(kept[dropped])
            del kept[dropped]
        self._lasting = frozenset(kept if room else ())

    def will_last(self, length: int) -> bool:
        """Whether one at this length is part of the plan."""
        return length in self._lasting

    def make_room(self, length: int, size: int) -> bool:
        """Drop what one more at ``length``, greater than all others, leaves no room for; False when it has none itself.

        Before it is made, so that there is never one more than there may be.
        """
        limit = self._limit(size)
        room = self._fitting(limit, size)
        if not room:
            return False
        lengths, sizes = [w.length for w in self._windows], [len(w.state) for w in self._windows]
        lengths.append(length)
        sizes.append(size)
        while len(sizes) > self._most or sum(sizes) > limit:
            dropped = _least(lengths, room, [known for known in lengths[:-1] if known not in self._lasting])
            for entries in (lengths, sizes, self._windows):
                del entries[dropped]
        return True

    def add(self, window: WindowImage) -> None:
        """Take one that is longer than all others. One that is larger than all the room is not kept."""
        if self.make_room(window.length, len(window.state)):
            self._windows.append(window)

    def newest(self, length: int) -> WindowImage | None:
        """The one with the greatest length that is not over ``length``."""
        return next((window for window in reversed(self._windows) if window.length <= length), None)

    def cut(self, length: int) -> None:
        """Forget those of more than ``length`` tokens."""
        self._windows = [window for window in self._windows if window.length <= length]

    def _fitting(self, limit: int, size: int) -> int:
        return min(self._most, limit // max(size, 1))

    def _limit(self, size: int) -> int:
        """How many bytes may be kept of windows of this size."""
        if FEW * size <= self._most_bytes:
            return self._most_bytes
        free = self._free() + sum(len(window.state) for window in self._windows)
        share = min(FEW * size, free // 4)
        if share < size <= free // 2:
            share = size
        return max(self._most_bytes, share)


def _least(lengths: Sequence[int], room: int, first: Sequence[int]) -> int:
    """Which of them, but the last, is worth least where so many may stay; one of ``first`` as long as there are any."""

    def worth(index: int) -> float:
        before = lengths[index - 1] if index else 0
        return (lengths[index + 1] - before) / (lengths[-1] - lengths[index])

    some = room >= _SOME and len(lengths) > 2
    places = range(1 if some else 0, len(lengths) - 1)
    return min([place for place in places if lengths[place] in first] or places, key=worth)


def _is_near(length: int, starts: Sequence[int]) -> bool:
    """Whether a message begins there or some tokens before or behind it."""
    return bisect_left(starts, length - _NEAR) < bisect_right(starts, length + _NEAR)
