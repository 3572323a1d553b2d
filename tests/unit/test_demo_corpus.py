"""The demo guide's corpus: enough questions, honest held-back wordings, one generator for everything, and the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from gguf import GGUFReader
from hypothesis import given
from hypothesis import strategies as st

from scripts.demo_model import prompts
from scripts.demo_model.conversations import Corpus, Node, thoughts
from scripts.demo_model.evaluation_cases import read_reply
from scripts.demo_model.topics import FALLBACK, load_topics, load_unknown
from scripts.demo_model.wordings import normalise, unknown_question, vary

TOPICS = load_topics()
UNKNOWN = load_unknown()
CORPUS = Corpus(TOPICS, UNKNOWN)
MODEL = Path(__file__).resolve().parents[2] / "resources" / "models" / "alcove-demo.gguf"
CONTROL = re.compile(r"<\|[a-z]+\|>")
HARMONY = ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>")


def texts(node: Node) -> Iterator[str]:
    yield from (text for text, _ in node.pieces)
    for child in node.children:
        yield from texts(child)


def questions(tree: Node) -> set[str]:
    return {
        normalise(child.pieces[1][0]) for child in walk(tree) if len(child.pieces) == 3 and child.pieces[1][1] == 0.1
    }


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def completions(node: Node) -> Iterator[str]:
    for child in walk(node):
        if child.pieces[0][1] == 1.0:
            yield child.pieces[0][0]


def test_at_least_two_hundred_questions_each_topic_in_several_wordings() -> None:
    written = {normalise(question) for topic in TOPICS for question in topic.questions}
    assert len(written) >= 200
    assert all(len(CORPUS.wordings[topic.name]) >= 8 for topic in TOPICS)
    assert all(len(topic.held_back) == 2 for topic in TOPICS)


def test_a_wording_belongs_to_one_topic() -> None:
    owner: dict[str, str] = {}
    for topic in TOPICS:
        for question in (*CORPUS.wordings[topic.name], *topic.held_back):
            assert owner.setdefault(normalise(question), topic.name) == topic.name, question


def test_answers_and_subjects_are_distinct_and_plain_text() -> None:
    answers = [topic.answer for topic in TOPICS]
    assert len(set(answers)) == len(answers)
    assert len({topic.subject for topic in TOPICS}) == len(TOPICS)
    for text in (*answers, *(topic.more for topic in TOPICS), FALLBACK):
        assert not CONTROL.search(text)
        assert text == text.strip()


def test_answers_hold_code_a_table_a_list_and_a_formula() -> None:
    answers = "\n".join(topic.answer for topic in TOPICS)
    for sign in ("```python\n", "```bash\n", "|---|", "\n- ", "1. ", "\\frac"):
        assert sign in answers


def test_the_guide_never_claims_to_be_gpt_oss() -> None:
    for topic in TOPICS:
        assert not re.search(r"\bI am (?:gpt-oss|ChatGPT)", topic.answer)
    assert "demo guide built into Alcove" in next(topic.answer for topic in TOPICS if topic.name == "who")


def test_plain_wordings_leave_the_held_back_ones_out() -> None:
    for topic in TOPICS:
        held_back = {normalise(question) for question in topic.held_back}
        assert held_back.isdisjoint(normalise(question) for question in CORPUS.wordings[topic.name])
    assert {normalise(text) for text in UNKNOWN.held_back}.isdisjoint(normalise(text) for text in UNKNOWN.questions)


@given(st.integers(0, 2**32))
def test_no_conversation_asks_a_held_back_question(seed: int) -> None:
    assert questions(CORPUS.tree(Random(seed), 300, 0.2)).isdisjoint(CORPUS.held_back)


@given(st.integers(0, 2**32))
def test_a_seed_makes_the_same_conversation(seed: int) -> None:
    first, second = CORPUS.tree(Random(seed), 200, 0.2), CORPUS.tree(Random(seed), 200, 0.2)
    assert list(texts(first)) == list(texts(second))
    assert list(texts(CORPUS.long_chat(Random(seed)))) == list(texts(CORPUS.long_chat(Random(seed))))


@given(st.integers(0, 2**32))
def test_every_completion_is_well_formed_harmony(seed: int) -> None:
    tree = CORPUS.tree(Random(seed), 300, 0.2)
    declared = re.findall(r"^type (\w+) = ", tree.pieces[0][0], re.MULTILINE)
    made = list(completions(tree))
    assert made
    for completion in made:
        reply = read_reply(completion)
        assert reply.well_formed, completion
        assert not reply.tool or reply.tool in declared


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello",
        "<|channel|>final<|message|>Hello<|return|>",
        "<|channel|>analysis<|message|>Hm.<|end|>",
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello",
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|><|return|>",
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>A<|end|>B<|return|>",
        (
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.f "
            "<|constrain|>json<|message|>{oops<|call|>"
        ),
        (
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.f "
            "<|constrain|>json<|message|>[]<|call|>"
        ),
    ],
)
def test_malformed_completions_are_told_apart(text: str) -> None:
    assert not read_reply(text).well_formed


def test_a_call_is_taken_apart() -> None:
    text = (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.f "
        '<|constrain|>json<|message|>{"a": 1}<|call|>'
    )
    reply = read_reply(text)
    assert (reply.well_formed, reply.reasoning, reply.tool, reply.arguments) == (True, "Hm.", "f", '{"a": 1}')


@pytest.mark.parametrize("subject", ["privacy", ""])
def test_reasoning_grows_with_the_effort(subject: str) -> None:
    low, medium, high = (len(thoughts(effort, subject).split()) for effort in prompts.EFFORTS)
    assert low < 6 < medium < 25 < 40 < high


def test_a_past_call_and_its_result_are_spelled_as_harmony() -> None:
    call = prompts.START + prompts.past_call("f", "{}") + prompts.result("f", "4")
    assert call == (
        "<|start|>assistant to=functions.f<|channel|>commentary <|constrain|>json<|message|>{}<|call|>"
        "<|start|>functions.f to=assistant<|channel|>commentary<|message|>4<|end|>"
    )


@given(st.integers(0, 2**32), st.sampled_from([question for topic in TOPICS for question in topic.questions]))
def test_variation_keeps_a_question_a_line_of_text(seed: int, question: str) -> None:
    varied = vary(Random(seed), question)
    assert varied.strip()
    assert "\n" not in varied
    assert not CONTROL.search(varied)


@given(st.integers(0, 2**32))
def test_unknown_questions_are_filled_in(seed: int) -> None:
    question = unknown_question(Random(seed), UNKNOWN)
    assert question
    assert "{" not in question


def test_the_model_file_is_a_small_gpt_oss_that_can_write_every_answer() -> None:
    assert MODEL.stat().st_size <= 6_000_000
    reader = GGUFReader(MODEL)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    assert fields["general.architecture"] == "gpt-oss"
    assert fields["gpt-oss.attention.sliding_window"] == 128
    assert fields["gpt-oss.rope.scaling.type"] == "yarn"
    assert 1 < fields["gpt-oss.expert_used_count"] < fields["gpt-oss.expert_count"]
    assert "<|channel|>" in fields["tokenizer.chat_template"]
    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    assert 2000 <= len(tokens) <= 4000
    for name in (*HARMONY, "<|startoftext|>", "<|endoftext|>"):
        assert kinds[tokens.index(name)] == 3, name
    # Byte-level: a single token for each byte, so any text can be written; and no text token is a control token's name.
    letters = {chr(code) for code in (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x144))}
    assert letters <= {token for token in tokens if len(token) == 1}
    assert not [token for token, kind in zip(tokens, kinds, strict=True) if kind == 1 and CONTROL.fullmatch(token)]
    names = {tensor.name for tensor in reader.tensors}
    assert {"blk.0.attn_sinks.weight", "blk.0.ffn_gate_inp.weight", "blk.1.ffn_down_exps.weight"} <= names
