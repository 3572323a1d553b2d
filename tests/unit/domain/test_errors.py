"""Every known error has its sentences, and whoever raises one gives them what they need."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.errors import SENTENCES, ErrorCode, UserError

APP = Path(__file__).parents[3] / "app"


def placeholders(code: ErrorCode) -> set[str]:
    sentences = SENTENCES[code]
    parsed = string.Formatter().parse(f"{sentences.what} {sentences.remedy}")
    return {field for _, field, _, _ in parsed if field is not None}


def test_every_code_has_sentences() -> None:
    assert set(SENTENCES) == set(ErrorCode)


@pytest.mark.parametrize("code", ErrorCode)
def test_sentences_are_filled_in(code: ErrorCode) -> None:
    values = {name: f"<{name}>" for name in placeholders(code)}
    error = UserError(code, **values)
    assert error.what
    assert error.remedy
    assert str(error) == f"{error.what} {error.remedy}"
    assert set(re.findall(r"<(\w+)>", str(error))) == set(values)
    assert not re.search(r"[{}]", str(error))


@pytest.mark.parametrize("code", ErrorCode)
def test_sentences_end_as_sentences_do(code: ErrorCode) -> None:
    for template in (SENTENCES[code].what, SENTENCES[code].remedy):
        assert template.endswith((".", "}")), template
        assert template[0].isupper() or template[0] == "{", template


@pytest.mark.parametrize("code", ErrorCode)
def test_codes_are_plain_words(code: ErrorCode) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code.value)


def test_values_are_kept_as_plain_text() -> None:
    error = UserError(ErrorCode.PROMPT_TOO_LONG, tokens=9000, room=8192)
    assert error.values == {"tokens": "9000", "room": "8192"}
    assert error.code is ErrorCode.PROMPT_TOO_LONG
    assert "9000" in error.what


def test_values_are_not_templates() -> None:
    error = UserError(ErrorCode.FILE_NOT_FOUND, path="{path} {0} {x!r}")
    assert error.what == "There is no file {path} {0} {x!r}."


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\x1b[31mb", "a\ufffd[31mb"),
        ("a\x9b31mb\x7f\0", "a\ufffd31mb\ufffd\ufffd"),
        ("two\nlines\tand\rmore", "two lines and more"),
        ("gpj.\u202eelif\u2066", "gpj.\ufffdelif\ufffd"),
        ("half\udcff", "half\ufffd"),
        ("modèle\u00a0模型 👩\u200d💻 \u200f", "modèle\u00a0模型 👩\u200d💻 \u200f"),
    ],
)
def test_a_sentence_shows_nothing_that_a_terminal_obeys(value: str, shown: str) -> None:
    error = UserError(ErrorCode.FILE_NOT_FOUND, path=value)
    assert error.what == f"There is no file {shown}."
    assert error.values == {"path": value}


def test_a_value_may_have_any_name() -> None:
    assert UserError(ErrorCode.BUG, code="x", self="y", reason="z").values == {"code": "x", "self": "y", "reason": "z"}


def raised() -> Iterator[tuple[str, ErrorCode, set[str]]]:
    """Every ``UserError(ErrorCode.X, ...)`` in the program: where it stands, its code, the values it names."""
    for path in sorted(APP.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match call:
                case ast.Call(
                    func=ast.Name(id="UserError"),
                    args=[ast.Attribute(value=ast.Name(id="ErrorCode"), attr=name)],
                    keywords=keywords,
                ) if all(keyword.arg for keyword in keywords):
                    place = f"{path.relative_to(APP)}:{call.lineno}"
                    yield place, ErrorCode[name], {keyword.arg for keyword in keywords if keyword.arg}


def test_errors_are_raised_with_the_values_of_their_sentences() -> None:
    calls = list(raised())
    assert calls
    wrong = [
        f"{place}: {code.name} needs {', '.join(sorted(placeholders(code) - values))}"
        for place, code, values in calls
        if not placeholders(code) <= values
    ]
    assert not wrong
