"""What a message consists of: a flat sequence of blocks, each small enough to be laid out by itself.

Lists and quotes are not blocks: a block names the ones it stands in. So a list of any length is laid out item by
item, and code in a list is the same block as code elsewhere. Nothing here knows Qt.
"""

from dataclasses import dataclass
from enum import Enum, auto
from unicodedata import bidirectional


class BlockKind(Enum):
    """How a block is drawn."""

    PARAGRAPH = auto()
    HEADING = auto()
    CODE = auto()
    TABLE = auto()
    RULE = auto()
    MATH = auto()


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text in one style. ``math`` says that the text is LaTeX; "\\n" is a line break."""

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    math: bool = False
    href: str = ""


class NestKind(Enum):
    """What a block may stand in."""

    QUOTE = auto()
    BULLETS = auto()
    NUMBERS = auto()


@dataclass(frozen=True, slots=True)
class Nest:
    """A quote or a list item around a block.

    ``marker`` is "•", "3." and the like; ``first`` says that this block is the item's first, which shows it.
    ``checked`` is None but in task lists.
    """

    kind: NestKind
    marker: str = ""
    checked: bool | None = None
    first: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as spans; ``alignments`` are "left", "center", "right" or "" by column."""

    header: tuple[tuple[Span, ...], ...]
    rows: tuple[tuple[tuple[Span, ...], ...], ...]
    alignments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One block. ``tight`` brings it close to the one before (items of a tight list).

    ``source`` is its Markdown (for a list, each block carries the whole element's source only once, on the first
    block of the element, so that joining sources gives the text back).
    """

    kind: BlockKind
    spans: tuple[Span, ...] = ()
    level: int = 0
    code: str = ""
    language: str = ""
    label: str = ""  # a tool call: the name of the tool
    table: Table | None = None
    nest: tuple[Nest, ...] = ()
    tight: bool = False
    source: str = ""

    def same_text(self, other: "Block") -> bool:
        """Whether both look the same inside, so that a laid-out document can serve for either."""
        return (
            self.kind is other.kind
            and self.spans == other.spans
            and self.code == other.code
            and self.table == other.table
            and self.nest == other.nest
            and (self.level, self.language, self.label) == (other.level, other.language, other.label)
        )

    @property
    def right_to_left(self) -> bool:
        """Whether its text is written from right to left: the first letter decides."""
        for character in plain(self.spans)[:200]:
            direction = bidirectional(character)
            if direction in ("L", "R", "AL"):
                return direction != "L"
        return False


def plain(spans: tuple[Span, ...]) -> str:
    """The text of spans without their styles; formulas as LaTeX."""
    return "".join(f"\\({span.text}\\)" if span.math else span.text for span in spans)


def plain_block(block: Block) -> str:
    """A block as plain text, as it is announced and copied."""
    match block.kind:
        case BlockKind.CODE:
            return block.code
        case BlockKind.MATH:
            return f"\\[\n{block.code}\n\\]"
        case BlockKind.RULE:
            return ""
        case BlockKind.TABLE if block.table is not None:
            rows = (block.table.header, *block.table.rows)
            return "\n".join("\t".join(plain(cell) for cell in row) for row in rows)
        case _:
            return plain(block.spans)
