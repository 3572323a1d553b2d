"""Conversation files: what is read, what is refused and why, and that what is written is read back."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.conversation import Dialogue, Effort, Message, Role, Tool, ToolCall
from app.domain.conversation_file import MAX_CHARS, MAX_DEPTH, dump_conversation, dump_dialogue, parse_conversation
from app.domain.errors import ErrorCode, UserError
from app.domain.tree import Conversation, ConversationInfo, MessageNode

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "resources" / "conversation.schema.json").read_text(encoding="utf-8"))
TODAY = "2026-05-04"


def conversation(**fields: Any) -> dict[str, Any]:
    return {"format": "alcove-conversation", "version": 1, "messages": [], **fields}


def read(value: Any) -> Dialogue:
    text = value if isinstance(value, str) else json.dumps(value)
    return parse_conversation(text, source="talk.json", today=TODAY)


def refused(value: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        read(value)
    return caught.value


def fits_the_schema(value: Any) -> bool:
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(value)


USER = {"role": "user", "content": "Hi"}
CALL = {"role": "assistant", "tool_calls": [{"name": "f", "arguments": "{}"}]}

READ = {
    "the least": (conversation(), Dialogue((), TODAY)),
    "a frame": (
        conversation(date="2025-12-31", effort="high", instructions="Be brief.", messages=[USER]),
        Dialogue((Message(Role.USER, "Hi"),), "2025-12-31", Effort.HIGH, "Be brief."),
    ),
    "null is missing": (
        conversation(
            date=None,
            effort=None,
            instructions=None,
            tools=None,
            messages=[
                {"role": "assistant", "content": None, "reasoning": "r", "commentary": None, "tool_calls": None},
                {**USER, "name": None},
            ],
        ),
        Dialogue((Message(Role.ASSISTANT, reasoning="r"), Message(Role.USER, "Hi")), TODAY),
    ),
    "tools": (
        conversation(
            tools=[
                {"name": "f", "description": "Does f.", "parameters": {"type": "object", "properties": {}}},
                {"name": "g"},
                {"type": "function", "function": {"name": "h", "parameters": {}, "strict": True}},
                {"name": "i", "parameters": None},
            ]
        ),
        Dialogue(
            (),
            TODAY,
            tools=(
                Tool("f", "Does f.", '{"type": "object", "properties": {}}'),
                Tool("g"),
                Tool("h", parameters="{}"),
                Tool("i"),
            ),
        ),
    ),
    "every part of an answer": (
        conversation(
            messages=[
                {
                    "role": "assistant",
                    "content": "c",
                    "reasoning": "r",
                    "commentary": "m",
                    "tool_calls": [
                        {"name": "f", "arguments": ' {"a" :1}\n'},
                        {"name": "g", "arguments": {"ä": [1, 2.5, None], "b": {}}},
                    ],
                }
            ]
        ),
        Dialogue(
            (
                Message(
                    Role.ASSISTANT,
                    "c",
                    "r",
                    "m",
                    (ToolCall("f", ' {"a" :1}\n'), ToolCall("g", '{"ä": [1, 2.5, null], "b": {}}')),
                ),
            ),
            TODAY,
        ),
    ),
    "an export's own fields and unknown ones": (
        conversation(title="T", extra=1, branches=[USER], messages=[{**USER, "id": 4, "parent": None, "mood": "good"}]),
        Dialogue((Message(Role.USER, "Hi"),), TODAY),
    ),
    "pinned messages": (
        conversation(
            messages=[
                {**USER, "pinned": True},
                {**CALL, "pinned": True},
                {"role": "tool", "content": "x", "pinned": True},
                {**USER, "pinned": False},
                {**USER, "pinned": None},
            ]
        ),
        Dialogue(
            (
                Message(Role.USER, "Hi", pinned=True),
                Message(Role.ASSISTANT, tool_calls=(ToolCall("f", "{}"),), pinned=True),
                Message(Role.TOOL, "x", name="f", pinned=True),
                Message(Role.USER, "Hi"),
                Message(Role.USER, "Hi"),
            ),
            TODAY,
        ),
    ),
    "a leap day": (conversation(date="2024-02-29"), Dialogue((), "2024-02-29")),
    "a named result": (
        conversation(messages=[{"role": "tool", "name": "t", "content": ""}]),
        Dialogue((Message(Role.TOOL, "", name="t"),), TODAY),
    ),
}


@pytest.mark.parametrize("name", READ)
def test_conversations_are_read(name: str) -> None:
    value, dialogue = READ[name]
    assert read(value) == dialogue
    assert fits_the_schema(value)


def assistant(*names: str) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{"name": name, "arguments": "{}"} for name in names]}


def result(name: str | None = None) -> dict[str, Any]:
    return {"role": "tool", "content": "x", **({"name": name} if name else {})}


@pytest.mark.parametrize(
    ("messages", "names"),
    [
        ([assistant("a"), result()], ["a"]),
        ([assistant("a"), result("")], ["a"]),
        ([assistant("a"), USER, result()], ["a"]),
        ([assistant("a"), result(), assistant("b"), result()], ["a", "b"]),
        ([assistant("a"), result(), {"role": "assistant", "content": "c"}, result()], ["a", "a"]),
        ([assistant("a", "b"), result(), result()], ["a", "b"]),
        ([assistant("a", "b"), result()], ["b"]),
        ([assistant("a", "b"), result("a"), result()], ["a", "b"]),
        ([assistant("a", "b"), result(), result(), result()], ["a", "b", "b"]),
    ],
)
def test_a_result_without_a_name_takes_the_preceding_calls(messages: list[Any], names: list[str]) -> None:
    dialogue = read(conversation(messages=messages))
    assert [message.name for message in dialogue.messages if message.role is Role.TOOL] == names


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value in line 1, column 1"),
        ("{", "Expecting property name enclosed in double quotes in line 1, column 2"),
        ('{"a": 1,\n "b" 2}', "Expecting ':' delimiter in line 2, column 6"),
        ("{} {}", "Extra data in line 1, column 4"),
        ("'format'", "Expecting value in line 1, column 1"),
        ('{"a": "\n"}', "Invalid control character at in line 1, column 8"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": [-Infinity]}', "-Infinity is not a JSON number"),
        ('{"a": 1e999}', "a number in it is too large"),
        ('{"a": -1e999}', "a number in it is too large"),
        ('{"a": ' + "9" * 400 + "}", "a number in it is too large"),
        ('{"a": -' + "9" * 400 + "}", "a number in it is too large"),
        ('{"a": ' + "9" * 5000 + "}", "a number in it is too large"),
        ("[" * 100_000, f"it is nested more than {MAX_DEPTH} levels deep"),
        ("[" * 100_000 + "]" * 100_000, f"it is nested more than {MAX_DEPTH} levels deep"),
        ('{"a":' * 500 + "1" + "}" * 500, f"it is nested more than {MAX_DEPTH} levels deep"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"it is nested more than {MAX_DEPTH} levels deep"),
        (" " * (MAX_CHARS + 1), "it is longer than 64,000,000 characters"),
    ],
    ids=range(18),
)
def test_what_is_no_json_is_refused(text: str, reason: str) -> None:
    error = refused(text)
    assert error.code is ErrorCode.INVALID_JSON
    assert error.values == {"source": "talk.json", "reason": reason}


REFUSED = [
    (None, "it must be an object, not null"),
    (True, "it must be an object, not true or false"),
    (3, "it must be an object, not a number"),
    ("x", "it must be an object, not a text"),
    ([], "it must be an object, not a list"),
    ({}, "format must be “alcove-conversation”"),
    (conversation(format="chat"), "format must be “alcove-conversation”"),
    ({"format": "alcove-conversation", "messages": []}, "version must be 1"),
    (conversation(version="1"), "version must be 1"),
    (conversation(version=True), "version must be 1"),
    (conversation(version=0), "version must be 1"),
    (conversation(version=2), "its version 2 is newer than this Alcove knows"),
    ({"format": "alcove-conversation", "version": 1}, "it has no messages"),
    (conversation(messages=None), "it has no messages"),
    (conversation(messages={}), "messages must be a list, not an object"),
    (conversation(date=20260101), "date must be a day written as YYYY-MM-DD"),
    (conversation(date="20260101"), "date must be a day written as YYYY-MM-DD"),
    (conversation(date="1 May 2026"), "date must be a day written as YYYY-MM-DD"),
    (conversation(effort="extreme"), "effort must be low, medium or high"),
    (conversation(effort=["low"]), "effort must be low, medium or high"),
    (conversation(instructions=["a"]), "instructions must be a text, not a list"),
    (conversation(tools={}), "tools must be a list, not an object"),
    (conversation(tools=["f"]), "tools[0] must be an object, not a text"),
    (conversation(tools=[{}]), "tools[0].name is missing"),
    (conversation(tools=[{"name": ""}]), "tools[0].name is missing"),
    (conversation(tools=[{"name": 1}]), "tools[0].name must be a text, not a number"),
    (conversation(tools=[{"name": "f", "description": 1.5}]), "tools[0].description must be a text, not a number"),
    (conversation(tools=[{"name": "f", "parameters": "{}"}]), "tools[0].parameters must be an object, not a text"),
    (conversation(tools=[{"function": "f"}]), "tools[0].function must be an object, not a text"),
    (conversation(tools=[{"name": "f"}, {"function": {}}]), "tools[1].function.name is missing"),
    (conversation(messages=["hi"]), "messages[0] must be an object, not a text"),
    (conversation(messages=[USER, USER, {"content": "x"}]), "messages[2].role must be user, assistant or tool"),
    (conversation(messages=[{**USER, "role": "system"}]), "messages[0].role must be user, assistant or tool"),
    (conversation(messages=[{**USER, "role": {}}]), "messages[0].role must be user, assistant or tool"),
    (conversation(messages=[{"role": "user"}]), "messages[0].content is missing"),
    (conversation(messages=[{"role": "user", "content": ["x"]}]), "messages[0].content must be a text, not a list"),
    (conversation(messages=[{**USER, "pinned": 1}]), "messages[0].pinned must be true or false, not a number"),
    (conversation(messages=[CALL, {"role": "tool"}]), "messages[1].content is missing"),
    (conversation(messages=[{**CALL, "content": 1}]), "messages[0].content must be a text, not a number"),
    (conversation(messages=[{**CALL, "reasoning": []}]), "messages[0].reasoning must be a text, not a list"),
    (conversation(messages=[{**CALL, "commentary": {}}]), "messages[0].commentary must be a text, not an object"),
    (conversation(messages=[{**CALL, "tool_calls": {}}]), "messages[0].tool_calls must be a list, not an object"),
    (conversation(messages=[{**CALL, "tool_calls": [1]}]), "messages[0].tool_calls[0] must be an object, not a number"),
    (
        conversation(messages=[{**CALL, "tool_calls": [{"name": "f"}]}]),
        "messages[0].tool_calls[0].arguments is missing",
    ),
    (
        conversation(messages=[{**CALL, "tool_calls": [{"arguments": "{}"}]}]),
        "messages[0].tool_calls[0].name is missing",
    ),
    (
        conversation(messages=[{**CALL, "tool_calls": [{"name": "f", "arguments": [1]}]}]),
        "messages[0].tool_calls[0].arguments must be a text or an object, not a list",
    ),
]
# What a JSON Schema does not say.
REFUSED_BEYOND_THE_SCHEMA = [
    (conversation(date="2026-02-30"), "date must be a day written as YYYY-MM-DD"),
    (
        conversation(messages=[USER, {"role": "tool", "content": "x"}]),
        "messages[1].name is missing, and no tool call comes before it",
    ),
    (
        conversation(messages=[{"role": "user", "content": "a\ud800b"}]),
        "messages[0].content holds half of a character (a lone surrogate)",
    ),
    (
        conversation(messages=[{**CALL, "tool_calls": [{"name": "f", "arguments": {"a": "\udfff"}}]}]),
        "messages[0].tool_calls[0].arguments holds half of a character (a lone surrogate)",
    ),
    (
        conversation(tools=[{"name": "f", "parameters": {"\ud800": 1}}]),
        "tools[0].parameters holds half of a character (a lone surrogate)",
    ),
]


@pytest.mark.parametrize(("value", "reason"), REFUSED + REFUSED_BEYOND_THE_SCHEMA)
def test_what_is_no_conversation_is_refused_with_its_place(value: Any, reason: str) -> None:
    error = refused(json.dumps(value))
    assert error.code is ErrorCode.INVALID_CONVERSATION
    assert error.values == {"source": "talk.json", "reason": reason}
    assert str(error).startswith(f"talk.json is not an Alcove conversation: {reason}.")


@pytest.mark.parametrize(("value", "reason"), REFUSED)
def test_the_schema_refuses_the_same(value: Any, reason: str) -> None:
    assert not fits_the_schema(value), reason


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_byte_order_mark_and_doubled_keys_are_no_trouble() -> None:
    text = '\ufeff{"format": "x", "format": "alcove-conversation", "version": 1, "messages": []}'
    assert read(text) == Dialogue((), TODAY)


def test_the_deepest_that_is_allowed_is_read() -> None:
    deep: Any = {}
    # The conversation, its messages, one message, its calls, one call and the arguments themselves are levels too.
    for _ in range(MAX_DEPTH - 6):
        deep = {"a": deep}
    message = {"role": "assistant", "tool_calls": [{"name": "f", "arguments": deep}]}
    call = read(conversation(messages=[message])).messages[0].tool_calls[0]
    assert json.loads(call.arguments) == deep
    message = {"role": "assistant", "tool_calls": [{"name": "f", "arguments": {"a": deep}}]}
    assert refused(conversation(messages=[message])).code is ErrorCode.INVALID_JSON


def test_the_documentations_examples_are_read() -> None:
    page = (ROOT / "docs" / "conversation-file.md").read_text(encoding="utf-8")
    examples = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert examples
    for example in examples:
        assert fits_the_schema(json.loads(example))
        assert read(example).messages[-1].name == "get_weather"


# ---- Writing ----

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
tools = st.builds(
    Tool,
    names,
    texts,
    st.just("") | st.dictionaries(texts, json_values, max_size=3).map(lambda p: json.dumps(p, ensure_ascii=False)),
)
messages = st.one_of(
    st.builds(Message, st.just(Role.USER), texts, pinned=st.booleans()),
    st.builds(Message, st.just(Role.TOOL), texts, name=names, pinned=st.booleans()),
    st.builds(
        Message,
        st.just(Role.ASSISTANT),
        texts,
        texts,
        texts,
        st.lists(st.builds(ToolCall, names, texts), max_size=3).map(tuple),
        pinned=st.booleans(),
    ),
)
dialogues = st.builds(
    Dialogue,
    st.lists(messages, max_size=6).map(tuple),
    st.dates().map(lambda day: day.isoformat()),
    st.sampled_from(Effort),
    texts,
    st.lists(tools, max_size=3).map(tuple),
)


@given(dialogues)
def test_a_written_dialogue_is_read_back(dialogue: Dialogue) -> None:
    text = dump_dialogue(dialogue)
    assert parse_conversation(text, source="talk.json", today=TODAY) == dialogue
    assert fits_the_schema(json.loads(text))


@given(dialogues, st.data())
def test_an_export_holds_the_shown_path_and_all_branches(dialogue: Dialogue, data: st.DataObject) -> None:
    nodes: list[MessageNode] = []
    for index, message in enumerate(dialogue.messages):
        parent = data.draw(st.sampled_from([None, *range(1, index + 1)]))
        nodes.append(MessageNode(index + 1, parent, 1.5 * index, message, complete=index % 2 == 0))
    leaf = data.draw(st.sampled_from([None, *range(1, len(nodes) + 1)]))
    info = ConversationInfo(
        1, "Title", 0.0, 1.0, dialogue.date, dialogue.effort, dialogue.instructions, dialogue.tools, "Demo"
    )
    stored = Conversation(info, tuple(nodes), leaf)

    text = dump_conversation(stored)
    content = json.loads(text)
    back = parse_conversation(text, source="talk.json", today=TODAY)

    assert back.messages == tuple(node.message for node in stored.path())
    assert (back.date, back.effort, back.instructions, back.tools) == (
        dialogue.date,
        dialogue.effort,
        dialogue.instructions,
        dialogue.tools,
    )
    assert fits_the_schema(content)
    assert (content["title"], content["model"]) == ("Title", "Demo")
    everything = {item["id"]: item for item in [*content["messages"], *content.get("branches", [])]}
    assert sorted(everything) == [node.id for node in nodes]
    for node in nodes:
        item = everything[node.id]
        assert (item["parent"], item["created"], item.get("complete", True)) == (
            node.parent,
            node.created,
            node.complete,
        )
    assert [item["id"] for item in content["messages"]] == [node.id for node in stored.path()]


@given(st.text() | json_values.map(json.dumps))
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    try:
        read(text)
    except UserError as error:
        assert error.code in (ErrorCode.INVALID_JSON, ErrorCode.INVALID_CONVERSATION)  # noqa: PT017


keys = st.sampled_from(["role", "content", "name", "tool_calls", "arguments", "reasoning", "commentary", "parameters"])
near = st.recursive(
    json_values | st.sampled_from(["user", "assistant", "tool"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(near, max_size=3), st.lists(near, max_size=2))
def test_what_nearly_is_a_conversation_is_read_or_refused(messages: list[Any], tools: list[Any]) -> None:
    value = conversation(messages=messages, tools=tools)
    try:
        dialogue = read(value)
    except UserError as error:
        assert error.code is ErrorCode.INVALID_CONVERSATION  # noqa: PT017
    else:
        assert fits_the_schema(value)
        assert parse_conversation(dump_dialogue(dialogue), source="again", today=TODAY) == dialogue
