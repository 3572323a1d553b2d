"""Marks: texts that go through a template and come back, or are missed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.templates.marks import LostTextError, Marks, Own, Said, TooMuchTextError, new_stem

STEM = "zqabcdefghijklmnopabcd"


def joined(marks: Marks, drawing: str) -> str:
    return "".join(part.text for part in marks.parts(drawing))


@given(st.lists(st.text(max_size=20), max_size=5), st.text(max_size=10))
def test_texts_come_back_whatever_they_are(texts: list[str], between: str) -> None:
    marks = Marks(STEM)
    drawing = between.join(marks.mark(text, required=True) for text in texts)
    assert joined(marks, drawing) == between.join(texts)


@given(st.text(max_size=20))
def test_a_trim_does_to_a_mark_what_it_does_to_the_text(text: str) -> None:
    marks = Marks(STEM)
    mark = marks.mark(text)
    for trim in (str.strip, str.lstrip, lambda s: s.strip("\n"), lambda s: s.rstrip(" "), lambda s: s.strip(" \n")):
        assert joined(marks, trim(mark)) == trim(text)


def test_own_words_and_texts_are_told_apart() -> None:
    marks = Marks(STEM)
    drawing = f"<a>{marks.mark(' one ')}<b>{marks.mark('two')}"
    assert marks.parts(drawing) == (Own("<a> "), Said("one", 0), Own(" <b>"), Said("two", 1))
    assert marks.count == 2


def test_a_name_keeps_its_mark() -> None:
    marks = Marks(STEM)
    assert marks.name("place") == marks.name("place") != marks.mark("place")


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        ("", 'é"'),
        ("j", 'é\\"'),
        ("a", '\\u00e9\\"'),
        ("jj", 'é\\\\\\"'),
        ("ja", '\\u00e9\\\\\\"'),
        ("jjj", "é" + "\\" * 7 + '"'),
    ],
)
def test_what_went_through_json_is_escaped_as_often(forms: str, expected: str) -> None:
    marks = Marks(STEM)
    mark = marks.mark('é"')
    assert joined(marks, mark[:-1] + forms + "x") == expected


def test_a_text_in_json_is_json() -> None:
    marks = Marks(STEM)
    mark = marks.mark('a "b"\n\\')
    assert json.loads(joined(marks, f'"{mark[:-1]}jx"')) == 'a "b"\n\\'


LOSSES = {
    "nothing": lambda _: "",
    "cut at the end": lambda mark: mark[:-1],
    "cut in the middle": lambda mark: mark[:12],
    "cut at the beginning": lambda mark: mark[3:],
    "whole and a beginning": lambda mark: mark + mark[:10],
    "whole and an end": lambda mark: mark + mark[12:],
    "in capitals": str.upper,
    "whole and in capitals": lambda mark: mark + mark.upper(),
    "escaped too often": lambda mark: mark[:-1] + "jjjjx",
    "another's number": lambda mark: mark.replace("x0x", "x1x"),
    "an endless number": lambda mark: mark + mark.replace("x0x", f"x{'9' * 5000}x"),
    "a list in Python": lambda mark: str([{"type": "text", "text": mark}]),
    "a list in JSON": lambda mark: json.dumps([{"type": "text", "text": mark}]),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_what_is_lost_is_noticed(loss: object) -> None:
    marks = Marks(STEM)
    mark = marks.mark("text", required=True)
    assert callable(loss)
    with pytest.raises(LostTextError):
        marks.parts(f"before {loss(mark)} behind")


@pytest.mark.parametrize("forms", ["", "j", "aja"])
def test_texts_come_to_no_more_than_twice_what_was_said_and_a_prompt(
    monkeypatch: pytest.MonkeyPatch, forms: str
) -> None:
    monkeypatch.setattr("app.engine.templates.marks.MAX_OUTPUT", 1000)
    marks = Marks(STEM)
    mark = marks.mark('é"' * 50)[:-1] + forms + "x"
    once = len(joined(marks, mark))
    most = (2 * 100 + 1000) // once
    assert len(joined(marks, mark * most)) == most * once
    with pytest.raises(TooMuchTextError):
        marks.parts(mark * (most + 1))


def test_only_required_texts_are_missed() -> None:
    marks = Marks(STEM)
    marks.mark("reasoning")
    assert marks.parts("nothing") == (Own("nothing"),)


def test_stems_differ() -> None:
    assert len({new_stem() for _ in range(100)}) == 100
