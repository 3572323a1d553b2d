"""Where the window stood, kept and taken up again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QRect

from app.ui.shell.window_place import SHOWN_AT_LEAST, WindowPlace

SCREEN = QRect(0, 0, 1920, 1080)


@given(
    st.builds(
        WindowPlace,
        st.integers(-5000, 5000),
        st.integers(-5000, 5000),
        st.integers(1, 9000),
        st.integers(1, 9000),
        st.booleans(),
    )
)
def test_reads_what_it_wrote(place: WindowPlace) -> None:
    assert WindowPlace.parse(str(place)) == place


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,0,4", "1,2,3,-4", "maximized", "1,2,3,4,wide", "1.5,2,3,4"]
)
def test_anything_else_is_no_place(text: str) -> None:
    assert WindowPlace.parse(text) is None


def test_a_place_on_a_screen_is_taken_up() -> None:
    assert WindowPlace(100, 50, 800, 600).fitted([SCREEN]) == QRect(100, 50, 800, 600)


def test_a_window_that_was_on_another_screen_is_not_lost() -> None:
    away = WindowPlace(4000, 100, 800, 600)
    assert away.fitted([SCREEN]) is None
    assert away.fitted([SCREEN, QRect(1920, 0, 2560, 1440).translated(1000, 0)]) is not None


@given(st.integers(-4000, 4000), st.integers(-4000, 4000), st.integers(200, 5000), st.integers(100, 5000))
def test_what_is_taken_up_can_be_reached(left: int, top: int, width: int, height: int) -> None:
    fitted = WindowPlace(left, top, width, height).fitted([SCREEN])
    if fitted is not None:
        assert fitted.width() <= SCREEN.width()
        assert fitted.height() <= SCREEN.height()
        assert fitted.top() >= SCREEN.top()
        assert fitted.intersected(SCREEN).width() >= SHOWN_AT_LEAST - 1
