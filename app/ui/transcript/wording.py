"""The words around messages: names of buttons, durations, receipts, what ended an answer, what it is thinking."""

import re

from PySide6.QtCore import QCoreApplication

from app.domain.conversation import Role
from app.domain.generation import FinishReason, Receipt
from app.domain.tree import MessageNode

SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")
MARKUP = re.compile(r"[*_`#>]+|^\s*(?:[-+]|\d+[.)])\s+")

translate = QCoreApplication.translate


# ---- buttons


def copy() -> str:
    """The button and the menu's entry that copy."""
    return translate("Transcript", "Copy")


def copied() -> str:
    """The same button when it has just copied."""
    return translate("Transcript", "Copied")


def copy_message(own: bool) -> str:
    """Copies the reader's own message, or an answer."""
    return translate("Transcript", "Copy your message") if own else translate("Transcript", "Copy the answer")


def copy_code(what: str) -> str:
    """Copies a block of code; ``what`` is its language or the tool's name, or ""."""
    if not what:
        return translate("Transcript", "Copy the code")
    return translate("Transcript", "Copy the {what} code").format(what=what)


def edit() -> str:
    """Changes the reader's own message."""
    return translate("Transcript", "Edit your message")


def answer_again() -> str:
    """Asks for another version of an answer."""
    return translate("Transcript", "Answer again")


def go_on() -> str:
    """Goes on with an answer that was cut short."""
    return translate("Transcript", "Continue")


def previous_version() -> str:
    """Goes to an older version."""
    return translate("Transcript", "Previous version")


def next_version() -> str:
    """Goes to a newer version."""
    return translate("Transcript", "Next version")


def version(number: int, count: int) -> str:
    """Which of the versions is shown, in short."""
    return translate("Transcript", "{number} of {count}").format(number=number, count=count)


def version_name(number: int, count: int) -> str:
    """The same for screen readers."""
    return translate("Transcript", "Version {number} of {count}").format(number=number, count=count)


def fold_name(title: str, is_open: bool) -> str:
    """What opens and closes, for screen readers."""
    name = translate("Transcript", "{title}, open") if is_open else translate("Transcript", "{title}, folded")
    return name.format(title=title)


# ---- messages


def conversation() -> str:
    """The whole list of messages."""
    return translate("Transcript", "Conversation")


def author(role: Role) -> str:
    """Who speaks, for screen readers."""
    match role:
        case Role.USER:
            return translate("Transcript", "You")
        case Role.ASSISTANT:
            return translate("Transcript", "Answer")
        case Role.TOOL:
            return translate("Transcript", "Tool result")


def no_language() -> str:
    """The title of code that does not say its language."""
    return translate("Transcript", "text", "code of no known language")


def result_of(name: str) -> str:
    """The title of a tool's result; ``name`` may be ""."""
    if not name:
        return translate("Transcript", "Result of the tool")
    return translate("Transcript", "Result of {tool}").format(tool=name)


def duration(seconds: float) -> str:
    """A time span as people say it."""
    if seconds < 1:
        return translate("Transcript", "a moment")
    whole = round(seconds)
    if whole < 60:
        return translate("Transcript", "{seconds} s").format(seconds=whole)
    minutes, rest = divmod(whole, 60)
    if rest:
        return translate("Transcript", "{minutes} min {seconds} s").format(minutes=minutes, seconds=rest)
    return translate("Transcript", "{minutes} min").format(minutes=minutes)


def thinking() -> str:
    """The title of reasoning that is being written."""
    return translate("Transcript", "Thinking")


def thought_for(seconds: float | None) -> str:
    """The title of finished reasoning."""
    if seconds is None:
        return translate("Transcript", "Thoughts")
    return translate("Transcript", "Thought for {duration}").format(duration=duration(seconds))


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
        rate = timings.decode_tokens_per_s
        speed = f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"
        parts.append(translate("Transcript", "{speed} tokens/s").format(speed=speed))
    if usage.completion_tokens:
        one = usage.completion_tokens == 1
        length = translate("Transcript", "1 token") if one else translate("Transcript", "{count} tokens")
        parts.append(length.format(count=f"{usage.completion_tokens:,}"))
    seconds = timings.prefill_s + timings.decode_s
    if seconds >= 10:
        parts.append(duration(seconds))
    elif seconds > 0:
        parts.append(translate("Transcript", "{seconds} s").format(seconds=f"{seconds:.1f}"))
    return "  ·  ".join(parts)


def stopped(node: MessageNode) -> bool:
    """Whether the reader has stopped this answer."""
    return node.receipt is not None and node.receipt.finish_reason is FinishReason.CANCELLED


def interruption(node: MessageNode) -> str:
    """Why an answer is not whole; "" when it is."""
    reason = node.receipt.finish_reason if node.receipt else None
    match reason:
        case FinishReason.CANCELLED:
            return translate("Transcript", "Stopped")
        case FinishReason.LENGTH:
            return translate("Transcript", "Cut short: there was no room for more")
        case FinishReason.ERROR:
            return translate("Transcript", "Cut short: the model stopped with an error")
        case _:
            return "" if node.complete else translate("Transcript", "Cut short")


def getting_ready() -> str:
    """Before the reading of the prompt begins."""
    return translate("Transcript", "Getting ready")


def tokens_left(done: int, total: int) -> str:
    """How far the reading of the prompt is."""
    left = max(0, total - done)
    if left == 1:
        return translate("Transcript", "Reading the prompt: 1 token left")
    return translate("Transcript", "Reading the prompt: {count} tokens left").format(count=f"{left:,}")
