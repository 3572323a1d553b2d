"""The words around messages: durations, receipts, what ended an answer, the running summary of its reasoning."""

import re

from app.domain.generation import FinishReason, Receipt
from app.domain.tree import MessageNode

SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")
MARKUP = re.compile(r"[*_`#>]+|^\s*(?:[-+]|\d+[.)])\s+")


def duration(seconds: float) -> str:
    """A time span as people say it."""
    if seconds < 1:
        return "a moment"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def thought_for(seconds: float | None) -> str:
    """The title of finished reasoning."""
    return "Thoughts" if seconds is None else f"Thought for {duration(seconds)}"


def summary(reasoning: str) -> str:
    """One line of what the model is thinking about now: its last whole sentence, or its first words."""
    sentences = [part for part in SENTENCE.split(reasoning.strip()[-600:]) if part.strip()]
    if not sentences:
        return ""
    whole = sentences if reasoning.rstrip(" ")[-1:] in ".!?。！？\n" else sentences[:-1]
    return MARKUP.sub("", (whole or sentences)[-1]).strip()


def receipt_line(receipt: Receipt) -> str:
    """Speed, length and time of an answer, in one line."""
    timings, usage = receipt.timings, receipt.usage
    parts: list[str] = []
    if timings.decode_tokens_per_s > 0:
        speed = timings.decode_tokens_per_s
        parts.append(f"{speed:.0f} tokens/s" if speed >= 10 else f"{speed:.1f} tokens/s")
    if usage.completion_tokens:
        parts.append("1 token" if usage.completion_tokens == 1 else f"{usage.completion_tokens:,} tokens")
    seconds = timings.prefill_s + timings.decode_s
    if seconds > 0:
        parts.append(f"{seconds:.1f} s" if seconds < 10 else duration(seconds))
    return "  ·  ".join(parts)


def interruption(node: MessageNode) -> str:
    """Why an answer is not whole; "" when it is."""
    reason = node.receipt.finish_reason if node.receipt else None
    match reason:
        case FinishReason.CANCELLED:
            return "Stopped"
        case FinishReason.LENGTH:
            return "Cut short: there was no room for more"
        case FinishReason.ERROR:
            return "Cut short: the model stopped with an error"
        case _:
            return "" if node.complete else "Cut short"


def tokens_left(done: int, total: int) -> str:
    """How far the reading of the prompt is."""
    left = max(0, total - done)
    return f"Reading the prompt: {left:,} {'token' if left == 1 else 'tokens'} left"
