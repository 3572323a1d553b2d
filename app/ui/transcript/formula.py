"""Formulas as pictures, drawn by ziamath within bounds of length and depth.

ziamath's time doubles with each level of nesting (12 nested fractions take ten seconds), so deep formulas show their
source, as do those that it cannot draw.
"""

import logging
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

LONGEST = 800
DEEPEST = 5
ROW_GAP = re.compile(r"\\\\\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm|in)\s*\]")
VIEW_BOX = re.compile(r'viewBox="([^"]+)"')
UNKNOWN = (r"\ce{", r"\require", r"\def", r"\newcommand")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Formula:
    """A drawn formula; sizes in logical pixels, ``ascent`` is what stands above the baseline."""

    svg: str
    width: float
    height: float
    ascent: float


def within_bounds(latex: str) -> bool:
    """Whether a formula can be drawn in a moment."""
    depth = deepest = 0
    for character in latex:
        depth += (character == "{") - (character == "}")
        deepest = max(deepest, depth)
    return len(latex) <= LONGEST and deepest + latex.count(r"\left") <= DEEPEST


@lru_cache(maxsize=512)
def draw(latex: str, display: bool, pixels: float, colour: str) -> Formula | None:
    """The formula in letters of this size and colour; None when its source is to be shown."""
    if not within_bounds(latex) or any(command in latex for command in UNKNOWN):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of importlib.resources, inside ziamath
        import ziamath
    ziamath.config.svg2 = False  # pyright: ignore[reportPrivateImportUsage] - Qt draws SVG 1.1
    try:
        rows = ROW_GAP.sub(r"\\\\ ", latex)
        drawn = ziamath.Latex(rows, size=pixels, inline=not display, color=colour)  # pyright: ignore[reportPrivateImportUsage]
        svg = drawn.svg()
    except Exception as error:  # noqa: BLE001 - a parser that is not ours, on any text: whatever it raises, it cannot
        log.debug("a formula cannot be drawn: %r", error)
        return None
    box = VIEW_BOX.search(svg)
    if box is None:
        return None
    _, top, width, height = (float(value) for value in box[1].split())
    return Formula(svg, width, height, -top)


@lru_cache(maxsize=256)
def picture(formula: Formula, density: float, x_height: float = 0.0) -> QImage:
    """The formula for a screen of this density.

    With an ``x_height`` it is padded so that, centred on the middle of small letters as Qt does with pictures in a
    line, its baseline is the line's.
    """
    height, top = formula.height, 0.0
    if x_height:
        descent = formula.height - formula.ascent
        half = x_height / 2
        height = max(2 * formula.ascent - half, 2 * descent + half, 1.0)
        top = (height + half) / 2 - formula.ascent
    size = QSize(max(1, round(formula.width * density)), max(1, round(height * density)))
    image = QImage(size, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    area = QRectF(0, top * density, size.width(), formula.height * density)
    QSvgRenderer(QByteArray(formula.svg.encode())).render(painter, area)
    painter.end()
    image.setDevicePixelRatio(density)
    return image
