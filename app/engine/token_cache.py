"""The tokens of messages that were met before: most of a prompt was in the one before it."""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from app.harmony.segments import Segment, Text

MOST_BYTES = 8 * 1024 * 1024


class TokenCache:
    """Least recently used first out. ``runs`` makes what is new; see `app.harmony.encoding.PromptEncoder.runs`."""

    def __init__(
        self, runs: Callable[[Iterable[Segment]], Iterable[Sequence[int]]], most_bytes: int = MOST_BYTES
    ) -> None:
        self._runs = runs
        self._most = most_bytes
        self._kept: OrderedDict[tuple[Segment, ...], array[int]] = OrderedDict()
        self._bytes = 0

    def tokens(self, message: Sequence[Segment], given_up: Callable[[], bool]) -> Sequence[int] | None:
        """A message's tokens; None when ``given_up`` said so in between."""
        key = tuple(message)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        made = array("i")
        for run in self._runs(key):
            made.extend(run)
            if given_up():
                return None
        self._kept[key] = made
        self._bytes += _bytes(key, made)
        while self._bytes > self._most:
            self._bytes -= _bytes(*self._kept.popitem(last=False))
        return made


def _bytes(key: tuple[Segment, ...], tokens: "array[int]") -> int:
    return sum(len(segment.text) for segment in key if isinstance(segment, Text)) + 4 * len(tokens)
