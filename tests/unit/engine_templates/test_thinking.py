"""Reasoning tags in token ids: told apart from the answer, wherever the tokens end."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.conversation import Message, Role
from app.domain.generation import FinishReason
from app.engine.templates.thinking import TAGS, ThinkingParser, tag_left_open
from app.harmony.events import AnswerDelta, HarmonyEvent, ReasoningDelta
from tests.support.chat_templates import PLAIN, TemplateBytes

STYLE = replace(PLAIN, controls=("<s>", "</s>", "[THINK]", "[/THINK]", "<other>"), user_defined=("<think>", "<tool>"))
VOCABULARY = TemplateBytes(STYLE)
STOP = VOCABULARY.id_of("</s>")


class Pieces:
    """A vocabulary whose ordinary tokens are pieces of text of any length, by the place in a list."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self.special_tokens = VOCABULARY.special_tokens
        self.is_control = VOCABULARY.is_control

    def piece(self, token_id: int) -> bytes:
        return self._pieces[token_id]


def parsed(parser: ThinkingParser, ids: list[int]) -> tuple[str, str]:
    """The reasoning and the answer that all events make; they are what the message says."""
    events: list[HarmonyEvent] = []
    for token in ids:
        events += parser.decode(token)
    events += parser.flush()
    reasoning = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    answer = "".join(event.text for event in events if isinstance(event, AnswerDelta))
    assert (reasoning, answer) == (parser.message.reasoning, parser.message.content)
    return reasoning, answer


def parse(text: str, opened: str = "") -> tuple[str, str]:
    """Byte by byte, which is the hardest."""
    return parsed(ThinkingParser(VOCABULARY, frozenset({STOP}), opened), list(text.encode()))


CASES = {
    "no tags": ("Hello", "", ("", "Hello")),
    "nothing": ("", "", ("", "")),
    "space alone": (" \n", "", ("", " \n")),
    "both": ("<think>\nLet me see.\n</think>\n\nYes.", "", ("Let me see.", "Yes.")),
    "thinking": ("<thinking>so</thinking>yes", "", ("so", "yes")),
    "reasoning": (" \n<reasoning>so</reasoning>yes", "", ("so", "yes")),
    "brackets": ("[THINK]so[/THINK]yes", "", ("so", "yes")),
    "another's closing tag": ("<think>so</thinking> on</think>yes", "", ("so</thinking> on", "yes")),
    "a sign for less": ("<think>1 < 2 </ 3 </thin</think>yes", "", ("1 < 2 </ 3 </thin", "yes")),
    "unclosed": ("<think>so and so ", "", ("so and so ", "")),
    "cut inside the closing tag": ("<think>so</thi", "", ("so</thi", "")),
    "cut inside the opening tag": ("<thi", "", ("", "<thi")),
    "empty": ("<think>\n\n</think>\n\nyes", "", ("", "yes")),
    "in the middle": ("I say <think>so</think>", "", ("", "I say <think>so</think>")),
    "a second time": ("<think>a</think>b<think>c</think>", "", ("a", "b<think>c</think>")),
    "almost a tag": ("<thinker>", "", ("", "<thinker>")),
    "space before the answer is kept": ("  yes ", "", ("", "  yes ")),
    "lines inside": ("<think>a\n\n  b\n</think>c\n", "", ("a\n\n  b", "c\n")),
    "opened by the prompt": ("so\n</think>\n\nyes", "<think>", ("so", "yes")),
    "opened by the prompt and again": ("<think>\nso</think>yes", "<think>", ("so", "yes")),
    "opened twice by the model": ("<think><think>so</think>yes", "", ("<think>so", "yes")),
    "opened three times": ("<think><think>so</think>yes", "<think>", ("<think>so", "yes")),
    "opened, and almost again": ("<thin ice</think>yes", "<think>", ("<thin ice", "yes")),
    "opened and never closed": ("so", "<think>", ("so", "")),
    "opened and closed at once": ("</think>yes", "<think>", ("", "yes")),
    "letters of several bytes": ("<think>é漢😀</think>😀漢é", "", ("é漢😀", "😀漢é")),
}


@pytest.mark.parametrize(("text", "opened", "expected"), CASES.values(), ids=CASES)
def test_reasoning_and_answer(text: str, opened: str, expected: tuple[str, str]) -> None:
    assert parse(text, opened) == expected


