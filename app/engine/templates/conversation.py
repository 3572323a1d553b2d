"""A dialogue as the dictionaries that Hugging Face's chat templates read, with marks in place of its texts.

Templates differ in what they take: some know no system message, no tools, no two messages of one role in a row, or
want a message's content as a list of parts. ``SHAPES`` are tried in order until one is drawn whole.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from app.domain.conversation import Dialogue, Message, Role, Tool, ToolCall
from app.engine.templates.marks import Marks
from app.engine.templates.protocol import Draw

# The words of JSON Schema that templates look for; everything else in a schema is text.
_SCHEMA_KEYS: Final = frozenset(
    (
        *("type", "properties", "required", "items", "enum", "description", "default", "title", "format", "anyOf"),
        *("oneOf", "allOf", "additionalProperties", "minimum", "maximum", "minLength", "maxLength", "minItems"),
        *("maxItems", "pattern", "const", "nullable", "examples", "$ref", "$defs"),
    )
)
_SCHEMA_TYPES: Final = frozenset(("object", "string", "integer", "number", "boolean", "array", "null"))
DEEPEST: Final = 50
"""Levels of JSON that a call's arguments or a tool's parameters may have; Python gives up at some hundred."""

_REASONING_KEYS: Final = ("reasoning_content", "reasoning", "thinking")
_BETWEEN: Final = "\n\n"


@dataclass(frozen=True, slots=True)
class Shape:
    """How a dialogue is put to a template.

    ``folded``: as users' and assistants' messages by turns, with everything else inside them. ``in_parts``: contents
    are lists of parts. ``call_text``: a call's arguments are text, not a dictionary. ``no_effort``: how long to think
    is not said, because the template knows other words for it.
    """

    folded: bool = False
    in_parts: bool = False
    call_text: bool = False
    no_effort: bool = False


SHAPES: Final = (
    Shape(),
    Shape(call_text=True),
    Shape(in_parts=True),
    Shape(folded=True),
    Shape(folded=True, in_parts=True),
    Shape(no_effort=True),
    Shape(folded=True, no_effort=True),
)


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order, and which marks belong to each of the dialogue's messages: from ``[0]`` up to ``[1]``."""

    draw: Draw
    ranges: tuple[tuple[int, int], ...]


def shapes_for(dialogue: Dialogue, source: str) -> tuple[Shape, ...]:
    """The shapes that differ for this dialogue and template."""
    calls = any(message.tool_calls for message in dialogue.messages)
    effort = "reasoning_effort" in source
    return tuple(shape for shape in SHAPES if calls >= shape.call_text and effort >= shape.no_effort)


def order_of(dialogue: Dialogue, shape: Shape, marks: Marks, source: str) -> Ordered:
    """The order to draw the prompt that answers ``dialogue``. ``source``, the template's, says what it takes."""
    places = tuple(range(len(dialogue.messages)))
    if shape.folded:
        dialogue, places = folded(dialogue)
    tools = [_tool(tool, marks) for tool in dialogue.tools]
    entries: list[dict[str, object]] = []
    ranges: list[tuple[int, int]] = []
    if dialogue.instructions:
        entries.append({"role": "system", "content": _content(dialogue.instructions, shape, marks)})
    calls = _CallIds()
    keys = tuple(key for key in _REASONING_KEYS if re.search(rf"\b{key}\b", source))
    for message in dialogue.messages:
        begin = marks.count
        entries.append(_entry(message, shape, marks, keys, calls))
        ranges.append((begin, marks.count))
    options: dict[str, object] = {"add_generation_prompt": True}
    if not shape.no_effort:
        options["reasoning_effort"] = dialogue.effort.value
    return Ordered(Draw(entries, tools or None, options, dialogue.date), tuple(ranges[place] for place in places))


def _entry(
    message: Message, shape: Shape, marks: Marks, reasoning_keys: Sequence[str], calls: "_CallIds"
) -> dict[str, object]:
    entry: dict[str, object] = {"role": message.role.value}
    if message.role is Role.ASSISTANT:
        if message.reasoning and reasoning_keys:
            entry |= dict.fromkeys(reasoning_keys, marks.mark(message.reasoning))
        if message.tool_calls:
            entry["tool_calls"] = [_call(call, calls.new(call.name), shape, marks) for call in message.tool_calls]
    elif message.role is Role.TOOL:
        entry |= {"name": marks.name(message.name), "tool_call_id": calls.of(message.name)}
    return entry | {"content": _content(_joined(message.commentary, message.content), shape, marks)}


def _content(text: str, shape: Shape, marks: Marks) -> object:
    marked = marks.mark(text, required=True)
    return [{"type": "text", "text": marked}] if shape.in_parts else marked


