"""Where messages begin in what a template wrote, without a template."""

from __future__ import annotations

import time

import pytest

from app.engine.templates.boundaries import Spot, message_starts, words_begin
from app.engine.templates.encoding import ControlRun, Place, Run, TextRun

END = ControlRun(1, "</s>")


def text(*parts: str | int) -> TextRun:
    """A run of the template's words and of texts: mark 3 is a text of three letters."""
    written = ""
    places: list[Place] = []
    for part in parts:
        if isinstance(part, int):
            places.append(Place(part, len(written), len(written) + 3))
            written += "abc"
        else:
            written += part
    return TextRun(written, tuple(places))


def ranges(count: int) -> tuple[tuple[int, int], ...]:
    """One mark for each of so many messages."""
    return tuple((index, index + 1) for index in range(count))


TABLE: dict[str, tuple[tuple[Run, ...], tuple[tuple[int, int], ...], tuple[Spot, ...]]] = {
    "a control token before and behind each": (
        (END, text(0), END, END, text(1), END, END, text("x")),
        ranges(2),
        (Spot(0), Spot(3), Spot(6)),
    ),
    "one control token between": ((text("u", 0), END, text("u", 1), END), ranges(2), (Spot(0), Spot(1), Spot(3))),
    "none at all": (
        (text("u ", 0, " a ", 1, " u ", 2, " a"),),
        ranges(3),
        (Spot(0), Spot(0, 5), Spot(0, 11), Spot(0, 17)),
    ),
    "instructions before it all": ((text(0, " u ", 1, " a"),), ((1, 2),), (Spot(0, 3), Spot(0, 9))),
    "two of one text": (
        (END, text(0), END, END, text(1), END),
        ((0, 1), (1, 2), (1, 2)),
        (*(Spot(i) for i in (0, 3, 3, 5)),),
    ),
    "a message without words": (
        (END, text(0), END, END, text(2), END),
        ranges(3),
        (Spot(0), Spot(3), Spot(3), Spot(5)),
    ),
    "several texts in a message": (
        (END, text(0), END, text(1), END, END, text(2), END),
        ((0, 2), (2, 3)),
        (Spot(0), Spot(5), Spot(7)),
    ),
    "another order": ((text(2, 1, 0),), ranges(3), (Spot(0, 6), Spot(0, 9), Spot(0, 9), Spot(0, 9))),
    "thoughts first": ((text(0, 2, 1, 3, " a"),), ((0, 2), (2, 4)), (Spot(0), Spot(0, 3), Spot(0, 12))),
    "nothing": ((), ((0, 0),), (Spot(0), Spot(0))),
    "no words": ((END, text("x")), ((0, 0),), (Spot(0), Spot(0))),
}


@pytest.mark.parametrize(("runs", "marks", "expected"), TABLE.values(), ids=TABLE)
def test_where_messages_begin(
    runs: tuple[Run, ...], marks: tuple[tuple[int, int], ...], expected: tuple[Spot, ...]
) -> None:
    assert message_starts(runs, marks) == expected


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ((text("USER: ", 0, "\nASSISTANT:"),), Spot(0)),
        ((text("Be kind.\n\nUSER: ", 0, "\nASSISTANT:"),), Spot(0, 10)),
        ((END, text("user\n", 0), END), Spot(1)),
        ((text(5, "<end>\n<start>user\n", 0),), Spot(0, 9)),
        ((text("x" * 3000, " ", "x" * 3000, 0),), Spot(0)),
        ((END, text("x")), Spot(0)),
    ],
)
def test_what_comes_before_the_users_words(runs: tuple[Run, ...], expected: Spot) -> None:
    assert words_begin(runs, (0, 1)) == expected


def test_many_messages_take_no_longer_each_than_few() -> None:
    """With words, without, and in another order than the template has them."""
    many = 20_000
    apart = [run for index in range(many) for run in (END, text(index), END)]
    empty = ((many, many + 1),) * many
    begin = time.process_time()
    for marks in (ranges(many), ranges(many)[::-1], (*ranges(many)[::2], *empty)):
        assert len(message_starts(apart, marks)) == len(marks) + 1
    assert time.process_time() - begin < 5  # the square of so many is a minute
