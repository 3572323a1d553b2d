"""The messages one under another: exact heights where they are known, estimates elsewhere."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from itertools import accumulate

from app.ui.transcript.entry import Entry
from app.ui.transcript.layout_values import Laid
from app.ui.transcript.typesetter import Typesetter

KEPT = 120  # messages that keep their layout
TOP = 24
BOTTOM = 24


class Column:
    """Where each message is. Heights are in logical pixels from the top of the whole conversation."""

    def __init__(self, typesetter: Typesetter) -> None:
        self.entries: list[Entry] = []
        self.width = 600.0
        self.typesetter = typesetter
        self._heights: list[float] = []  # exact or estimated
        self._tops: list[float] = [TOP]
        self._stale = 0  # tops behind this message are to be computed
        self._index: dict[int, int] = {}
        self._recent: OrderedDict[int, Entry] = OrderedDict()

    def set_entries(self, entries: Iterable[Entry]) -> None:
        """Puts these messages in the place of the present ones."""
        self.entries = list(entries)
        self._index = {entry.node.id: index for index, entry in enumerate(self.entries)}
        self._recent.clear()
        for entry in self.entries:
            entry.last = entry is self.entries[-1]
        self._measure()

    def append(self, entry: Entry) -> None:
        """Adds a message at the end."""
        if self.entries:
            self.entries[-1].last = False
        entry.last = True
        self._index[entry.node.id] = len(self.entries)
        self.entries.append(entry)
        self._heights.append(self._height(entry))
        self._tops.append(self._tops[-1] + self._heights[-1])

    def index_of(self, node_id: int) -> int | None:
        """The place of a message; None when it is not shown."""
        return self._index.get(node_id)

    def set_typesetter(self, typesetter: Typesetter) -> None:
        """Forgets all layouts and heights: they were made in another look."""
        self.typesetter = typesetter
        for entry in self.entries:
            entry.laid = None
            entry.height = None
        self._recent.clear()
        self._measure()

    def set_width(self, width: float) -> None:
        """Sets the width of the text; heights become estimates where it changes."""
        if width != self.width:
            self.width = width
            for entry in self.entries:
                entry.height = None
            self._measure()

    @property
    def height(self) -> float:
        """The height of everything."""
        return self._tops[-1] + BOTTOM

    def top(self, index: int) -> float:
        """Where a message begins."""
        return self._tops[index]

    def at(self, y: float) -> int | None:
        """The message at this height, the nearest one if there is none; None when there are no messages."""
        if not self.entries:
            return None
        return max(0, min(len(self.entries) - 1, bisect_right(self._tops, y) - 1))

    def between(self, top: float, bottom: float) -> range:
        """The messages that are seen between two heights."""
        first = self.at(top)
        if first is None:
            return range(0)
        last = first
        while last + 1 < len(self.entries) and self._tops[last + 1] < bottom:
            last += 1
        return range(first, last + 1)

    def laid(self, index: int) -> Laid:
        """The layout of a message, made now if it is not there."""
        entry = self.entries[index]
        if entry.laid is None or entry.laid_width != self.width or entry.height is None:
            self.lay_out(index)
        else:
            self._recent.move_to_end(entry.node.id)
        assert entry.laid is not None
        return entry.laid

    def lay_out(self, index: int) -> None:
        """Lays a message out anew; ``settle`` then moves the others."""
        entry = self.entries[index]
        self.typesetter.lay_out(entry, self.width)
        self._recent[entry.node.id] = entry
        self._recent.move_to_end(entry.node.id)
        while len(self._recent) > KEPT:
            _, old = self._recent.popitem(last=False)
            old.drop()
        height = self._height(entry)
        if height != self._heights[index]:
            self._heights[index] = height
            self._stale = min(self._stale, index)

    def lay_out_growth(self, index: int) -> float:
        """Lays a grown message out; the height from which on it looks different."""
        entry = self.entries[index]
        before = list(entry.laid.placed) if entry.laid is not None else []
        self.lay_out(index)
        after = entry.laid.placed if entry.laid is not None else []
        kept = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a is not b), len(before))
        # The last one kept may have grown.
        top = after[min(kept, len(after)) - 1].frame.top() if kept and after else 0.0
        return self._tops[index] + top

    def is_exact(self, index: int) -> bool:
        """Whether a message is laid out in the present width."""
        entry = self.entries[index]
        return entry.laid is not None and entry.height is not None and entry.laid_width == self.width

    def settle(self) -> None:
        """Takes changed heights into account."""
        stale = self._stale
        if stale < len(self._heights):
            self._tops[stale:] = accumulate(self._heights[stale:], initial=self._tops[stale])
        self._stale = len(self._heights)

    def _height(self, entry: Entry) -> float:
        if entry.height is not None:
            return entry.height
        return entry.estimate(self.width, self.typesetter.theme.type.reading)

    def _measure(self) -> None:
        self._heights = [self._height(entry) for entry in self.entries]
        self._tops = [float(TOP)]
        self._stale = 0
        self.settle()
        if not self._heights:
            self._tops = [float(TOP)]
