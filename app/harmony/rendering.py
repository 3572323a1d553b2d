"""A dialogue as the segments of its prompt.

The spelling of every message is that of OpenAI's harmony library. One rule is our own: reasoning from before the
last user message is always left out, and reasoning after it always kept, so that an unfinished run of tool calls
keeps its thread and a finished one costs nothing. (The library drops reasoning before the first final answer only.)
"""

from collections.abc import Iterator
from itertools import chain

from app.domain.conversation import Dialogue, Message, Role
from app.harmony.header import open_channel
from app.harmony.segments import Control, Segment, Text
from app.harmony.typescript import tools_section
from app.harmony.vocabulary import ControlToken

IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
KNOWLEDGE_CUTOFF = "2024-06"
TOOL_NAMESPACE = "functions"

_START, _END, _CALL = Control(ControlToken.START), Control(ControlToken.END), Control(ControlToken.CALL)
_CHANNEL, _MESSAGE = Control(ControlToken.CHANNEL), Control(ControlToken.MESSAGE)
_CONSTRAIN = Control(ControlToken.CONSTRAIN)
_ASSISTANT = Text("assistant")

OPENING: tuple[Segment, ...] = (_START, _ASSISTANT)
"""What the model's answer goes on from."""


def render(dialogue: Dialogue, *, continuing: bool = False) -> tuple[Segment, ...]:
    """The whole prompt, ready for generation after ``<|start|>assistant``.

    ``continuing``: the last message is an answer that was cut short, and the prompt ends in its last word.
    ValueError when a tool's parameters are not JSON.
    """
    if continuing:
        return (*head(dialogue), *chain.from_iterable(unfinished_turns(dialogue)))
    return (*head(dialogue), *chain.from_iterable(turns(dialogue)), *OPENING)


def head(dialogue: Dialogue) -> tuple[Segment, ...]:
    """What stands before the first message: the system message, instructions and tools. ValueError as `render`."""
    segments: tuple[Segment, ...] = (_START, Text("system"), _MESSAGE, Text(system_text(dialogue)), _END)
    if dialogue.instructions or dialogue.tools:
        segments += (_START, Text("developer"), _MESSAGE, Text(developer_text(dialogue)), _END)
    return segments


def turns(dialogue: Dialogue) -> tuple[tuple[Segment, ...], ...]:
    """The segments of each message, in their order; an assistant's may be several of harmony's messages, or none."""
    last_question = max((i for i, m in enumerate(dialogue.messages) if m.role is Role.USER), default=-1)
    return tuple(
        tuple(_message(message, with_reasoning=index > last_question))
        for index, message in enumerate(dialogue.messages)
    )


def unfinished_turns(dialogue: Dialogue) -> tuple[tuple[Segment, ...], ...]:
    """As `turns`, with the last message, an answer, left open: nothing stands between its last word and the next.

    Where it has no word to go on from (it ended with a call, or has not begun), the opening of a new one follows.
    """
    *before, last = turns(dialogue)
    is_open = open_channel(dialogue.messages[-1]) is not None
    return (*before, last[:-1] if is_open else (*last, *OPENING))


def _message(message: Message, *, with_reasoning: bool) -> Iterator[Segment]:
    if message.role is Role.USER:
        yield from (_START, Text("user"), _MESSAGE, Text(message.content), _END)
    elif message.role is Role.ASSISTANT:
        yield from _assistant(message, with_reasoning=with_reasoning)
    else:
        yield from (_START, Text(f"{TOOL_NAMESPACE}.{message.name}"), Text(" to=assistant"))
        yield from (_CHANNEL, Text("commentary"), _MESSAGE, Text(message.content), _END)


def _assistant(message: Message, *, with_reasoning: bool) -> Iterator[Segment]:
    if message.reasoning and with_reasoning:
        yield from (_START, _ASSISTANT, _CHANNEL, Text("analysis"), _MESSAGE, Text(message.reasoning), _END)
    if message.commentary:
        yield from (_START, _ASSISTANT, _CHANNEL, Text("commentary"), _MESSAGE, Text(message.commentary), _END)
    for call in message.tool_calls:
        # Texts side by side are tokenized apart, as the library does.
        yield from (_START, _ASSISTANT, Text(f" to={TOOL_NAMESPACE}.{call.name}"), _CHANNEL, Text("commentary"))
        yield from (Text(" "), _CONSTRAIN, Text("json"), _MESSAGE, Text(call.arguments), _CALL)
    if message.content:
        yield from (_START, _ASSISTANT, _CHANNEL, Text("final"), _MESSAGE, Text(message.content), _END)


def system_text(dialogue: Dialogue) -> str:
    """The system message: who the model is, the date, how long to think, which channels there are."""
    channels = "# Valid channels: analysis, commentary, final. Channel must be included for every message."
    if dialogue.tools:
        channels += f"\nCalls to these tools must go to the commentary channel: '{TOOL_NAMESPACE}'."
    about = f"{IDENTITY}\nKnowledge cutoff: {KNOWLEDGE_CUTOFF}\nCurrent date: {dialogue.date}"
    return f"{about}\n\nReasoning: {dialogue.effort.value}\n\n{channels}"


def developer_text(dialogue: Dialogue) -> str:
    """The developer message: the user's standing instructions and the tools."""
    sections: list[str] = []
    if dialogue.instructions:
        sections += ["# Instructions", dialogue.instructions]
    if dialogue.tools:
        sections.append(tools_section(dialogue.tools, TOOL_NAMESPACE))
    return "\n\n".join(sections)
