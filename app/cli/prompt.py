"""``alcove prompt``: the exact prompt of a conversation file."""

import sys
from argparse import Namespace

import msgspec

from app.cli.headless import HeadlessEngine
from app.cli.request import HeadlessRequest, today
from app.cli.status import Status
from app.cli.streams import Output, file_text
from app.domain.conversation_file import parse_conversation


def prompt(options: Namespace, request: HeadlessRequest, output: Output) -> int:
    """Print the prompt as text, or as token ids and text with ``--json``; the exit status."""
    dialogue = parse_conversation(file_text(options.conversation), source=options.conversation, today=today())
    with HeadlessEngine(request.log_file, request.cache_folder, request.plans_file) as engine:
        engine.load(request.target, sys.stderr)
        rendered = engine.render(dialogue)
    text = "".join(rendered.pieces)
    if options.json:
        output.write(msgspec.json.encode({"tokens": rendered.tokens, "text": text}).decode() + "\n")
    else:
        # Not a byte more than the prompt, except for the eyes of a person at a terminal.
        output.write(text + ("\n" if output.is_terminal else ""))
    return Status.DONE
