"""Text never becomes a control token, and is otherwise tokenized as the model does it."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.harmony.encoding import STRETCH, PromptEncoder
from app.harmony.segments import Control, Segment, Text
from app.harmony.vocabulary import ControlToken, control_ids, speaks_harmony, stop_ids
from tests.support.vocabulary import FIRST_SPECIAL_ID, HARMONY_NAMES, RESERVED_NAMES, ByteVocabulary

ROOT = Path(__file__).parents[3]
NAMES = (*HARMONY_NAMES, *RESERVED_NAMES)
# Names within names, names that overlap, names of other families, and names that no letters break up.
AWKWARD_NAMES = (
    *NAMES,
    "</s>",
    "[INST]",
    "<|",
    "|>",
    "<||>",
    "ab",
    "bc",
    "abc",
    "aa",
    "x<|end|>y",
    "é🙂",
    "  ",
    "\n\n",
)
HARMONY = ByteVocabulary()
AWKWARD = ByteVocabulary(AWKWARD_NAMES)


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("word " * 40_000, 1),
        ("a line of words\n" * 10_000, 4),
        ("日本語の文\r\n" * 25_000, 4),
        ("- an item\n" * 20_000, 1),
        ("x" * STRETCH + "\ny", 2),
        ("", 0),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_large_text_is_encoded_in_runs(text: str, runs: int) -> None:
    made = list(PromptEncoder(HARMONY).runs([Text(text)]))
    assert len(made) == runs
    assert b"".join(map(bytes, made)).decode() == text


def ids_of(text: str, vocabulary: ByteVocabulary) -> list[int]:
    return PromptEncoder(vocabulary).encode([Text(text)])


def trapped(vocabulary: ByteVocabulary, text: str) -> bool:
    return any(token_id >= FIRST_SPECIAL_ID for token_id in vocabulary.tokenize(text))


@pytest.mark.parametrize("name", AWKWARD_NAMES)
def test_no_name_becomes_its_token(name: str) -> None:
    split = [f"{name[:cut]} {name[cut:]}" for cut in range(1, len(name))]
    nested = [f"{name[:cut]}{name}{name[cut:]}" for cut in range(len(name) + 1)]
    around = [f"<|{name}|>", f"a{name}b", f" {name}\n", name.upper(), name[1:] + name, name + name[:-1]]
    assert trapped(AWKWARD, name)
    for text in (name, name * 2, name * 50, *split, *nested, *around):
        ids = ids_of(text, AWKWARD)
        assert max(ids) < FIRST_SPECIAL_ID, text
        assert bytes(ids).decode() == text


@pytest.mark.parametrize("one", AWKWARD_NAMES)
def test_no_pair_of_names_becomes_tokens(one: str) -> None:
    pairs = ((one + other, f"{one[:2]}{other}{one[2:]}", one[:-1] + other, one + other[1:]) for other in AWKWARD_NAMES)
    for text in itertools.chain.from_iterable(pairs):
        ids = ids_of(text, AWKWARD)
        assert max(ids) < FIRST_SPECIAL_ID, text
        assert bytes(ids).decode() == text


pieces = st.one_of(
    st.sampled_from(AWKWARD_NAMES),
    st.sampled_from(AWKWARD_NAMES).flatmap(lambda name: st.integers(0, len(name)).map(lambda cut: name[:cut])),
    st.sampled_from(AWKWARD_NAMES).flatmap(lambda name: st.integers(0, len(name)).map(lambda cut: name[cut:])),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.sampled_from("<|>abc_ \n"),
)


@given(st.lists(pieces, max_size=12).map("".join))
def test_no_text_becomes_a_control_token(text: str) -> None:
    for vocabulary in (HARMONY, AWKWARD):
        ids = ids_of(text, vocabulary)
        assert max(ids, default=0) < FIRST_SPECIAL_ID
        assert bytes(ids).decode() == text


@given(st.lists(st.lists(pieces, max_size=4).map("".join), max_size=4))
def test_texts_side_by_side_make_no_name_either(texts: list[str]) -> None:
    ids = PromptEncoder(AWKWARD).encode([Text(text) for text in texts])
    assert max(ids, default=0) < FIRST_SPECIAL_ID
    assert bytes(ids).decode() == "".join(texts)


@given(st.lists(pieces, max_size=12).map("".join))
def test_only_texts_with_a_complete_name_are_cut(text: str) -> None:
    parts = list(PromptEncoder(HARMONY).parts(text))
    assert "".join(parts) == text
    assert not any(name in part for part in parts for name in NAMES)
    if not any(name in text for name in NAMES):
        assert parts == ([text] if text else [])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("let (<|) f x = f x", ["let (<|) f x = f x"]),
        ("x |> f <| y", ["x |> f <| y"]),
        ("<| start |>", ["<| start |>"]),
        ("<|Start|>", ["<|Start|>"]),
        ("<|start|>", ["<|", "start|>"]),
        ("a.<|start|><|end|>b", ["a.<|", "start|><|", "end|>b"]),
        ("<|sta<|start|>rt|>", ["<|sta<|", "start|>rt|>"]),
        ("", []),
    ],
)
def test_cuts_fall_where_the_pre_tokenizer_cuts(text: str, parts: list[str]) -> None:
    assert list(PromptEncoder(HARMONY).parts(text)) == parts


def test_control_segments_become_their_tokens() -> None:
    segments: list[Segment] = [Control(token) for token in ControlToken]
    assert PromptEncoder(HARMONY).encode(segments) == [HARMONY.id_of(token.value) for token in ControlToken]
    mixed = [Control(ControlToken.START), Text("a<|end|>"), Control(ControlToken.END)]
    assert PromptEncoder(HARMONY).encode(mixed) == [HARMONY.id_of("<|start|>"), *b"a<|end|>", HARMONY.id_of("<|end|>")]


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert bytes(ids_of("a\ud83db\ude00", HARMONY)).decode() == "a\ufffdb\ufffd"


def test_a_vocabulary_without_special_tokens_takes_text_alone() -> None:
    bare = ByteVocabulary(())
    assert ids_of("<|start|>", bare) == list(b"<|start|>")
    assert not speaks_harmony(bare)
    assert stop_ids(bare) == frozenset()
    with pytest.raises(KeyError):
        PromptEncoder(bare).encode([Control(ControlToken.START)])


def test_the_ids_of_a_vocabulary() -> None:
    assert control_ids(HARMONY) == {token: HARMONY.id_of(token.value) for token in ControlToken}
    assert speaks_harmony(HARMONY)
    assert speaks_harmony(ByteVocabulary(set(HARMONY_NAMES) - {"<|endoftext|>"}))
    assert not speaks_harmony(ByteVocabulary(set(HARMONY_NAMES) - {"<|call|>"}))
    assert stop_ids(HARMONY) == {HARMONY.id_of(name) for name in ("<|return|>", "<|call|>", "<|endoftext|>")}


def test_a_name_that_occurs_twice_keeps_its_lowest_id() -> None:
    class Doubled(ByteVocabulary):
        @property
        def special_tokens(self) -> dict[int, str]:
            return {2000: "<|start|>", 1000: "<|start|>", 1001: "other"}

    assert control_ids(Doubled()) == {ControlToken.START: 1000}


def test_llama_cpp_makes_no_control_token_of_text() -> None:
    """With the built-in model's vocabulary; in a process of its own, because it loads native code."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    script = Path(__file__).with_name("llama_vocabulary_check.py")
    model = ROOT / "resources" / "models" / "alcove-demo.gguf"
    done = subprocess.run(
        [sys.executable, script, model], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("checked ")
