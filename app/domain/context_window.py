"""Which messages leave the prompt when the model's memory does not hold them all.

Whole turns leave, the oldest first: a user's message with everything up to the next one. Three things stay: the first
message, which says what the chat is about; every pinned message; and the last turn, however far its tool calls have
got. What else belongs to the turn of a message that stays (the answer to it, the question before it) stays along where
it is small, because a model answers again what it sees unanswered.

The rule remembers nothing. What has to leave is rounded up to large steps, so that one cut serves many turns and the
prompt's beginning, which the engine has in memory, stays the same; while a chat grows, the cut only moves forward.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.domain.conversation import Message, Role
from app.domain.errors import ErrorCode, UserError

_STEPS = 4
_ALONG = 8
_REPLY = 4
_LONGEST_REPLY = 4096
_LEAST_REPLY = 16


@dataclass(frozen=True, slots=True)
class _Turn:
    """``places`` of a turn's messages that may leave, and what they have and what the staying ones have, in tokens."""

    places: tuple[int, ...]
    leaving: int
    staying: int


def reply_reserve(room: int, max_tokens: int) -> int:
    """How many tokens of a memory of ``room`` are kept free for the answer; ``max_tokens`` 0 sets it no limit.

    A limit is kept free as far as half of the memory: more would drive the conversation out for words that hardly
    ever come. Without one it is a quarter, up to 4,096: an answer of gpt-oss with its reasoning has some 700 tokens
    at medium effort and seldom over 4,000 at high effort, and three quarters stay for what it is about.
    """
    return min(max_tokens, room // 2) if max_tokens else min(room // _REPLY, _LONGEST_REPLY)


def leaving(
    fixed: int, sizes: Sequence[int], messages: Sequence[Message], room: int, max_tokens: int = 0
) -> tuple[int, ...]:
    """The places of the messages that leave the prompt, ascending; none while there is room for all.

    ``sizes`` are the tokens of each message, ``fixed`` those that are in every prompt (instructions, tools), ``room``
    is what the memory holds. The last turn and what stays may take all but a sixteenth of it, and then the answer has
    only that; beyond it ``UserError`` is raised: ``INSTRUCTIONS_TOO_LONG``, ``MESSAGE_TOO_LONG`` when the last turn
    does not fit by itself, ``PINNED_TOO_LONG`` when it does not fit beside the first and the pinned messages.
    """
    if not messages:
        return ()
    reserve = reply_reserve(room, max_tokens)
    *turns, last = _turns(sizes, messages, room)
    newest = last.leaving + last.staying
    kept = sum(turn.staying for turn in turns)
    _check(fixed, newest, kept, room, min(reserve, max(1, room // _LEAST_REPLY)))
    missing = fixed + sum(sizes) - (room - reserve)
    if missing <= 0:
        return ()
    step = max(1, room // _STEPS)
    goal = -(-missing // step) * step
    gone: list[int] = []
    for turn in turns:
        if goal <= 0:
            break
        gone += turn.places
        goal -= turn.leaving
    return tuple(gone)


def staying(left_out: Sequence[int]) -> tuple[int, ...]:
    """The places before the last of those that left which have stayed."""
    return tuple(sorted(set(range(max(left_out, default=0))) - set(left_out)))


def _check(fixed: int, newest: int, kept: int, room: int, reply: int) -> None:
    """Whether what cannot leave fits, with ``reply`` tokens for an answer."""
    free = room - reply - fixed
    if free <= 0:
        raise UserError(ErrorCode.INSTRUCTIONS_TOO_LONG, tokens=fixed, room=room)
    if newest > free:
        raise UserError(ErrorCode.MESSAGE_TOO_LONG, tokens=newest, room=free)
    if newest + kept > free:
        raise UserError(ErrorCode.PINNED_TOO_LONG, tokens=newest, kept=kept, room=max(0, free - kept))


def _turns(sizes: Sequence[int], messages: Sequence[Message], room: int) -> list[_Turn]:
    """The turns in their order. The first begins with the dialogue, whoever speaks in it."""
    questions = [place for place, message in enumerate(messages) if message.role is Role.USER]
    first = questions[0] if questions else 0
    ends = (0, *(place for place in questions if place), len(messages))
    turns: list[_Turn] = []
    for begin, end in pairwise(ends):
        stay = {place for place in range(begin, end) if messages[place].pinned or place == first}
        others = tuple(place for place in range(begin, end) if place not in stay)
        weight, along = sum(sizes[place] for place in others), sum(sizes[place] for place in stay)
        if stay and weight <= room // _ALONG:
            others, weight, along = (), 0, along + weight
        turns.append(_Turn(others, weight, along))
    return turns
