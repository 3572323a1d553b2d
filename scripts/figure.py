"""One measured figure and its bar, and the table of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure; ``bar`` None only informs, ``at_least`` tells on which side of the bar it must lie.

    ``samples`` are the measurements that ``value`` sums up, where there were several.
    """

    name: str
    value: float
    bar: float | None = None
    at_least: bool = True
    unit: str = ""
    samples: tuple[float, ...] = ()

    @property
    def met(self) -> bool:
        """Whether the bar, if any, is met."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.at_least else self.value <= self.bar

    def cells(self) -> tuple[str, str, str, str, str]:
        """Name, value, range of the samples, bar and verdict, as the table shows them."""
        unit = f" {self.unit}" if self.unit else ""
        spread = f"{number(min(self.samples))} to {number(max(self.samples))}" if len(self.samples) > 1 else ""
        bar = "" if self.bar is None else f"{'at least' if self.at_least else 'at most'} {number(self.bar)}{unit}"
        verdict = "" if self.bar is None else ("met" if self.met else "MISSED")
        return self.name, f"{number(self.value)}{unit}", spread, bar, verdict

    def plain(self) -> dict[str, Any]:
        """The figure as JSON has it."""
        return asdict(self) | {"met": self.met}


def middle(
    name: str, samples: Sequence[float], bar: float | None = None, *, at_least: bool = True, unit: str = ""
) -> Figure:
    """The median of several measurements, as a figure."""
    return Figure(name, median(samples), bar, at_least, unit, tuple(samples))


def number(value: float) -> str:
    """Three figures that matter; a byte count or a rate as it is."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """The figures as aligned columns under a head."""
    rows = [("figure", "value", "range", "bar", ""), *(figure.cells() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
