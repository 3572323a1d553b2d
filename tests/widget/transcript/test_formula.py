"""Formulas: drawn within bounds, on the line, copied as LaTeX."""

from __future__ import annotations

import time

import pytest
from PySide6.QtGui import QFontMetricsF

from app.ui.transcript import formula
from app.ui.transcript.blocks import BlockKind
from app.ui.transcript.view import TranscriptView
from tests.widget.transcript.conftest import Reader, answer

DRAWN = [
    r"x",
    r"E = mc^2",
    r"\frac{-b \pm \sqrt{b^2-4ac}}{2a}",
    r"\sum_{i=1}^n i = \frac{n(n+1)}{2}",
    r"\int_0^\infty e^{-x^2}\,dx",
    r"\begin{pmatrix}a&b\\[4pt]c&d\end{pmatrix}",
    r"\text{speed} = \frac{s}{t}",
    r"x_1 \neq x_2",
]
SOURCE = [r"\frac{", r"\ce{H2O}", "{" * 40 + "}" * 40, "x" * 801, r"\frac{" * 12 + "x" + "}{y}" * 12, r"\left(" * 9, ""]


@pytest.mark.parametrize("latex", DRAWN)
def test_it_is_drawn(qapp: object, latex: str) -> None:
    drawn = formula.draw(latex, True, 18.0, "#123456")
    assert drawn is not None
    image = formula.picture(drawn, 2.0)
    assert image.devicePixelRatio() == 2.0
    assert image.width() == pytest.approx(2 * drawn.width, abs=1)
    colours = {
        image.pixelColor(x, y).name()
        for x in range(image.width())
        for y in range(image.height())
        if image.pixelColor(x, y).alpha() == 255
    }
    assert colours == {"#123456"}


@pytest.mark.parametrize("latex", SOURCE)
def test_what_cannot_be_drawn_in_a_moment_is_not(qapp: object, latex: str) -> None:
    start = time.process_time()
    drawn = formula.draw(latex, True, 18.0, "#123456")
    assert time.process_time() - start < 2
    assert drawn is None or latex == ""


def test_its_source_is_shown_instead(view: TranscriptView, reader: Reader) -> None:
    view.show_path((answer(1, "\\[\n\\ce{H2O}\n\\]\n\nwater is \\(\\ce{H2O}\\)."),))
    block, text = view.column.laid(0).placed
    assert block.block.kind is BlockKind.MATH
    assert block.document.toPlainText() == r"\ce{H2O}"
    assert text.document.toPlainText() == r"water is \ce{H2O}."


def test_it_is_copied_as_latex(view: TranscriptView, reader: Reader) -> None:
    view.show_path((answer(1, "first \\(a^2\\) and $b$ end\n\n\\[\nc^2\n\\]\n\nlast"),))
    reader.drag(reader.point("first", 0), reader.point("last", 1))
    assert reader.copied() == "first \\(a^2\\) and \\(b\\) end\n\n\\[\nc^2\n\\]\n\nlast"
    reader.drag(reader.point("and", 0), reader.point("end", 1))
    assert reader.copied() == "and \\(b\\) end"


def test_it_stands_on_the_line(view: TranscriptView) -> None:
    """The foot of an x in a formula is as low as the line it stands on."""
    view.show_path((answer(1, "\\(x\\)"),))
    (placed,) = view.column.laid(0).placed
    line = placed.document.begin().layout().lineAt(0)
    baseline = placed.inner.y() + line.y() + line.ascent()
    top = view.column.top(0) - view.verticalScrollBar().value()
    image = view.viewport().grab().toImage()
    ratio = image.devicePixelRatio()
    left = view.left
    dark = [
        y
        for y in range(image.height())
        for x in range(int(left * ratio), int((left + 20) * ratio))
        if image.pixelColor(x, y).lightness() < 120 and y < (top + line.height()) * ratio
    ]
    x_height = QFontMetricsF(placed.document.defaultFont()).xHeight()
    assert max(dark) / ratio == pytest.approx(top + baseline, abs=2)
    assert (max(dark) - min(dark)) / ratio == pytest.approx(x_height, abs=3)


def test_a_theme_draws_it_in_its_colour(view: TranscriptView) -> None:
    from app.ui.theme import Theme

    view.show_path((answer(1, "\\[\nx^2\n\\]"),))
    light = view.viewport().grab().toImage()
    view.set_theme(Theme.for_palette(True))
    assert view.viewport().grab().toImage() != light
    assert view.column.laid(0).placed[0].document.formulas == [(0, "\\[\nx^2\n\\]")]
