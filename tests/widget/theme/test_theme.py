"""Both looks: readable by WCAG AA, and on the widgets."""

from __future__ import annotations

import dataclasses
import itertools
import re

import pytest
from PySide6.QtGui import QColor, QImage, QPalette
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from app.ui import icons
from app.ui.theme import Theme, apply_theme
from app.ui.theme.stylesheet import stylesheet
from app.ui.theme.tokens import DARK, LIGHT, Colours

GROUNDS = ("page", "sidebar", "rail", "surface", "raised", "hover", "bubble", "code", "inline_code")
PAIRS = [
    *itertools.product(("text", "muted"), GROUNDS),
    *itertools.product(("link", "accent", "danger"), ("page", "surface", "raised", "bubble")),
    ("text", "pressed"),
    ("text", "selection"),
    ("text", "accent_soft"),
    ("text", "danger_soft"),
    ("text", "warning_soft"),
    ("danger", "danger_soft"),
    ("warning", "warning_soft"),
    ("warning", "page"),
    ("success", "page"),
    ("on_accent", "accent"),
    ("on_accent", "accent_hover"),
]
CONTROLS = [("control_border", "page"), ("control_border", "raised"), ("focus", "page"), ("focus", "surface")]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_measured_as_defined() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_is_readable_on_every_ground(colours: Colours) -> None:
    poor = {
        (text, ground): round(contrast(getattr(colours, text), getattr(colours, ground)), 2)
        for text, ground in PAIRS
        if contrast(getattr(colours, text), getattr(colours, ground)) < 4.5
    }
    assert poor == {}


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_controls_and_the_focus_ring_stand_out(colours: Colours) -> None:
    poor = [(a, b) for a, b in CONTROLS if contrast(getattr(colours, a), getattr(colours, b)) < 3]
    assert poor == []


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_highlighted_code_is_readable(colours: Colours) -> None:
    poor = {
        field.name: round(contrast(getattr(colours.syntax, field.name), colours.code), 2)
        for field in dataclasses.fields(colours.syntax)
        if contrast(getattr(colours.syntax, field.name), colours.code) < 4.5
    }
    assert poor == {}


@pytest.mark.parametrize("dark", [False, True])
def test_the_stylesheet_is_complete(qapp: QApplication, dark: bool) -> None:
    sheet = stylesheet(Theme.for_palette(dark))
    assert "$" not in sheet
    assert sheet.count("{") == sheet.count("}")
    for name in re.findall(r'url\("([^"]+)"\)', sheet):
        assert not QImage(name).isNull(), name


def test_a_scale_makes_text_larger_and_nothing_else(qapp: QApplication) -> None:
    small, large = Theme.for_palette(False, 1), Theme.for_palette(False, 2)
    assert large.type.reading == pytest.approx(2 * small.type.reading)
    assert large.type.leading == small.type.leading
    assert large.spacing == small.spacing


def test_the_theme_reaches_the_widgets(qtbot: QtBot, qapp: QApplication) -> None:
    before = qapp.palette(), qapp.font(), qapp.styleSheet()
    button = QPushButton("Send")
    button.setProperty("kind", "primary")
    qtbot.addWidget(button)
    try:
        for dark in (True, False):
            theme = Theme.for_palette(dark)
            apply_theme(qapp, theme)
            button.resize(120, 40)
            assert qapp.palette().color(QPalette.ColorRole.Window) == QColor(theme.colours.page)
            assert button.grab().toImage().pixelColor(20, 20) == QColor(theme.colours.accent)
    finally:
        qapp.setStyleSheet(before[2])
        qapp.setFont(before[1])
        qapp.setPalette(before[0])


NAMES = sorted(path.stem for path in icons.ICON_FOLDER.glob("*.svg"))


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith(("mark-", "alcove"))])
def test_an_icon_takes_the_colour_and_fits_its_box(qapp: QApplication, name: str) -> None:
    picture = icons.image(name, "#0d746e", 24, 2.0)
    assert (picture.width(), picture.devicePixelRatio()) == (48, 2.0)
    painted = [(x, y) for x in range(48) for y in range(48) if QColor.fromRgba(picture.pixel(x, y)).alpha() == 255]
    assert painted, "nothing is drawn"
    assert all(picture.pixelColor(x, y).rgb() == QColor("#0d746e").rgb() for x, y in painted)
    assert not any(picture.pixelColor(i, j).alpha() for i in range(48) for j in (0, 47)), "it is cut off"


def test_the_program_icon_has_all_sizes(qapp: QApplication) -> None:
    assert {size.width() for size in icons.program_icon().availableSizes()} >= {16, 32, 48, 256}


def test_an_unknown_icon_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        icons.source("no-such-icon")
