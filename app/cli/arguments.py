"""The command line: what may be said, and one clear sentence for what may not."""

import argparse
import math
from pathlib import Path
from typing import NoReturn

from app import __version__
from app.domain.conversation import Effort
from app.domain.errors import ErrorCode, UserError
from app.engine.protocol import Adapter

BOUNDS: dict[str, tuple[int, int]] = {
    "temperature": (0, 2),
    "seed": (0, 2**32 - 2),  # llama.cpp takes the last 32-bit value for "any"
    "max_tokens": (1, 2**31 - 1),
}
"""Least and greatest value of what a request may say about its generation; both are allowed."""


class SentenceParser(argparse.ArgumentParser):
    """An argument parser that raises ``UserError(INVALID_OPTION)`` instead of printing its usage and leaving."""

    def error(self, message: str) -> NoReturn:
        raise UserError(ErrorCode.INVALID_OPTION, reason=message[:1].upper() + message[1:])


def parser() -> SentenceParser:
    """The whole command line of ``alcove``; ``command`` is None when the window is wanted."""
    shared = SentenceParser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--model", metavar="FILE", type=Path, help="the GGUF file to use instead of the chosen model")
    shared.add_argument(
        "--profile-dir", metavar="DIR", type=Path, help="keep settings, chats, models, caches and logs under DIR"
    )
    top = SentenceParser(
        prog="alcove",
        parents=[shared],
        allow_abbrev=False,
        description="Private, offline chat with OpenAI's open-weight gpt-oss models. No command opens the window.",
    )
    top.add_argument("--smoke-test", action="store_true", help="open the window, ask the demo model, store, quit")
    top.add_argument("--version", action="version", version=f"alcove {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=SentenceParser)

    ask = commands.add_parser("ask", parents=[shared], allow_abbrev=False, help="answer one question and quit")
    _add_generation_options(ask)
    ask.add_argument("--json", action="store_true", help="print one JSON object")
    ask.add_argument("--reasoning", action="store_true", help="print the reasoning to stderr")
    ask.add_argument("prompt", metavar="PROMPT", help="the question, or - to read it from stdin")

    chat = commands.add_parser("chat", parents=[shared], allow_abbrev=False, help="chat in the terminal")
    _add_generation_options(chat)
    chat.add_argument("--jsonl", action="store_true", help="one JSON request a line in, one JSON event a line out")
    chat.add_argument("--reasoning", action="store_true", help="show the reasoning")

    prompt = commands.add_parser(
        "prompt", parents=[shared], allow_abbrev=False, help="print the exact prompt of a conversation file"
    )
    prompt.add_argument("--json", action="store_true", help="print one JSON object with token ids and text")
    prompt.add_argument("conversation", metavar="CONVERSATION.json", help="the file, or - to read it from stdin")
    return top


def _add_generation_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--effort", type=effort, metavar="low|medium|high", help="how long the model thinks")
    command.add_argument("--instructions", metavar="T", help="instructions for the model")
    command.add_argument("--temperature", type=temperature, metavar="X", help="0 (always the likeliest word) to 2")
    command.add_argument("--seed", type=seed, metavar="N", help="the same seed gives the same answer")
    command.add_argument(
        "--lora", type=adapter, action="append", metavar="FILE[:X]", help="a LoRA adapter, and how strongly it counts"
    )
    command.add_argument("--max-tokens", type=positive, metavar="N", help="the longest answer, reasoning included")


def effort(text: str) -> Effort:
    """One of harmony's three efforts."""
    try:
        return Effort(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{text}” is not low, medium or high") from None


def temperature(text: str) -> float:
    """A number from 0 to 2."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    lowest, highest = BOUNDS["temperature"]
    if not lowest <= value <= highest:
        raise argparse.ArgumentTypeError(f"“{text}” is not a number from {lowest} to {highest}")
    return value


def seed(text: str) -> int:
    """A whole number that llama.cpp takes for a seed."""
    return _whole(text, *BOUNDS["seed"])


def adapter(text: str) -> Adapter:
    """A LoRA adapter's file, and behind a colon how strongly it counts."""
    file, colon, strength = text.rpartition(":")
    try:
        scale = float(strength)
    except ValueError:
        return Adapter(text)
    if not colon:
        return Adapter(text)
    if not file or not math.isfinite(scale):
        raise argparse.ArgumentTypeError(f"“{text}” is not a file and a number")
    return Adapter(file, scale)


def positive(text: str) -> int:
    """A whole number of tokens, at least 1."""
    return _whole(text, *BOUNDS["max_tokens"])


def _whole(text: str, lowest: int, highest: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = lowest - 1
    if not lowest <= value <= highest:
        raise argparse.ArgumentTypeError(f"“{text}” is not a whole number from {lowest} to {highest}")
    return value
