"""Icons and buttons grow with the reader's text scale, and stay in line with the text."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from app.domain.generation import FinishReason
from app.ui.theme import Theme
from app.ui.transcript.buttons import ActionButton
from app.ui.transcript.entry import Section
from app.ui.transcript.measures import Measures, column_width
from app.ui.transcript.view import TranscriptView
from tests.widget.transcript.conftest import Reader, answer, user

SCALES = (0.8, 1.0, 1.25, 1.5, 2.0, 3.0)
TEXT = "Run this:\n\n```python\nprint('hello')\n```"
ICONS = ("copy", "regenerate", "pin", "previous", "next")


@pytest.fixture
def shown(view: TranscriptView, reader: Reader) -> Callable[[float], Reader]:
    """A question and an answer with every kind of button, at a scale."""

    def show(scale: float) -> Reader:
        view.resize(1000, 1600)
        view.set_theme(Theme.for_palette(False, scale))
        view.show_path(
            (user(1, "q"), answer(5, TEXT, 1, reasoning="hm")), lambda node: (2, 5, 9) if node == 5 else (1,)
        )
        return reader

    return show


def drawn(widget: QWidget, colour: QColor, area: QRect) -> QRect:
    """The smallest rectangle around what is drawn on the widget, in a part of it that has one plain ground."""
    picture = widget.grab().toImage()
    ground = QColor(colour).rgb()
    marks = [
        (x, y)
        for x in range(area.left(), area.right() + 1)
        for y in range(area.top(), area.bottom() + 1)
        if picture.pixelColor(x, y).rgb() != ground
    ]
    assert marks, "nothing is drawn here"
    xs, ys = zip(*marks, strict=True)
    return QRect(min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1)


def picture_of(view: TranscriptView, button: ActionButton, area: QRect | None = None) -> QRect:
    """Where the view shows something of a button, in the button's coordinates."""
    part = (area or button.rect()).translated(button.pos())
    ground = view.viewport().grab().toImage().pixelColor(part.topLeft())
    return drawn(view.viewport(), ground, part).translated(-button.pos())


@pytest.mark.parametrize("scale", SCALES)
def test_every_button_can_be_hit(shown: Callable[[float], Reader], scale: float) -> None:
    reader = shown(scale)
    buttons = reader.view.message_actions.buttons.buttons()
    assert {button.wanted.key[1] for button in buttons if button.wanted} >= {*ICONS, "edit", "fold", "code", "version"}
    for button in buttons:
        assert button.wanted is not None
        least = 24 * max(1.0, scale) - 1
        assert button.height() >= least, button.wanted.key
        assert button.width() >= least, button.wanted.key


def test_icons_are_twice_as_large_at_twice_the_scale(shown: Callable[[float], Reader]) -> None:
    reader = shown(1.0)
    usual = {action: picture_of(reader.view, reader.button(5, action)).size() for action in ICONS}
    reader = shown(2.0)
    for action, size in usual.items():
        large = picture_of(reader.view, reader.button(5, action)).size()
        assert large.width() == pytest.approx(2 * size.width(), abs=2), action
        assert large.height() == pytest.approx(2 * size.height(), abs=2), action


@pytest.mark.parametrize(("action", "section", "index"), [("fold", 0, 0), ("code", Section.ANSWER, 1)])
def test_icons_beside_text_grow_with_it(
    shown: Callable[[float], Reader], action: str, section: int, index: int
) -> None:
    def icon(scale: float) -> QRect:
        reader = shown(scale)
        m = Measures.of(reader.view.theme)
        button = reader.button(5, action, section, index)
        found = picture_of(reader.view, button, QRect(m.inset, 2, m.icon, button.height() - 4))
        assert found.center().y() == pytest.approx(button.height() / 2, abs=1.5 * scale)
        return found

    small, large = icon(1.0), icon(2.0)
    assert large.height() == pytest.approx(2 * small.height(), abs=2)


@pytest.mark.parametrize("scale", SCALES)
def test_icons_stay_in_line(shown: Callable[[float], Reader], scale: float) -> None:
    reader = shown(scale)
    view = reader.view
    m = Measures.of(view.theme)
    for action in ("copy", "fold"):
        assert reader.button(5, action).x() + m.inset == pytest.approx(view.left, abs=1), action
    placed, origin = reader.placed("print")
    code = reader.button(5, "code", Section.ANSWER, 1)
    middle = origin.y() + placed.frame.y() + m.code_header / 2
    assert code.y() + code.height() / 2 == pytest.approx(middle, abs=1)
    assert code.geometry().right() < origin.x() + placed.frame.right()
    row = [reader.button(5, action) for action in ("copy", "regenerate", "pin", "previous", "version", "next")]
    for one, other in pairwise(row):
        assert other.x() == pytest.approx(one.x() + one.width(), abs=1)
        assert (other.y(), other.height()) == (one.y(), one.height())
    laid = view.column.laid(1)
    assert laid.footer is not None
    assert row[0].height() <= laid.footer.height()


def test_a_large_button_is_hit_at_its_edge(
    shown: Callable[[float], Reader], view: TranscriptView, reader: Reader
) -> None:
    shown(2.0)
    button = reader.button(5, "regenerate")
    asked: list[int] = []
    view.regenerate_requested.connect(asked.append)
    reader.qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=button.rect().bottomRight())
    assert asked == [5]


@pytest.mark.parametrize("scale", SCALES)
def test_the_mark_and_the_title_of_code_hold_their_text(view: TranscriptView, scale: float) -> None:
    view.set_theme(Theme.for_palette(False, scale))
    view.show_path((answer(1, TEXT, reason=FinishReason.CANCELLED),))
    laid = view.column.laid(0)
    assert laid.mark is not None
    caption = view.theme.type.caption
    assert laid.mark.height() >= 1.5 * caption
    code = laid.placed[1]
    assert code.inner.y() - code.frame.y() >= 1.5 * caption


@pytest.mark.parametrize(("room", "scale", "width"), [(900, 1, 760), (1600, 2, 1520), (480, 1, 448), (100, 1, 120)])
def test_the_column_fits_its_room(room: float, scale: float, width: float) -> None:
    assert column_width(room, scale) == width
