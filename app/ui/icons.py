"""The program's own icons: monochrome drawings that take the theme's colour when they are shown."""

from functools import lru_cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QImage, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

ICON_FOLDER = Path(__file__).resolve().parents[2] / "resources" / "icons"
DENSITIES = (1, 2, 3)


@lru_cache(maxsize=128)
def source(name: str) -> str:
    """The drawing's SVG text; FileNotFoundError when there is no icon of this name."""
    return (ICON_FOLDER / f"{name}.svg").read_text(encoding="utf-8")


@lru_cache(maxsize=256)
def image(name: str, colour: str, size: int, density: float = 1.0) -> QImage:
    """The icon in one colour, ``size`` logical pixels wide and high, drawn for a screen of ``density``.

    The picture is shared: draw it, do not change it.
    """
    pixels = max(1, round(size * density))
    picture = QImage(QSize(pixels, pixels), QImage.Format.Format_ARGB32_Premultiplied)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    QSvgRenderer(QByteArray(_tinted(name, colour))).render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    picture.setDevicePixelRatio(pixels / size)
    return picture


def icon(name: str, colour: str, size: int = 20, disabled: str = "") -> QIcon:
    """A QIcon in the given colour (and, for disabled widgets, another), sharp on screens of every density."""
    result = QIcon()
    for density in DENSITIES:
        result.addPixmap(QPixmap.fromImage(image(name, colour, size, density)))
        if disabled:
            result.addPixmap(QPixmap.fromImage(image(name, disabled, size, density)), QIcon.Mode.Disabled)
    return result


def program_icon() -> QIcon:
    """The program's own icon, in its own colours."""
    result = QIcon()
    for size in (16, 24, 32, 48, 64, 128, 256):
        result.addPixmap(QPixmap.fromImage(image("alcove", "", size)))
    return result


def _tinted(name: str, colour: str) -> bytes:
    text = source(name)
    if colour:
        # SVG knows no alpha in `#rrggbbaa` here, and a QColor may carry one.
        text = text.replace("currentColor", QColor(colour).name())
    return text.encode()
