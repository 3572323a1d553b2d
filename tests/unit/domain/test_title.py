"""The name of a chat that nobody has named yet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.title import LONGEST_TITLE, title_from

FAMILY = "👨\u200d👩\u200d👧"
LONG = "What is the difference between the top-k, the top-p and the min-p settings?"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("", ""),
        (" \n\t\n", ""),
        ("Hello", "Hello"),
        ("  Hello,\tworld \nand more", "Hello, world"),
        ("\n\n# Heading\ntext", "Heading"),
        ("```python\ncode\n```", "code"),
        ("- `x` is", "`x` is"),
        ("> # - quoted", "quoted"),
        ("-5 degrees", "-5 degrees"),
        ("#1 in the list", "#1 in the list"),
        ("~~~\n---\n#", ""),
        ("***\nafter a rule", "after a rule"),
        ("a\0b\x1bc\u202ed", "a b c d"),
        ("x" * LONGEST_TITLE, "x" * LONGEST_TITLE),
        ("x" * (LONGEST_TITLE + 1), "x" * (LONGEST_TITLE - 1) + "…"),
        (LONG, "What is the difference between the top-k, the top-p and the…"),
        ("x" * (LONGEST_TITLE - 1) + "e\u0301" + "y", "x" * (LONGEST_TITLE - 1) + "…"),
        ("x" * (LONGEST_TITLE - 2) + "e\u0301\u0302" + "yy", "x" * (LONGEST_TITLE - 2) + "…"),
        ("x" * (LONGEST_TITLE - 3) + FAMILY + "yy", "x" * (LONGEST_TITLE - 3) + "…"),
        ("x" * (LONGEST_TITLE - 2) + "👍🏽" + "yy", "x" * (LONGEST_TITLE - 2) + "…"),
        ("\u0301" * 100, "\u0301…"),
        ("日本語" * 30, ("日本語" * 30)[: LONGEST_TITLE - 1] + "…"),
    ],
)
def test_title(text: str, title: str) -> None:
    assert title_from(text) == title


@given(st.text())
def test_a_title_is_short_and_in_one_line(text: str) -> None:
    title = title_from(text)
    assert len(title) <= LONGEST_TITLE
    assert len(title.splitlines()) <= 1
    assert title == title.strip()
