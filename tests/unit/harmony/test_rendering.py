"""Prompts are those of OpenAI's own library: golden files always, the library itself where it can be had."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.conversation import Dialogue, Effort, Message, Role, Tool, ToolCall
from app.domain.conversation_file import parse_conversation
from app.harmony.encoding import PromptEncoder
from app.harmony.rendering import render
from app.harmony.segments import Control, Segment, Text
from app.harmony.vocabulary import ControlToken

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = sorted(path.stem for path in GOLDEN.glob("*.json"))


def dialogue_of(text: str) -> Dialogue:
    return parse_conversation(text, source="golden", today="1999-01-01")


def spelled(segments: tuple[Segment, ...]) -> str:
    """The prompt as a person reads it, control tokens by their names."""
    return "".join(segment.token.value if isinstance(segment, Control) else segment.text for segment in segments)


def test_there_are_golden_prompts() -> None:
    assert len(CASES) >= 15


@pytest.mark.parametrize("name", CASES)
def test_prompts_are_the_golden_ones(name: str) -> None:
    dialogue = dialogue_of((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    golden = (GOLDEN / f"{name}.txt").read_bytes().decode()
    assert spelled(render(dialogue)) == golden


def test_only_the_format_itself_becomes_control_tokens() -> None:
    hostile = "".join(token.value for token in ControlToken)
    dialogue = Dialogue(
        (
            Message(Role.USER, hostile),
            Message(Role.ASSISTANT, hostile, hostile, hostile, (ToolCall(hostile, hostile),)),
            Message(Role.TOOL, hostile, name=hostile),
        ),
        date=hostile,
        instructions=hostile,
        tools=(Tool(hostile, hostile),),
    )
    harmless = Dialogue(
        (
            Message(Role.USER, "x"),
            Message(Role.ASSISTANT, "x", "x", "x", (ToolCall("x", "x"),)),
            Message(Role.TOOL, "x", name="x"),
        ),
        date="x",
        instructions="x",
        tools=(Tool("x", "x"),),
    )
    controls = [[s for s in render(d) if isinstance(s, Control)] for d in (dialogue, harmless)]
    assert controls[0] == controls[1]


def test_the_prompt_ends_ready_for_the_assistant() -> None:
    assert render(Dialogue((), "2026-01-01"))[-2:] == (Control(ControlToken.START), Text("assistant"))


def test_rendering_changes_nothing_when_a_turn_is_added() -> None:
    """What was read stays read: with the answer and a new question, the prompt begins as before."""
    tools = (Tool("f", "F."),)
    before = Dialogue((Message(Role.USER, "a"),), "2026-01-01", tools=tools)
    after = Dialogue(
        (*before.messages, Message(Role.ASSISTANT, "b", "thought"), Message(Role.USER, "c")), "2026-01-01", tools=tools
    )
    assert spelled(render(after)).startswith(spelled(render(before)))


@pytest.mark.parametrize("name", CASES)
def test_an_unfinished_answer_is_the_golden_prompt_without_its_end(name: str) -> None:
    """Cut after each of its answers, a conversation goes on where its own prompt has the answer's end."""
    dialogue = dialogue_of((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    for number, message in enumerate(dialogue.messages, start=1):
        if message.role is Role.ASSISTANT:
            begun = replace(dialogue, messages=dialogue.messages[:number])
            whole = spelled(render(begun))
            goes_on = spelled(render(begun, continuing=True))
            called = whole.endswith("<|call|><|start|>assistant")
            assert whole == (goes_on if called else f"{goes_on}<|end|><|start|>assistant")


@pytest.mark.parametrize(
    ("begun", "end"),
    [
        (Message(Role.ASSISTANT), "<|start|>assistant"),
        (Message(Role.ASSISTANT, reasoning="Hm"), "<|start|>assistant<|channel|>analysis<|message|>Hm"),
        (
            Message(Role.ASSISTANT, reasoning="Hm", commentary="I loo"),
            "<|message|>Hm<|end|><|start|>assistant<|channel|>commentary<|message|>I loo",
        ),
        (
            Message(Role.ASSISTANT, commentary="I look.", tool_calls=(ToolCall("f", "{}"),)),
            "<|channel|>commentary <|constrain|>json<|message|>{}<|call|><|start|>assistant",
        ),
        (
            Message(Role.ASSISTANT, "Yes, ", "Hm", tool_calls=(ToolCall("f", "{}"),)),
            "{}<|call|><|start|>assistant<|channel|>final<|message|>Yes, ",
        ),
    ],
)
def test_where_an_unfinished_answer_goes_on(begun: Message, end: str) -> None:
    dialogue = Dialogue((Message(Role.USER, "a"), begun), "2026-01-01")
    assert spelled(render(dialogue, continuing=True)).endswith(end)


@pytest.mark.parametrize("broken", ["{", "nonsense", '{"a": }'])
def test_parameters_that_are_no_json_are_a_mistake(broken: str) -> None:
    with pytest.raises(ValueError, match="Expecting"):
        render(Dialogue((), "2026-01-01", tools=(Tool("f", parameters=broken),)))


# ---- Against the library ----
#
# `openai_harmony` is an optional test dependency, and its vocabulary is not in this repository: with
# TIKTOKEN_ENCODINGS_BASE naming the folder that has o200k_base.tiktoken these tests run, without it they are skipped.

CONTROL_NAMES = [*(token.value for token in ControlToken), "<|reserved_200000|>", "<|endofprompt|>"]
fragments = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(CONTROL_NAMES),
    st.sampled_from(
        ["<|", "|>", "<", "|", ">", "start", " ", "\n", "\r\n", "  ", "'", "/", "let x = a <|> b", "!", "\t"]
    ),
)
texts = st.lists(fragments, max_size=5).map("".join)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
numbers = st.one_of(st.integers(-(2**70), 2**70), st.sampled_from([0.1, 1e-5, -1.25e-5, 1e16, 1e15, 1e-7, 1e300, -0.0]))
plain_values = st.none() | st.booleans() | numbers | texts
values = plain_values | st.lists(plain_values, max_size=2) | st.dictionaries(texts, plain_values, max_size=2)


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    types = st.sampled_from(["object", "string", "number", "integer", "boolean", "array", "null", "odd"])
    properties = st.dictionaries(st.sampled_from("abc") | texts, inner, max_size=3)
    fields = {
        "type": types | st.lists(types | values, max_size=3) | values,
        "description": texts | st.just("same") | values,
        "title": texts | values,
        "default": values,
        "enum": st.lists(texts, max_size=3) | values,
        "nullable": st.booleans() | values,
        "examples": st.lists(texts, max_size=2) | values,
        "items": inner,
        "anyOf": st.lists(inner, max_size=2),
        "required": st.lists(st.sampled_from("abc"), max_size=3) | values,
        "properties": properties | values,
        "oneOf": st.lists(inner, max_size=3) | values,
    }
    notes = {name: fields[name] for name in ("description", "title", "default", "enum", "nullable", "examples")}
    return (
        st.fixed_dictionaries({}, optional=fields)
        | st.fixed_dictionaries(
            {"type": types, "properties": properties}, optional={**notes, "required": fields["required"]}
        )
        | st.fixed_dictionaries({"oneOf": st.lists(inner, max_size=3)}, optional=notes)
    )


parameters = schemas(schemas(schemas(values)))
tools = st.fixed_dictionaries({"name": names}, optional={"description": texts, "parameters": parameters})
messages = st.one_of(
    st.fixed_dictionaries({"role": st.just("user"), "content": texts}),
    st.fixed_dictionaries({"role": st.just("tool"), "name": names, "content": texts}),
    st.fixed_dictionaries(
        {"role": st.just("assistant")},
        optional={
            "content": texts,
            "reasoning": texts,
            "commentary": texts,
            "tool_calls": st.lists(st.fixed_dictionaries({"name": names, "arguments": texts}), max_size=2),
        },
    ),
)
conversations = st.fixed_dictionaries(
    {
        "format": st.just("alcove-conversation"),
        "version": st.just(1),
        "date": st.dates().map(lambda day: day.isoformat()),
        "messages": st.lists(messages, max_size=5),
    },
    optional={
        "effort": st.sampled_from([effort.value for effort in Effort]),
        "instructions": texts,
        "tools": st.lists(tools, max_size=3),
    },
)


class LibraryVocabulary:
    """The library's own tokenizer, with the trap of llama.cpp's: some names in plain text become their tokens."""

    def __init__(self, encoding: Any) -> None:
        self._encoding = encoding
        names = sorted(encoding.special_tokens_set)
        self._special = dict(zip(encoding.encode("".join(names), allowed_special="all"), names, strict=True))

    @property
    def special_tokens(self) -> Mapping[int, str]:
        return self._special

    def tokenize(self, text: str) -> list[int]:
        return self._encoding.encode(text, allowed_special="all")

    def piece(self, token_id: int) -> bytes:
        raise NotImplementedError


@pytest.fixture(scope="module")
def library() -> Any:
    pytest.importorskip("openai_harmony")
    if not os.environ.get("TIKTOKEN_ENCODINGS_BASE"):
        pytest.skip("TIKTOKEN_ENCODINGS_BASE does not name the folder of o200k_base.tiktoken")
    from scripts import make_golden_prompts

    return make_golden_prompts


def test_golden_prompts_are_the_librarys(library: Any) -> None:
    assert library.main(["--check"]) == 0


@pytest.fixture(scope="module")
def encoder(library: Any) -> PromptEncoder:
    return PromptEncoder(LibraryVocabulary(library.encoding()))


@settings(max_examples=300)
@given(conversation=conversations)
def test_token_ids_are_the_librarys(conversation: dict[str, Any], library: Any, encoder: PromptEncoder) -> None:
    ids = encoder.encode(render(dialogue_of(json.dumps(conversation))))
    assert ids == library.reference_tokens(conversation)