class _CallIds:
    """Numbers calls, so that a result can name the call it answers."""

    def __init__(self) -> None:
        self._newest: dict[str, str] = {}
        self._count = 0

    def new(self, tool: str) -> str:
        """The id of the next call: nine characters, as Mistral's templates ask."""
        self._count += 1
        self._newest[tool] = f"call{self._count % 100_000:05}"
        return self._newest[tool]

    def of(self, tool: str) -> str:
        """The id of the newest call of a tool."""
        return self._newest.get(tool, "call00000")


def _joined(*texts: str) -> str:
    return _BETWEEN.join(text for text in texts if text)


# ---- Tools ----


def _call(call: ToolCall, call_id: str, shape: Shape, marks: Marks) -> dict[str, object]:
    arguments = None if shape.call_text else _object(call.arguments)
    return {
        "id": call_id,
        "type": "function",
        "function": {
            "name": marks.name(call.name),
            "arguments": marks.mark(call.arguments) if arguments is None else _marked(arguments, marks),
        },
    }


def _tool(tool: Tool, marks: Marks) -> dict[str, object]:
    schema = _object(tool.parameters) or {"type": "object", "properties": {}}
    return {
        "type": "function",
        "function": {
            "name": marks.name(tool.name),
            "description": marks.mark(tool.description),
            "parameters": _schema(schema, marks),
        },
    }


def _object(text: str) -> dict[str, object] | None:
    """The JSON object that a text is; None when it is none, or one that nobody writes by hand."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast(dict[str, object], value) if isinstance(value, dict) and _is_shallow(cast(object, value)) else None


def _is_shallow(value: object, left: int = DEEPEST) -> bool:
    """Whether a value is nested at most ``left`` deep: what marks, draws and sends it calls itself at every level."""
    if isinstance(value, dict):
        value = list(cast(dict[str, object], value).values())
    return not isinstance(value, list) or (
        left > 0 and all(_is_shallow(item, left - 1) for item in cast(list[object], value))
    )


def _marked(value: object, marks: Marks) -> object:
    """A JSON value with a mark for every text in it, keys too."""
    if isinstance(value, str):
        return marks.name(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:  # no frame carries it
        return marks.name(str(value))
    if isinstance(value, list):
        return [_marked(item, marks) for item in cast(list[object], value)]
    if isinstance(value, dict):
        return {marks.name(key): _marked(item, marks) for key, item in cast(dict[str, object], value).items()}
    return value


def _schema(value: object, marks: Marks, *, names: bool = False) -> object:
    """A JSON Schema with a mark for every text that is not a word of JSON Schema itself.

    ``names``: the keys are properties' names, whatever they are.
    """
    if isinstance(value, list):
        return [_schema(item, marks) for item in cast(list[object], value)]
    if not isinstance(value, dict):
        return _marked(value, marks)
    result: dict[str, object] = {}
    for key, item in cast(dict[str, Any], value).items():
        shown = key if key in _SCHEMA_KEYS and not names else marks.name(key)
        if key == "type" and not names:
            result[shown] = _type(item, marks)
        else:
            result[shown] = _schema(item, marks, names=key in ("properties", "$defs") and not names)
    return result


def _type(value: object, marks: Marks) -> object:
    if isinstance(value, list):
        return [_type(item, marks) for item in cast(list[object], value)]
    return value if isinstance(value, str) and value in _SCHEMA_TYPES else _schema(value, marks)


# ---- Folding ----


def folded(dialogue: Dialogue) -> tuple[Dialogue, tuple[int, ...]]:
    """The same said by users and assistants in turn, and which turn each message is in.

    For templates that know no more. Instructions stand before the first question, a tool's result is told by the user,
    a call by the assistant.
    Which tools there are is left out: a model without a place for them was not taught to call any.
    """
    turns: list[Message] = []
    places: list[int] = []
    if dialogue.instructions:
        turns.append(Message(Role.USER, dialogue.instructions))
    for message in dialogue.messages:
        turn = _turn(message)
        if turns and turns[-1].role is turn.role:
            turns[-1] = replace(turns[-1], content=_joined(turns[-1].content, turn.content))
        else:
            turns.append(turn)
        places.append(len(turns) - 1)
    return replace(dialogue, messages=tuple(turns), instructions="", tools=()), tuple(places)


def _turn(message: Message) -> Message:
    if message.role is Role.TOOL:
        return Message(Role.USER, f"{message.name}: {message.content}")
    calls = (f"{call.name}: {call.arguments}" for call in message.tool_calls)
    return Message(message.role, _joined(message.commentary, *calls, message.content), reasoning=message.reasoning)
