"""Long runs are cut for llama.cpp's tokenizer; deltas are joined for the pipe; error lines become errors."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import ErrorCode
from app.engine import deltas
from app.engine.deltas import DeltaSender
from app.engine.load_errors import load_error
from app.engine.long_runs import MAX_RUN, bounded_runs
from app.engine.protocol import AnswerText, CommentaryText, Event, ReasoningText, ToolCalled
from app.harmony.events import AnswerDelta, CommentaryDelta, HarmonyEvent, ReasoningDelta, ToolCallEvent

pieces = st.lists(
    st.tuples(
        st.sampled_from(["a", "你", " ", "\n", "!", "👩\u200d", "e\u0301", "7", "aB", "word ", "\0"]),
        st.integers(0, 1500),
    ),
    max_size=6,
)


@given(pieces)
def test_cutting_keeps_the_text_and_bounds_the_runs(parts: list[tuple[str, int]]) -> None:
    text = "".join(piece * count for piece, count in parts)

    cut = list(bounded_runs(text))

    assert "".join(cut) == text
    for part in cut:
        # One more, because a mark that belongs to the letter before it looks like a sign here.
        assert not re.search(rf"[^\W\d_]{{{MAX_RUN + 1}}}|\s{{{MAX_RUN + 1}}}|[^\w\s]{{{MAX_RUN + 2}}}", part)


@pytest.mark.parametrize(
    "text",
    ["", "word " * 5000, "\n".join(["x" * MAX_RUN] * 5), "1" * 5000, "a1" * 5000, "你好，" * 5000, "-" * MAX_RUN],
    ids=lambda text: repr(text[:12]),
)
def test_ordinary_text_stays_whole(text: str) -> None:
    assert list(bounded_runs(text)) == [text]


def test_words_just_below_the_bound_are_looked_through_quickly() -> None:
    text = " ".join(["a" * MAX_RUN] * 1000)
    begin = time.process_time()
    assert list(bounded_runs(text)) == [text]
    assert time.process_time() - begin < 0.5  # a search from every letter holds Python's lock for longer than a second


def test_a_long_run_is_cut_at_the_bound() -> None:
    assert [len(part) for part in bounded_runs("see " + "a" * 2500 + " end")] == [4 + MAX_RUN, MAX_RUN, 504]


def sent(*batches: tuple[HarmonyEvent, ...]) -> list[Event]:
    """What a sender sends of these batches at its end."""
    events: list[Event] = []
    sender = DeltaSender(5, events.append)
    for batch in batches:
        sender.take(batch)
    sender.flush()
    return events


def test_text_of_a_slow_model_goes_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "JOIN_S", 0.0)
    events: list[Event] = []
    sender = DeltaSender(5, events.append)
    for word in ("a", "b", "c"):
        sender.take((AnswerDelta(word),))
        assert events[-1] == AnswerText(5, word)


def test_text_of_a_fast_model_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "JOIN_S", 3600.0)
    assert sent((AnswerDelta("a"),), (AnswerDelta("b"),), (), (AnswerDelta("c"),)) == [
        AnswerText(5, "a"),
        AnswerText(5, "bc", tokens=3),
    ]


@pytest.mark.parametrize("join_s", [0.0, 3600.0])
def test_every_token_up_to_the_last_text_is_told_however_texts_are_joined(
    monkeypatch: pytest.MonkeyPatch, join_s: float
) -> None:
    monkeypatch.setattr(deltas, "JOIN_S", join_s)
    events: list[Event] = []
    sender = DeltaSender(5, events.append)
    for batch in ((), (ReasoningDelta("r"),), (), (), (AnswerDelta("a"),), (AnswerDelta("b"),), (), ()):
        sender.take(batch)
    sender.finish(())  # the last two brought nothing: they are told by nothing
    assert sum(event.tokens for event in events if isinstance(event, ReasoningText | AnswerText)) == 6


def test_what_was_held_back_belongs_to_the_tokens_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "JOIN_S", 0.0)
    events: list[Event] = []
    sender = DeltaSender(5, events.append)
    for batch in ((AnswerDelta("a"),), (), ()):
        sender.take(batch)
    sender.finish((AnswerDelta("<b"),))
    assert events == [AnswerText(5, "a"), AnswerText(5, "<b", tokens=2)]


def test_kinds_and_tool_calls_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "JOIN_S", 3600.0)
    assert sent(
        (ReasoningDelta("r"),),
        (ReasoningDelta("s"),),
        (CommentaryDelta("c"), ToolCallEvent("f", "{}"), AnswerDelta("a")),
        (ToolCallEvent("g", "[]"),),
    ) == [
        ReasoningText(5, "r"),
        ReasoningText(5, "s"),
        CommentaryText(5, "c"),
        ToolCalled(5, "f", "{}"),
        AnswerText(5, "a", tokens=0),
        ToolCalled(5, "g", "[]"),
    ]


PREFIX = "llama_model_load: error loading model: "


@pytest.mark.parametrize(
    ("lines", "code", "values"),
    [
        ([PREFIX + "unknown model architecture: 'rwkv9'"], ErrorCode.UNKNOWN_ARCHITECTURE, {"architecture": "rwkv9"}),
        (
            [PREFIX + "tensor 'blk.0.attn_q.weight' data is not within the file bounds, model is corrupted"],
            ErrorCode.GGUF_TRUNCATED,
            {"path": "a/m.gguf"},
        ),
        (["gguf_init_from_reader: invalid magic characters: 'hell'"], ErrorCode.NOT_A_GGUF, {"path": "a/m.gguf"}),
        (["alloc_buffer: failed to allocate CPU buffer"], ErrorCode.OUT_OF_MEMORY, {"name": "m.gguf"}),
        ([PREFIX + "std::bad_alloc"], ErrorCode.OUT_OF_MEMORY, {"name": "m.gguf"}),
        (
            ["gguf_init_from_reader: failed to read key-value pairs", PREFIX + "failed to load model from a/m.gguf"],
            ErrorCode.GGUF_BROKEN,
            {"path": "a/m.gguf", "reason": "failed to read key-value pairs"},
        ),
        (
            [PREFIX + "missing tensor 'output_norm.weight'", "llama_model_load_from_file_impl: failed to load model"],
            ErrorCode.MODEL_LOAD_FAILED,
            {"name": "m.gguf", "reason": "missing tensor 'output_norm.weight'"},
        ),
        (
            [PREFIX + "error loading model hyperparameters: key not found in model: gpt-oss.block_count"],
            ErrorCode.MODEL_LOAD_FAILED,
            {"name": "m.gguf", "reason": "key not found in model: gpt-oss.block_count"},
        ),
        (
            ["gguf_init_from_reader: tensor 'a: b' has invalid number of dimensions: 5 > 4"],
            ErrorCode.GGUF_BROKEN,
            {"path": "a/m.gguf", "reason": "tensor 'a: b' has invalid number of dimensions: 5 > 4"},
        ),
        ([], ErrorCode.MODEL_LOAD_FAILED, {"name": "m.gguf", "reason": "no reason given"}),
    ],
)
def test_error_lines_become_errors(lines: list[str], code: ErrorCode, values: dict[str, str]) -> None:
    error = load_error(Path("a/m.gguf"), lines)

    assert (error.code, error.values) == (code, values)
    assert str(error)
