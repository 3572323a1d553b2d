"""Runs of control tokens and plain text, and their tokens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.engine.templates import encoding
from app.engine.templates.encoding import ControlRun, Place, TemplateEncoder, TextRun
from app.engine.templates.marks import Own, Part, Said
from tests.support.chat_templates import NO_SYSTEM, PLAIN, SWALLOWING, Style, TemplateBytes


def text_of(style: Style, parts: list[Part], *, sentencepiece: bool = False) -> str:
    vocabulary = TemplateBytes(style, sentencepiece=sentencepiece)
    encoder = TemplateEncoder(vocabulary)
    tokens = [token for run in encoder.runs(parts) for token in encoder.encode(run, lambda: False) or ()]
    return "".join(f"[{name}]" if name in style.controls else name for name in map_names(vocabulary, tokens))


def map_names(vocabulary: TemplateBytes, tokens: list[int]) -> list[str]:
    return [vocabulary.text_of([token]) for token in tokens]


def test_of_names_that_overlap_the_longest_counts() -> None:
    style = replace(PLAIN, controls=("<s>", "</s>", "<a", "<a>", "<a>b"), adds_begin=False)
    assert text_of(style, [Own("<a><a>b<a<s")]) == "[<a>][<a>b][<a]<s"


def test_words_around_a_text_are_one_run_with_it() -> None:
    vocabulary = TemplateBytes(PLAIN)
    runs = TemplateEncoder(vocabulary).runs([Own("<s>a "), Said("b</s>", 3), Own(" c"), Said("d", 4), Own("</s>")])
    first, end = vocabulary.id_of("<s>"), vocabulary.id_of("</s>")
    assert runs == (
        ControlRun(first, "<s>"),
        TextRun("a b</s> cd", (Place(3, 2, 7), Place(4, 9, 10))),
        ControlRun(end, "</s>"),
    )


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([Own("<|user|> \n"), Said("hi", 0), Own("<|end|>\n\n<|user|>")], "[<s>][<|user|>]hi[<|end|>][<|user|>]"),
        ([Own("<|user|>"), Said("hi", 0), Own(" there")], "[<s>][<|user|>]hi there"),
    ],
)
def test_tokens_that_swallow_space(parts: list[Part], expected: str) -> None:
    assert text_of(SWALLOWING, parts) == expected


def test_runs_of_spaces_are_left_to_the_tokenizer_and_other_names_cut() -> None:
    vocabulary = TemplateBytes(NO_SYSTEM)
    encoder = TemplateEncoder(vocabulary)
    (_, run) = encoder.runs([Said("a\n\nb   c<b>d<eos>", 0)])
    tokens = encoder.encode(run, lambda: False)
    assert tokens is not None
    assert vocabulary.control_names(tokens) == ["\n\n", "   "]
    assert vocabulary.text_of(tokens) == "a\n\nb   c<b>d<eos>"


def test_sentencepieces_space_stands_before_a_run_and_not_inside() -> None:
    parts: list[Part] = [Said("one </s>two", 0), Own("</s>"), Said("three", 1)]
    assert text_of(PLAIN, parts, sentencepiece=True) == "[<s>] one </s>two[</s>] three"


def test_no_words_at_all() -> None:
    assert text_of(PLAIN, []) == "[<s>]"
    assert text_of(replace(PLAIN, controls=(), begin="", end="", adds_begin=False), [Own("a"), Said("b", 0)]) == "ab"


def test_a_run_is_tokenized_once_and_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_KEPT_CHARACTERS", 8)
    vocabulary = TemplateBytes(PLAIN)
    encoder = TemplateEncoder(vocabulary)
    asked: list[str] = []
    tokenize = vocabulary.tokenize

    def counted(text: str) -> list[int]:
        asked.append(text)
        return tokenize(text)

    monkeypatch.setattr(vocabulary, "tokenize", counted)
    for text in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb"):
        assert encoder.encode(TextRun(text, ()), lambda: False) is not None
    assert asked == ["aaaa", "bbbb", "cccc", "bbbb"]


def test_a_run_can_be_given_up() -> None:
    encoder = TemplateEncoder(TemplateBytes(PLAIN))
    assert encoder.encode(TextRun("a</s>b", ()), lambda: True) is None
    assert encoder.encode(ControlRun(1, "x"), lambda: True) == (1,)


@pytest.mark.parametrize("sentencepiece", [False, True])
def test_a_token_is_found_by_its_character(*, sentencepiece: bool) -> None:
    encoder = TemplateEncoder(TemplateBytes(PLAIN, sentencepiece=sentencepiece))
    run = TextRun("aé漢👩</s>z\ud800!", ())
    tokens = encoder.encode(run, lambda: False)
    assert tokens is not None
    found = encoder.tokens_before(run, tokens, (0, 1, 2, 3, 4, 8, 9, 10, 11))
    assert found == (0, *(place + sentencepiece for place in (1, 3, 6, 10, 14, 15, 18, 19)))
    assert encoder.tokens_before(ControlRun(1, "x"), (1,), (0, 0)) == (0, 0)
