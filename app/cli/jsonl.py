"""``alcove chat --jsonl``: one JSON request a line in, one JSON event a line out, the session kept between lines.

A request that cannot start (a malformed line, an empty or too long prompt) is answered by one ``error`` event. One
that breaks off after its answer has begun gets the ``error`` event and then ``finished`` with reason ``error``.
"""

import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any, TextIO

import msgspec

from app.cli.arguments import BOUNDS
from app.cli.ask import timings_object
from app.cli.headless import HeadlessEngine
from app.cli.request import HeadlessRequest, today
from app.cli.session import TerminalSession
from app.cli.status import Status
from app.cli.streams import Output
from app.domain.conversation import Dialogue, Effort, Message, Role
from app.domain.conversation_file import parse_conversation
from app.domain.errors import ErrorCode, UserError
from app.domain.generation import FinishReason, Sampling, Timings, Usage
from app.engine.protocol import AnswerText, CommentaryText, Finished, ReasoningText, ToolCalled

MAX_LINE_CHARS = 32 * 1024 * 1024

_FIELDS: dict[str, tuple[type, ...]] = {
    "prompt": (str,),
    "conversation": (dict,),
    "effort": (str,),
    "instructions": (str,),
    "temperature": (int, float),
    "seed": (int,),
    "max_tokens": (int,),
}
_TEXT_EVENTS: dict[type, str] = {ReasoningText: "reasoning", CommentaryText: "commentary", AnswerText: "answer"}


def chat_jsonl(request: HeadlessRequest, output: Output) -> int:
    """Serve requests until stdin ends; the exit status."""
    with HeadlessEngine(request.log_file, request.cache_folder, request.plans_file) as engine:
        load_s = engine.load(request.target, sys.stderr).load_s
        session = TerminalSession(engine, request.empty_dialogue())
        for line in _lines(sys.stdin):
            if not line.strip():
                continue
            for event in _answer_line(line, session, request.sampling, load_s):
                output.write_as_is(msgspec.json.encode(event).decode() + "\n")
            load_s = 0.0
            if engine.interrupted:
                return Status.INTERRUPTED
    return Status.DONE


def _lines(stream: TextIO) -> Iterator[str]:
    """The lines of a stream. One that is too long is given cut, and so long that it is refused."""
    while line := stream.readline(MAX_LINE_CHARS + 1):
        yield line
        while not line.endswith("\n") and (line := stream.readline(MAX_LINE_CHARS + 1)):
            pass


def _answer_line(line: str, session: TerminalSession, sampling: Sampling, load_s: float) -> Iterator[dict[str, Any]]:
    begun = False
    calls = 0
    try:
        dialogue, sampling = parse_request(line, session.dialogue, sampling)
        for event in session.answer(dialogue, sampling):
            if isinstance(event, ReasoningText | CommentaryText | AnswerText):
                begun = True
                yield {"type": _TEXT_EVENTS[type(event)], "text": event.text}
            elif isinstance(event, ToolCalled):
                begun = True
                calls += 1
                yield {"type": "tool_call", "id": f"call_{calls}", "name": event.name, "arguments": event.arguments}
            elif isinstance(event, Finished):
                yield _finished(event, load_s)
    except UserError as error:
        yield {"type": "error", "code": error.code, "message": str(error)}
        if begun:
            yield _finished(Finished(0, FinishReason.ERROR, Usage(), Timings()), load_s)


def _finished(event: Finished, load_s: float) -> dict[str, Any]:
    return {
        "type": "finished",
        "finish_reason": event.reason,
        "usage": asdict(event.usage),
        "timings": timings_object(event.timings, load_s),
    }


def parse_request(line: str, dialogue: Dialogue, sampling: Sampling) -> tuple[Dialogue, Sampling]:
    """The dialogue and the sampling that one line asks for. Raises ``UserError`` naming what is wrong."""
    given = _fields(line)
    if "conversation" in given:
        text = msgspec.json.encode(given["conversation"]).decode()
        dialogue = parse_conversation(text, source="conversation", today=today())
    if "effort" in given:
        if given["effort"] not in tuple(Effort):
            raise _invalid("effort must be low, medium or high")
        dialogue = replace(dialogue, effort=Effort(given["effort"]))
    if "instructions" in given:
        dialogue = replace(dialogue, instructions=given["instructions"])
    if "prompt" in given:
        if not given["prompt"].strip():
            raise UserError(ErrorCode.EMPTY_PROMPT)
        dialogue = replace(dialogue, messages=(*dialogue.messages, Message(Role.USER, given["prompt"])))
    elif "conversation" not in given:
        raise _invalid("it has no prompt")
    for name, (lowest, highest) in BOUNDS.items():
        if name in given and not lowest <= given[name] <= highest:
            raise _invalid(f"{name} must be from {lowest} to {highest}")
    return dialogue, replace(sampling, **{name: given[name] for name in BOUNDS if name in given})


def _fields(line: str) -> dict[str, Any]:
    if len(line) > MAX_LINE_CHARS:
        raise _invalid("the line is too long")
    try:
        given: object = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise UserError(ErrorCode.INVALID_JSON, source="The line", reason=str(error)) from None
    if not isinstance(given, dict):
        raise _invalid("it is not a JSON object")
    for name, value in given.items():
        if name not in _FIELDS:
            raise _invalid(f"“{name}” is not known")
        if not isinstance(value, _FIELDS[name]) or isinstance(value, bool):
            raise _invalid(f"{name} has the wrong type")
    return given


def _invalid(reason: str) -> UserError:
    return UserError(ErrorCode.INVALID_REQUEST, reason=reason)
