"""``alcove prompt``: the exact prompt of a conversation file."""

import sys
from argparse import Namespace

import msgspec

from app.cli.headless import HeadlessEngine
from app.cli.request import HeadlessRequest, today
from app.cli.text import file_text
from app.domain.conversation_file import parse_conversation


def prompt(options: Namespace, request: HeadlessRequest) -> int:
    """Print the prompt as text, or as token ids and text with ``--json``; the exit status."""
    dialogue = parse_conversation(file_text(options.conversation), source=options.conversation, today=today())
    with HeadlessEngine(request.log_file) as engine:
        engine.load(request.model, request.plan, progress=sys.stderr)
        rendered = engine.render(dialogue)
    text = "".join(rendered.pieces)
    if options.json:
        print(msgspec.json.encode({"tokens": rendered.tokens, "text": text}).decode())
    else:
        # Not a byte more than the prompt, except for the eyes of a person at a terminal.
        print(text, end="\n" if sys.stdout.isatty() else "", flush=True)
    return 0
