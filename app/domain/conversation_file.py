"""Conversation files: a dialogue as JSON, for headless use and as the program's own export.

``docs/conversation-file.md`` describes the format and ``resources/conversation.schema.json`` is its JSON Schema. Files
come from anywhere, so size, depth and every type are checked, and what is wrong is named by its place.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import NoReturn, cast

from app.domain.conversation import Dialogue, Effort, Message, Role, Tool, ToolCall
from app.domain.errors import ErrorCode, UserError
from app.domain.tree import Conversation, MessageNode

FORMAT = "alcove-conversation"
VERSION = 1
MAX_CHARS = 64_000_000
MAX_DEPTH = 64

_Object = Mapping[str, object]
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


class _InvalidError(Exception):
    """What is wrong with the conversation, as the end of a sentence."""


def parse_conversation(text: str, *, source: str, today: str) -> Dialogue:
    """The dialogue that a conversation file holds.

    ``source`` names the file in errors; ``today`` is the ISO date that a file without one gets. A dialogue may end
    with any message, or hold none. Raises ``UserError`` (``INVALID_JSON``, ``INVALID_CONVERSATION``).
    """
    try:
        value = _parse_json(text)
    except _InvalidError as error:
        raise UserError(ErrorCode.INVALID_JSON, source=source, reason=str(error)) from None
    try:
        return _dialogue(value, today)
    except _InvalidError as error:
        raise UserError(ErrorCode.INVALID_CONVERSATION, source=source, reason=str(error)) from None


def dump_dialogue(dialogue: Dialogue) -> str:
    """The text of a conversation file that holds this dialogue."""
    head = _head(dialogue.date, dialogue.effort, dialogue.instructions, dialogue.tools)
    return _dump({**head, "messages": [_message_object(message) for message in dialogue.messages]})


def dump_conversation(conversation: Conversation) -> str:
    """The program's export: a conversation file with the shown path, and beside it the title and all branches.

    Every message has its ``id`` and its ``parent``; those that are not on the shown path stand in ``branches``.
    """
    info = conversation.info
    path = conversation.path()
    shown = {node.id for node in path}
    content: dict[str, object] = {
        **_head(info.date, info.effort, info.instructions, info.tools),
        "title": info.title,
        "model": info.model,
        "messages": [_node_object(node) for node in path],
    }
    if branches := [_node_object(node) for node in conversation.nodes if node.id not in shown]:
        content["branches"] = branches
    return _dump(content)


# ---- Writing ----


def _dump(content: _Object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _head(day: str, effort: Effort, instructions: str, tools: Sequence[Tool]) -> dict[str, object]:
    head: dict[str, object] = {"format": FORMAT, "version": VERSION, "date": day, "effort": effort.value}
    if instructions:
        head["instructions"] = instructions
    if tools:
        head["tools"] = [_tool_object(tool) for tool in tools]
    return head


def _tool_object(tool: Tool) -> dict[str, object]:
    content: dict[str, object] = {"name": tool.name}
    if tool.description:
        content["description"] = tool.description
    if tool.parameters:
        content["parameters"] = json.loads(tool.parameters)
    return content


def _message_object(message: Message) -> dict[str, object]:
    content: dict[str, object] = {"role": message.role.value}
    if message.name:
        content["name"] = message.name
    if message.reasoning:
        content["reasoning"] = message.reasoning
    if message.commentary:
        content["commentary"] = message.commentary
    if message.tool_calls:
        content["tool_calls"] = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    content["content"] = message.content
    if message.pinned:
        content["pinned"] = True
    return content


def _node_object(node: MessageNode) -> dict[str, object]:
    place = {"id": node.id, "parent": node.parent, "created": node.created}
    return {**place, **_message_object(node.message), **({} if node.complete else {"complete": False})}


# ---- Reading JSON ----


def _parse_json(text: str) -> object:
    if len(text) > MAX_CHARS:
        raise _InvalidError(f"it is longer than {MAX_CHARS:,} characters")
    try:
        value: object = json.loads(
            text.removeprefix("\ufeff"), parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded
        )
    except json.JSONDecodeError as error:
        raise _InvalidError(f"{error.msg} in line {error.lineno}, column {error.colno}") from None
    except ValueError:
        raise _InvalidError("a number in it is too large") from None
    except RecursionError:
        raise _InvalidError(_too_deep()) from None
    if _deeper_than(value, MAX_DEPTH):
        raise _InvalidError(_too_deep())
    return value


def _no_constant(name: str) -> NoReturn:
    raise _InvalidError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


def _bounded(text: str) -> int:
    """An integer that a prompt can hold: what does not fit into 64 bits is written as a float there."""
    _finite(text)
    return int(text)


def _too_deep() -> str:
    return f"it is nested more than {MAX_DEPTH} levels deep"


def _deeper_than(value: object, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [item for outer in layer for item in _items(outer)]
    return any(isinstance(item, dict | list) for item in layer)


def _items(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast(_Object, value).values()
    return cast(list[object], value) if isinstance(value, list) else ()


# ---- Reading a conversation ----


def _dialogue(value: object, today: str) -> Dialogue:
    content = _object(value, "it")
    if content.get("format") != FORMAT:
        raise _InvalidError(f"format must be “{FORMAT}”")
    version = content.get("version")
    if type(version) is not int or version < 1:
        raise _InvalidError(f"version must be {VERSION}")
    if version > VERSION:
        raise _InvalidError(f"its version {version} is newer than this Alcove knows")
    if content.get("messages") is None:
        raise _InvalidError("it has no messages")
    return Dialogue(
        messages=_messages(content["messages"]),
        date=_date(content.get("date"), today),
        effort=_effort(content.get("effort")),
        instructions=_text(content, "instructions", "instructions"),
        tools=tuple(
            _tool(tool, f"tools[{index}]") for index, tool in enumerate(_optional_list(content.get("tools"), "tools"))
        ),
    )


def _date(value: object, today: str) -> str:
    if value is None:
        return today
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
    raise _InvalidError("date must be a day written as YYYY-MM-DD")


def _effort(value: object) -> Effort:
    if value is None:
        return Effort.MEDIUM
    if isinstance(value, str) and value in tuple(Effort):
        return Effort(value)
    raise _InvalidError("effort must be low, medium or high")


def _tool(value: object, place: str) -> Tool:
    tool = _object(value, place)
    if "function" in tool and "name" not in tool:
        # As OpenAI's API wraps it: {"type": "function", "function": {...}}.
        place = f"{place}.function"
        tool = _object(tool["function"], place)
    return Tool(
        name=_name(tool, place),
        description=_text(tool, "description", f"{place}.description"),
        parameters=_parameters(tool.get("parameters"), f"{place}.parameters"),
    )


def _parameters(value: object, place: str) -> str:
    return "" if value is None else _json_text(_object(value, place), place)


def _messages(value: object) -> tuple[Message, ...]:
    messages: list[Message] = []
    # The tools whose results may follow, in order.
    called: list[str] = []
    items = [_object(item, f"messages[{index}]") for index, item in enumerate(_list(value, "messages"))]
    for index, fields in enumerate(items):
        place = f"messages[{index}]"
        pinned = _flag(fields, "pinned", place)
        match fields.get("role"):
            case "user":
                messages.append(Message(Role.USER, _content(fields, place), pinned=pinned))
            case "assistant":
                message = _assistant(fields, place)
                if message.tool_calls:
                    called = _expected([call.name for call in message.tool_calls], items[index + 1 :])
                messages.append(replace(message, pinned=pinned))
            case "tool":
                name = _text(fields, "name", f"{place}.name") or (called[0] if called else "")
                if not name:
                    raise _InvalidError(f"{place}.name is missing, and no tool call comes before it")
                called = called[1:] or called
                messages.append(Message(Role.TOOL, _content(fields, place), name=name, pinned=pinned))
            case _:
                raise _InvalidError(f"{place}.role must be user, assistant or tool")
    return tuple(messages)


def _expected(calls: list[str], following: Sequence[_Object]) -> list[str]:
    """The tools that the next results answer, when these do not say: the last calls, in their order."""
    roles = [fields.get("role") for fields in following]
    results = next((index for index, role in enumerate(roles) if role != "tool"), len(roles))
    return calls[-max(1, results) :]


def _content(fields: _Object, place: str) -> str:
    if fields.get("content") is None:
        raise _InvalidError(f"{place}.content is missing")
    return _text(fields, "content", f"{place}.content")


def _assistant(fields: _Object, place: str) -> Message:
    calls = tuple(
        _call(call, f"{place}.tool_calls[{index}]")
        for index, call in enumerate(_optional_list(fields.get("tool_calls"), f"{place}.tool_calls"))
    )
    content, reasoning, commentary = (
        _text(fields, name, f"{place}.{name}") for name in ("content", "reasoning", "commentary")
    )
    return Message(Role.ASSISTANT, content, reasoning, commentary, calls)


def _call(value: object, place: str) -> ToolCall:
    call = _object(value, place)
    arguments = call.get("arguments")
    if isinstance(arguments, dict):
        return ToolCall(_name(call, place), _json_text(cast(_Object, arguments), f"{place}.arguments"))
    if arguments is None:
        raise _InvalidError(f"{place}.arguments is missing")
    return ToolCall(_name(call, place), _text(call, "arguments", f"{place}.arguments", "a text or an object"))


# ---- Reading values ----


def _object(value: object, place: str) -> _Object:
    if isinstance(value, dict):
        return cast(_Object, value)
    raise _InvalidError(f"{place} must be an object, not {_kind(value)}")


def _list(value: object, place: str) -> list[object]:
    if isinstance(value, list):
        return cast(list[object], value)
    raise _InvalidError(f"{place} must be a list, not {_kind(value)}")


def _optional_list(value: object, place: str) -> list[object]:
    return [] if value is None else _list(value, place)


def _text(fields: _Object, name: str, place: str, wanted: str = "a text") -> str:
    """A text, "" when it is missing or null."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _InvalidError(f"{place} must be {wanted}, not {_kind(value)}")
    return _whole(value, place)


def _flag(fields: _Object, name: str, place: str) -> bool:
    """True or false, false when it is missing or null."""
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise _InvalidError(f"{place}.{name} must be true or false, not {_kind(value)}")
    return bool(value)


def _name(fields: _Object, place: str) -> str:
    name = _text(fields, "name", f"{place}.name")
    if not name:
        raise _InvalidError(f"{place}.name is missing")
    return name


def _json_text(value: _Object, place: str) -> str:
    return _whole(json.dumps(value, ensure_ascii=False), place)


def _whole(text: str, place: str) -> str:
    if _SURROGATE.search(text):
        raise _InvalidError(f"{place} holds half of a character (a lone surrogate)")
    return text


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")
