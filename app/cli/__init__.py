"""Headless commands: ask, chat, prompt. No Qt, and nothing is stored."""

import os
import sys
from argparse import Namespace

from app.cli.arguments import parser
from app.cli.headless import use_utf8
from app.domain.errors import ErrorCode, UserError

BAD_INPUT = frozenset(
    {
        ErrorCode.FILE_NOT_FOUND,
        ErrorCode.FILE_UNREADABLE,
        ErrorCode.FILE_EMPTY,
        ErrorCode.NOT_A_FILE,
        ErrorCode.NOT_A_GGUF,
        ErrorCode.GGUF_TRUNCATED,
        ErrorCode.GGUF_BROKEN,
        ErrorCode.GGUF_UNSUPPORTED,
        ErrorCode.UNKNOWN_ARCHITECTURE,
        ErrorCode.NOT_HARMONY,
        ErrorCode.EMPTY_PROMPT,
        ErrorCode.PROMPT_TOO_LONG,
        ErrorCode.INVALID_JSON,
        ErrorCode.INVALID_CONVERSATION,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.INVALID_OPTION,
    }
)

DONE, FAILED, BAD, INTERRUPTED = 0, 1, 2, 130


def run(argv: list[str]) -> int:
    """Run a headless command given by ``argv`` (without the program's name); the exit status."""
    use_utf8()
    try:
        return _run(parser().parse_args(argv))
    except UserError as error:
        print(f"alcove: {error}", file=sys.stderr)
        return BAD if error.code in BAD_INPUT else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader left (alcove ask ... | head): point stdout at nothing, so that leaving flushes in peace.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _run(options: Namespace) -> int:
    from app.cli.request import headless_request

    request = headless_request(options)
    if options.command == "ask":
        from app.cli.ask import ask

        return ask(options, request)
    if options.command == "prompt":
        from app.cli.prompt import prompt

        return prompt(options, request)
    if options.jsonl:
        from app.cli.jsonl import chat_jsonl

        return chat_jsonl(options, request)
    from app.cli.terminal import chat_terminal

    return chat_terminal(options, request, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
