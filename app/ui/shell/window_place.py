"""Where a window stands, as a line of text that a setting can keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from PySide6.QtCore import QRect

MAXIMIZED = "maximized"
SHOWN_AT_LEAST = 100  # pixels of the title's line that have to lie on a screen


@dataclass(frozen=True, slots=True)
class WindowPlace:
    """The window's place while it is not maximized, and whether it is."""

    left: int
    top: int
    width: int
    height: int
    maximized: bool = False

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What ``str()`` made; None for anything else."""
        parts = text.split(",")
        maximized = parts[-1] == MAXIMIZED
        numbers = parts[:-1] if maximized else parts
        try:
            left, top, width, height = (int(part) for part in numbers)
        except ValueError:
            return None
        return cls(left, top, width, height, maximized) if width > 0 and height > 0 else None

    def __str__(self) -> str:
        numbers = f"{self.left},{self.top},{self.width},{self.height}"
        return f"{numbers},{MAXIMIZED}" if self.maximized else numbers

    def fitted(self, screens: Sequence[QRect]) -> QRect | None:
        """The place, made to fit a screen that shows the top of the window; None when none does (any more)."""
        top_line = QRect(self.left, self.top, self.width, 40)
        for screen in screens:
            seen = screen.intersected(top_line)
            if seen.width() >= min(SHOWN_AT_LEAST, self.width) and seen.height() > 0:
                width, height = min(self.width, screen.width()), min(self.height, screen.height())
                left = min(max(self.left, screen.left() - width + SHOWN_AT_LEAST), screen.right() - SHOWN_AT_LEAST)
                return QRect(left, max(self.top, screen.top()), width, height)
        return None
