"""Where the reading of a prompt is cut into batches, and so where it can be gone back to."""

from app.engine.chat_format import Prompt

WORTHWHILE = 128
"""Tokens. A batch more takes as long as reading some fifty of them, because nearly all experts are fetched for a few
tokens, too; so many may have to be read again without it.
"""


def next_end(prompt: Prompt, done: int, batch: int) -> int:
    """Where the batch that begins at ``done`` ends, at most ``batch`` tokens on.

    Prompts part where a message begins. Two cuts are made for that: before the last message, which is changed most
    often, and before the answer, which is asked for again. The first messages' beginning, where another chat's prompt
    parts, gets one too. None is made that spares little. Other batches end at a message's beginning when one is near.
    """
    full = min(done + batch, len(prompt.tokens))
    for since, cut in _cuts(prompt.starts):
        if cut - max(since, done) >= WORTHWHILE and cut <= full:
            return cut
    if full == len(prompt.tokens):
        return full
    return max((start for start in prompt.starts if full - batch // 4 <= start < full), default=full)


def ends(prompt: Prompt, done: int, batch: int) -> tuple[int, ...]:
    """Where each batch ends that is read from token ``done`` on."""
    found: list[int] = []
    while done < len(prompt.tokens):
        done = next_end(prompt, done, batch)
        found.append(done)
    return tuple(found)


def _cuts(starts: tuple[int, ...]) -> list[tuple[int, int]]:
    """Places, each with one before it from which reading begins in any case."""
    if len(starts) < 2:
        return [(0, start) for start in starts]
    last, opening = starts[-2:]
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
