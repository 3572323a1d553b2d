"""Where the reading of a prompt is cut into batches, and so where it can be gone back to."""

from app.engine.chat_format import Prompt

WORTHWHILE = 128
"""Tokens. A batch more costs about as much as one decoded token; so many are worth it when they need not be read."""


def next_end(prompt: Prompt, done: int, batch: int) -> int:
    """Where the batch that begins at ``done`` ends, at most ``batch`` tokens on.

    Prompts part where a message begins. Two cuts are made for that: before the last message, which is changed most
    often, and before the answer, which is asked for again. The first messages' beginning, where another chat's prompt
    parts, gets one when that spares enough. Other batches end at a message's beginning when one is near.
    """
    full = min(done + batch, len(prompt.tokens))
    for cut in _cuts(prompt, done):
        if done < cut <= full:
            return cut
    if full == len(prompt.tokens):
        return full
    return max((start for start in prompt.starts if full - batch // 4 <= start < full), default=full)


def _cuts(prompt: Prompt, done: int) -> list[int]:
    starts = prompt.starts
    cuts: list[int] = []
    if starts and starts[0] >= WORTHWHILE:
        cuts.append(starts[0])
    if len(starts) > 1:
        last, opening = starts[-2:]
        cuts.append(last)
        if opening - max(done, last) >= WORTHWHILE:
            cuts.append(opening)
    return cuts
