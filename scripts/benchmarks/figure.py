"""One measured figure and its bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure; ``bar`` None only informs, ``at_least`` tells on which side of the bar it must lie."""

    name: str
    value: float
    bar: float | None = None
    at_least: bool = True
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the bar, if any, is met."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.at_least else self.value <= self.bar

    def row(self) -> tuple[str, str, str, str]:
        """Name, value, bar and verdict, as the table shows them."""
        unit = f" {self.unit}" if self.unit else ""
        bar = "" if self.bar is None else f"{'at least' if self.at_least else 'at most'} {number(self.bar)}{unit}"
        verdict = "" if self.bar is None else ("met" if self.met else "MISSED")
        return self.name, f"{number(self.value)}{unit}", bar, verdict


def number(value: float) -> str:
    """Three figures that matter."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """The figures as aligned columns under a head."""
    rows = [("figure", "value", "bar", ""), *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
