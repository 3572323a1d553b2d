"""A dialogue's prompt in the room there is: what has to leave it leaves before anything is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.domain.context_window import leaving
from app.domain.conversation import Dialogue, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.engine.chat_format import ChatFormat, Prompt

LONGEST_TOKEN = 256
"""Characters; the longest in gpt-oss's vocabulary has 128."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is left of a dialogue, and its prompt. ``left_out`` are the places of the messages that had to leave."""

    dialogue: Dialogue
    left_out: tuple[int, ...]
    prompt: Prompt


def fit(
    chat_format: ChatFormat,
    dialogue: Dialogue,
    room: int,
    max_tokens: int,
    given_up: Callable[[], bool],
    *,
    continuing: bool = False,
) -> Fitted | None:
    """The prompt of a dialogue that is not empty, in a memory of ``room`` tokens; see `ChatFormat.prompt`.

    ``max_tokens`` is the answer's limit, 0 for none. None when ``given_up`` said so. Raises ``UserError`` when what
    cannot leave does not fit, as `app.domain.context_window.leaving` does, or when the prompt cannot be written.
    """
    messages = dialogue.messages
    # Reading a text of 64 MB into tokens takes a minute. One that cannot fit is not read to find out how long it is.
    endless = tuple(least if (least := len(message.content) // LONGEST_TOKEN) >= room else 0 for message in messages)
    if longest := max(endless[_last_question(messages) :]):
        raise UserError(ErrorCode.MESSAGE_TOO_LONG, tokens=f"more than {longest}", room=room)
    read = (replace(m, content="") if least else m for m, least in zip(messages, endless, strict=True))
    whole = prompt = chat_format.prompt(replace(dialogue, messages=tuple(read)), given_up, continuing=continuing)
    if whole is None or prompt is None:
        return None
    sizes = tuple(size + least for size, least in zip(_sizes(whole, len(messages)), endless, strict=True))
    fixed = len(whole.tokens) + sum(endless) - sum(sizes)
    left_out: tuple[int, ...] = ()
    while (wanted := leaving(fixed, sizes, messages, room, max_tokens)) != left_out:
        left_out = wanted
        shorter = _without(dialogue, left_out)
        prompt = chat_format.prompt(shorter, given_up, continuing=continuing)
        if prompt is None:
            return None
        expected = fixed + sum(sizes) - sum(sizes[place] for place in left_out)
        # A template may write a message in other ways beside others: then a little more has to leave.
        fixed += max(0, len(prompt.tokens) - expected)
    return Fitted(_without(dialogue, left_out), left_out, prompt)


def next_dialogue(
    chat_format: ChatFormat, dialogue: Dialogue, room: int, max_tokens: int, given_up: Callable[[], bool]
) -> Dialogue | None:
    """What will be left of a dialogue that ends in an answer once the user says a few words more; None when
    ``given_up`` said so in between.

    The dialogue itself when there is no telling, because only the user's words would make a prompt of it that fits.
    """
    following = replace(dialogue, messages=(*dialogue.messages, Message(Role.USER, "?")))
    try:
        fitted = fit(chat_format, following, room, max_tokens, given_up)
    except UserError:
        return dialogue
    return None if fitted is None else replace(dialogue, messages=fitted.dialogue.messages[:-1])


def _last_question(messages: Sequence[Message]) -> int:
    return max((place for place, message in enumerate(messages) if message.role is Role.USER), default=0)


def _sizes(prompt: Prompt, count: int) -> tuple[int, ...]:
    """The tokens of the first ``count`` messages of a prompt; what follows them opens the answer."""
    ends = (*prompt.starts, len(prompt.tokens))
    return tuple(ends[place + 1] - ends[place] for place in range(count))


def _without(dialogue: Dialogue, left_out: Sequence[int]) -> Dialogue:
    gone = set(left_out)
    return replace(dialogue, messages=tuple(m for place, m in enumerate(dialogue.messages) if place not in gone))
