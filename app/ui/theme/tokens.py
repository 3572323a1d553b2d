"""The visual language: every colour, size, radius and distance of the interface, for both themes.

Colours are ``#rrggbb``; text colours reach WCAG AA (4.5:1) on every surface they are used on, borders of controls
and the focus ring 3:1. Sizes are logical pixels at a text scale of 1.
"""

from dataclasses import dataclass
from typing import Self

from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontInfo

MONOSPACE = ("SF Mono", "Cascadia Mono", "JetBrains Mono", "Ubuntu Mono", "Noto Sans Mono", "DejaVu Sans Mono", "Menlo")


@dataclass(frozen=True, slots=True)
class Syntax:
    """Colours of highlighted code, on ``Colours.code``."""

    keyword: str
    string: str
    number: str
    comment: str
    function: str
    type: str
    constant: str
    operator: str
    inserted: str
    deleted: str


@dataclass(frozen=True, slots=True)
class Colours:
    """What is where: ``page`` is the reading ground, ``sidebar`` and ``rail`` lie beside it, ``surface`` on it."""

    page: str
    sidebar: str
    rail: str
    surface: str
    raised: str
    hover: str
    pressed: str
    text: str
    muted: str
    border: str
    control_border: str
    accent: str
    accent_hover: str
    on_accent: str
    accent_soft: str
    link: str
    focus: str
    selection: str
    bubble: str
    code: str
    code_header: str
    inline_code: str
    danger: str
    danger_soft: str
    warning: str
    warning_soft: str
    success: str
    syntax: Syntax


LIGHT = Colours(
    page="#ffffff",
    sidebar="#f6f7f7",
    rail="#eff1f1",
    surface="#f6f7f7",
    raised="#ffffff",
    hover="#eaedec",
    pressed="#dfe4e3",
    text="#1a1d1e",
    muted="#5b6265",
    border="#e2e5e5",
    control_border="#858d8f",
    accent="#0d746e",
    accent_hover="#095e59",
    on_accent="#ffffff",
    accent_soft="#e0f0ee",
    link="#0b6a8f",
    focus="#0d8f87",
    selection="#bfe5e0",
    bubble="#eef3f2",
    code="#f6f7f8",
    code_header="#f6f7f8",
    inline_code="#eceeef",
    danger="#b3261e",
    danger_soft="#fcebe9",
    warning="#875000",
    warning_soft="#fdf1dc",
    success="#1d6f42",
    syntax=Syntax(
        keyword="#7a3aa8",
        string="#1d6b41",
        number="#a23f00",
        comment="#626a6e",
        function="#1c5bb0",
        type="#0b6e7a",
        constant="#a23f00",
        operator="#4a5154",
        inserted="#1d6b41",
        deleted="#b3261e",
    ),
)

DARK = Colours(
    page="#17191a",
    sidebar="#1c1f20",
    rail="#131516",
    surface="#1f2223",
    raised="#25292a",
    hover="#292d2e",
    pressed="#333839",
    text="#e4e7e7",
    muted="#9ea6a8",
    border="#2e3334",
    control_border="#757e80",
    accent="#62cabf",
    accent_hover="#82dbd1",
    on_accent="#0b2522",
    accent_soft="#1d3835",
    link="#79c0e8",
    focus="#4fbdb2",
    selection="#255c57",
    bubble="#262b2c",
    code="#1f2223",
    code_header="#1f2223",
    inline_code="#2a2e30",
    danger="#ff9a90",
    danger_soft="#3d2422",
    warning="#f0bd6c",
    warning_soft="#38301f",
    success="#7fd3a2",
    syntax=Syntax(
        keyword="#cba4f0",
        string="#93d3a5",
        number="#f0b088",
        comment="#929a9d",
        function="#8fbdf7",
        type="#76cfd6",
        constant="#f0b088",
        operator="#b9c0c2",
        inserted="#93d3a5",
        deleted="#ff9a90",
    ),
)


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distances; everything is a multiple of four but the smallest."""

    xxs: int = 2
    xs: int = 4
    s: int = 8
    m: int = 12
    l: int = 16  # noqa: E741
    xl: int = 24
    xxl: int = 32
    xxxl: int = 48


@dataclass(frozen=True, slots=True)
class Radii:
    """Corner radii: controls, cards, bubbles."""

    small: int = 6
    medium: int = 10
    large: int = 18


@dataclass(frozen=True, slots=True)
class TypeScale:
    """Font sizes in logical pixels. ``reading`` is the transcript's and the composer's text."""

    caption: float = 12
    interface: float = 13
    reading: float = 15
    code: float = 13
    heading3: float = 16
    heading2: float = 18
    heading1: float = 21
    title: float = 24
    leading: float = 1.16

    def scaled(self, factor: float) -> "TypeScale":
        """All sizes times ``factor``; the leading is a ratio and stays."""
        sizes = {
            name: round(getattr(self, name) * factor, 1)
            for name in ("caption", "interface", "reading", "code", "heading3", "heading2", "heading1", "title")
        }
        return TypeScale(**sizes, leading=self.leading)


@dataclass(frozen=True, slots=True)
class Theme:
    """One look of the whole program. ``scale`` is the reader's text scale (1 = 100%)."""

    dark: bool
    scale: float
    colours: Colours
    type: TypeScale
    spacing: Spacing
    radii: Radii
    family: str
    mono_families: tuple[str, ...]

    @classmethod
    def for_palette(cls, dark: bool, scale: float = 1.0) -> Self:
        """The light or the dark look. Needs a QGuiApplication: the family is the system's own."""
        return cls(
            dark=dark,
            scale=scale,
            colours=DARK if dark else LIGHT,
            type=TypeScale().scaled(scale * system_scale()),
            spacing=Spacing(),
            radii=Radii(),
            family=QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont).family(),
            mono_families=(*MONOSPACE, QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()),
        )

    def font(self, pixels: float, weight: QFont.Weight = QFont.Weight.Normal, italic: bool = False) -> QFont:
        """The interface's font in a size of this theme's ``type``."""
        font = QFont(self.family)
        font.setPixelSize(max(1, round(pixels)))
        font.setWeight(weight)
        font.setItalic(italic)
        return font

    def mono(self, pixels: float | None = None) -> QFont:
        """The fixed-width font, ``type.code`` large unless told otherwise."""
        font = QFont()
        font.setFamilies(list(self.mono_families))
        font.setStyleHint(QFont.StyleHint.Monospace)
        font.setFixedPitch(True)
        font.setPixelSize(max(1, round(self.type.code if pixels is None else pixels)))
        return font

    def colour(self, name: str) -> QColor:
        """One of ``colours`` by name, for painting."""
        return QColor(getattr(self.colours, name))


def system_scale() -> float:
    """How much larger than usual the reader has set the desktop's own text; never smaller."""
    usual = 13.0
    # Not the application's font: that one follows the theme.
    pixels = QFontInfo(QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)).pixelSize()
    return min(2.0, max(1.0, pixels / usual / 1.15))