@pytest.mark.parametrize(("text", "opened", "expected"), CASES.values(), ids=CASES)
def test_tokens_may_end_anywhere(text: str, opened: str, expected: tuple[str, str]) -> None:
    data = text.encode()

    @given(st.lists(st.integers(0, len(data)), max_size=6))
    def check(cuts: list[int]) -> None:
        places = [0, *sorted(cuts), len(data)]
        pieces = [data[a:b] for a, b in itertools.pairwise(places)]
        parser = ThinkingParser(Pieces(pieces), frozenset(), opened)  # pyright: ignore[reportArgumentType]
        assert parsed(parser, list(range(len(pieces)))) == expected

    check()


@given(st.text(alphabet="<think>/[]THINK \né", max_size=40), st.sampled_from(["", *TAGS]))
def test_nothing_that_was_said_is_lost_but_tags_and_space(text: str, opened: str) -> None:
    reasoning, answer = parse(text, opened)
    left = f"{reasoning}{answer}"
    for tag in (*TAGS, *TAGS.values()):
        text = text.replace(tag, "")
        left = left.replace(tag, "")
    assert "".join(left.split()) == "".join(text.split())


def test_events_come_as_soon_as_they_can() -> None:
    parser = ThinkingParser(VOCABULARY, frozenset({STOP}))
    seen = [parser.decode(byte) for byte in b"<think>ab </think>\ncd"]
    assert [event for events in seen[7:9] for event in events] == [ReasoningDelta("a"), ReasoningDelta("b")]
    assert [event for events in seen[-2:] for event in events] == [AnswerDelta("c"), AnswerDelta("d")]


def test_control_tokens_are_tags_where_one_belongs_and_never_text() -> None:
    control = VOCABULARY.id_of
    ids = [10, control("[THINK]"), *b"so ", control("<other>"), control("[THINK]"), *b"on", control("[/THINK]")]
    ids += [*b" yes", control("[/THINK]"), control("[THINK]"), control("<other>"), *b"!"]
    assert parsed(ThinkingParser(VOCABULARY, frozenset({STOP})), ids) == ("so on", "yes!")


def test_user_defined_tokens_are_text_or_tags() -> None:
    vocabulary = TemplateBytes(STYLE)
    ids = [vocabulary.id_of("<think>"), *b"so</think>", vocabulary.id_of("<tool>"), *b"{}"]
    assert parsed(ThinkingParser(vocabulary, frozenset({STOP})), ids) == ("so", "<tool>{}")


def test_the_end_of_generation_ends_it() -> None:
    parser = ThinkingParser(VOCABULARY, frozenset({STOP}))
    assert parser.decode(ord("<")) == ()
    assert parser.finish_reason is None
    assert parser.decode(STOP) == (AnswerDelta("<"),)
    assert parser.finish_reason is FinishReason.STOP
    assert parser.decode(ord("a")) == ()
    assert parser.flush() == ()


def test_half_a_character_at_the_end() -> None:
    assert parse("<think>a")[0] == "a"
    parser = ThinkingParser(VOCABULARY, frozenset({STOP}))
    assert parsed(parser, [*b"a", 0xC3]) == ("", "a\ufffd")


GOING_ON = {
    "in the answer": (Message(Role.ASSISTANT, "one ", reasoning="so"), "", "<think>two", ("so", "one <think>two")),
    "in a commentary": (Message(Role.ASSISTANT, commentary="well"), "", "<think>", ("", "<think>")),
    "in the reasoning": (Message(Role.ASSISTANT, reasoning="so "), "<think>", " on</think>yes", ("so  on", "yes")),
    "before it": (Message(Role.ASSISTANT), "<think>", "<think>so</think>yes", ("so", "yes")),
}


@pytest.mark.parametrize(("begun", "opened", "text", "expected"), GOING_ON.values(), ids=GOING_ON)
def test_an_answer_that_was_cut_short(begun: Message, opened: str, text: str, expected: tuple[str, str]) -> None:
    parser = ThinkingParser(VOCABULARY, frozenset({STOP}), opened, begun)
    events = [event for byte in text.encode() for event in parser.decode(byte)]
    events += parser.flush()
    said = "".join(event.text for event in events if isinstance(event, ReasoningDelta | AnswerDelta))
    message = parser.message
    assert (message.reasoning, message.content, message.commentary) == (*expected, begun.commentary)
    assert len(said) == len("".join(expected)) - len(begun.reasoning) - len(begun.content)


@pytest.mark.parametrize(
    ("end", "tag"),
    [
        ("assistant\n", ""),
        ("<think>\n", "<think>"),
        ("x [THINK]", "[THINK]"),
        ("<think>\n\n</think>\n\n", ""),
        ("", ""),
    ],
)
def test_what_a_prompt_leaves_open(end: str, tag: str) -> None:
    assert tag_left_open(end) == tag
