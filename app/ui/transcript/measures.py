"""Sizes of what stands around the text, which grow with the reader's text scale as the text does."""

from dataclasses import dataclass
from typing import Self

from app.ui.theme import Theme

TARGET = 24  # a button is never smaller, whatever the scale
COLUMN = 760
MARGIN = 24
NARROW_MARGIN = 16
NARROW = 560


@dataclass(frozen=True, slots=True)
class Measures:
    """Logical pixels at one text scale.

    ``inset`` lies between the edge of a button and its icon or text, ``between`` parts an icon from its text.
    The others are heights, but for ``code_padding`` and ``thread_indent``.
    """

    scale: float
    icon: int
    inset: int
    between: int
    code_header: int
    code_padding: int
    fold: int
    status: int
    mark: int
    thread_indent: int

    @classmethod
    def of(cls, theme: Theme) -> Self:
        """The sizes at a theme's scale."""
        scale = theme.scale

        def px(distance: float) -> int:
            return max(1, round(distance * scale))

        icon = px(16)
        return cls(
            scale=scale,
            icon=icon,
            inset=max(px(6), (TARGET - icon + 1) // 2),
            between=px(6),
            code_header=px(36),
            code_padding=px(14),
            fold=px(30),
            status=px(44),
            mark=px(30),
            thread_indent=px(22),
        )

    def px(self, distance: float) -> int:
        """A distance at this scale; at 1 it is ``distance`` itself, rounded."""
        return max(1, round(distance * self.scale))

    @property
    def button(self) -> int:
        """The side of a button that is only an icon."""
        return self.icon + 2 * self.inset

    @property
    def footer(self) -> int:
        """The height of the line of buttons under a message."""
        return self.button + self.px(6)


def column_width(room: float, scale: float) -> float:
    """How wide the column of text is where there is so much room."""
    margin = MARGIN if room >= NARROW else NARROW_MARGIN
    return max(120.0, min(COLUMN * max(1.0, scale), room - 2 * margin))
