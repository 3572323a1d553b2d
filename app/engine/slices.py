"""Where the reading of a prompt is cut into batches, and so where it can be gone back to."""

from app.engine.chat_format import Prompt

WORTHWHILE = 128
"""Tokens. A batch more takes as long as reading some fifty of them, because nearly all experts are fetched for a few
tokens, too; so many may have to be read again without it.
"""


def ends(prompt: Prompt, begin: int, batch: int) -> tuple[int, ...]:
    """Where each batch ends that is read from token ``begin`` on; a batch has at most ``batch`` tokens.

    Prompts part where a message begins. Two cuts are made for that: before the last message, which is changed most
    often, and before the answer, which is asked for again. The first messages' beginning, where another chat's prompt
    parts, gets one too. None is made that spares little. Other batches end at a message's beginning when one is near.

    A turn that goes on from memory and is read at once is not cut before its message: that would take an eighth of its
    time every time, and changing the message spares no more than that one batch.
    """
    cuts = _cuts(prompt, begin, batch)
    found: list[int] = []
    done = begin
    while done < len(prompt.tokens):
        done = _next_end(prompt, cuts, done, batch)
        found.append(done)
    return tuple(found)


def _next_end(prompt: Prompt, cuts: list[tuple[int, int]], done: int, batch: int) -> int:
    full = min(done + batch, len(prompt.tokens))
    for since, cut in cuts:
        if cut - max(since, done) >= WORTHWHILE and cut <= full:
            return cut
    if full == len(prompt.tokens):
        return full
    return max((start for start in prompt.starts if full - batch // 4 <= start < full), default=full)


def _cuts(prompt: Prompt, begin: int, batch: int) -> list[tuple[int, int]]:
    """Places, each with one before it from which reading begins in any case."""
    starts = prompt.starts
    if len(starts) < 2:
        return [(0, start) for start in starts]
    last, opening = starts[-2:]
    if begin > 0 and len(prompt.tokens) <= begin + batch:
        return [(begin, opening)]
    return [(0, starts[0]), (0, last), (last, opening)]


GIVE_WAY_S = 0.015
"""Reading ahead takes no step that is longer: a request may wait for its end."""

LEAST, FIRST = 16, 32
"""Tokens. Fewer take almost as long: most of the time goes into fetching the weights."""


class SliceSize:
    """How many tokens are read ahead at once, so that a request can be given way to in time."""

    def __init__(self, steps: int, batch: int) -> None:
        """``steps`` of about the same length that a slice can be stopped between."""
        self._goal_s = GIVE_WAY_S * steps
        self._batch = batch
        self.tokens = min(FIRST, batch)

    def took(self, tokens: int, seconds: float) -> None:
        """A slice of so many tokens took so long."""
        fitting = int(tokens * self._goal_s / max(seconds, 1e-6))
        # Short slices say little of long ones.
        self.tokens = min(self._batch, max(LEAST, min(fitting, 2 * self.tokens)))
