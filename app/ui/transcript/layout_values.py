"""What a layout consists of. Coordinates are logical pixels from the message's top left corner."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from PySide6.QtCore import QPointF, QRectF

from app.ui.transcript.blocks import Block
from app.ui.transcript.document import SafeDocument
from app.ui.transcript.horizon import LaidMark


@dataclass(slots=True)
class Placed:
    """A block at its place.

    ``frame`` is all it covers, ``inner`` what its document is seen through; ``natural`` is the document's width
    where it does not wrap and ``scroll`` how far it is scrolled to the side.
    """

    block: Block
    section: int
    index: int
    document: SafeDocument
    frame: QRectF
    inner: QRectF
    natural: float = 0.0
    scroll: float = 0.0
    colourless: bool = False  # its last text is still to be coloured
    coloured_for: int = -1  # the number of characters that are coloured
    coloured_s: float = 0.0  # what that cost
    coloured_at: float = 0.0

    @property
    def key(self) -> tuple[int, int]:
        """Its place in the order of the message's blocks."""
        return (self.section, self.index)

    @property
    def overflow(self) -> float:
        """How far it can be scrolled to the side."""
        return max(0.0, self.natural - self.inner.width())

    @property
    def length(self) -> int:
        """How many positions its document has."""
        return self.document.characterCount() - 1

    def origin(self) -> QPointF:
        """Where the document's own origin is drawn."""
        return QPointF(self.inner.x() - self.scroll, self.inner.y())


@dataclass(slots=True)
class Laid:
    """A laid-out message."""

    placed: list[Placed] = field(default_factory=list)
    height: float = 0.0
    bubble: QRectF | None = None
    fold: QRectF | None = None
    status: QRectF | None = None
    mark: QRectF | None = None
    footer: QRectF | None = None
    thread: QRectF | None = None  # the line beside opened reasoning
    horizon: LaidMark | None = None

    def between(self, top: float, bottom: float) -> list[Placed]:
        """The blocks that are seen between two heights."""
        first = bisect_left(self.placed, top, key=lambda placed: placed.frame.bottom())
        last = bisect_right(self.placed, bottom, lo=first, key=lambda placed: placed.frame.top())
        return self.placed[first:last]

    def by_section(self) -> dict[int, list[Placed]]:
        """The placed blocks of each section."""
        result: dict[int, list[Placed]] = {}
        for placed in self.placed:
            result.setdefault(placed.section, []).append(placed)
        return result

    def by_key(self) -> dict[tuple[int, int], Placed]:
        """The placed blocks by section and index."""
        return {placed.key: placed for placed in self.placed}
