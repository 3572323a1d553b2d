"""Headless commands: ask, chat, prompt. No Qt, and nothing is stored."""

import os
import sys
from argparse import Namespace

from app.cli.status import Status
from app.cli.streams import Output, silence_output
from app.domain.errors import ErrorCode, UserError


def run(options: Namespace) -> int:
    """Run a headless command, on streams that are prepared; the exit status."""
    try:
        return _run(options)
    except KeyboardInterrupt:
        return Status.INTERRUPTED
    except BrokenPipeError:  # the reader left (alcove ask ... | head)
        silence_output()
        return Status.FAILED
    except UserError as error:
        if error.code is ErrorCode.OUTPUT_FAILED:
            silence_output_but_say(error)
        else:
            print(f"alcove: {error}", file=sys.stderr)
        return Status.of(error.code)


def silence_output_but_say(error: UserError) -> None:
    """stdout is lost; stderr may still tell why."""
    try:
        print(f"alcove: {error}", file=sys.stderr, flush=True)
    except OSError:
        pass
    finally:
        silence_output()


def _run(options: Namespace) -> int:
    from app.cli.request import headless_request

    request = headless_request(options)
    output = Output(sys.stdout)
    if options.command == "ask":
        from app.cli.ask import ask

        return ask(options, request, output)
    if options.command == "prompt":
        from app.cli.prompt import prompt

        return prompt(options, request, output)
    if options.jsonl:
        from app.cli.jsonl import chat_jsonl

        return chat_jsonl(request, output)
    from app.cli.terminal import chat_terminal

    return chat_terminal(options, request, output, colour=output.is_terminal and "NO_COLOR" not in os.environ)
