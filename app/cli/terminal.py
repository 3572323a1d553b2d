"""``alcove chat``: a plain, pleasant chat in the terminal."""

import sys
from argparse import Namespace
from dataclasses import replace

from app.cli.headless import HeadlessEngine
from app.cli.request import HeadlessRequest
from app.cli.session import TerminalSession, spoken_rate
from app.domain.conversation import Effort, Message, Role
from app.domain.errors import UserError
from app.domain.generation import FinishReason
from app.engine.protocol import AnswerText, CommentaryText, Finished, PrefillProgress, ReasoningText, ToolCalled

HELP = """\
/new              start again
/effort low       think for a shorter time (or medium, high)
/reasoning        show or hide the reasoning
/help             this list
/quit             leave (or Ctrl+D)
Ctrl+C stops an answer; at the prompt it leaves."""


class Paint:
    """Escape sequences, when the stream is a terminal that may be coloured (no NO_COLOR)."""

    def __init__(self, colour: bool) -> None:
        self.bold, self.dim, self.plain = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if colour else ("", "", "")


def chat_terminal(options: Namespace, request: HeadlessRequest, *, colour: bool) -> int:
    """Chat until the input ends; the exit status."""
    paint = Paint(colour)
    show_reasoning = bool(options.reasoning)
    with HeadlessEngine(request.log_file) as engine:
        engine.load(request.model, request.plan, progress=sys.stderr)
        session = TerminalSession(engine, request.empty_dialogue())
        print(f"{paint.bold}{request.model_name}{paint.plain}  {paint.dim}/help for the commands{paint.plain}")
        while True:
            line = _read_line(paint)
            if line is None:
                print()
                return 0
            if line.startswith("/"):
                if line in ("/quit", "/exit"):
                    return 0
                if line == "/reasoning":
                    show_reasoning = not show_reasoning
                    print(f"{paint.dim}The reasoning is {'shown' if show_reasoning else 'hidden'}.{paint.plain}")
                else:
                    print(f"{paint.dim}{_command(line, session, request)}{paint.plain}")
            elif line:
                _turn(line, session, request, paint, show_reasoning=show_reasoning)


def _read_line(paint: Paint) -> str | None:
    try:
        return input(f"\n{paint.bold}>{paint.plain} " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return None


def _command(line: str, session: TerminalSession, request: HeadlessRequest) -> str:
    """Carry out a slash command; what to say about it."""
    words = line.split()
    if words == ["/new"]:
        session.dialogue = replace(request.empty_dialogue(), effort=session.dialogue.effort)
        return "A new conversation."
    if len(words) == 2 and words[0] == "/effort" and words[1] in tuple(Effort):
        session.dialogue = replace(session.dialogue, effort=Effort(words[1]))
        return f"The reasoning effort is {words[1]}."
    return HELP


def _turn(line: str, session: TerminalSession, request: HeadlessRequest, paint: Paint, *, show_reasoning: bool) -> None:
    dialogue = replace(session.dialogue, messages=(*session.dialogue.messages, Message(Role.USER, line)))
    aloud = False
    try:
        for event in session.answer(dialogue, request.sampling):
            if isinstance(event, PrefillProgress):
                if sys.stdout.isatty() and event.done < event.total:
                    print(f"\r{paint.dim}Reading {event.done} of {event.total}{paint.plain}\x1b[K", end="", flush=True)
                elif sys.stdout.isatty():
                    print("\r\x1b[K", end="", flush=True)
            elif isinstance(event, ReasoningText):
                if show_reasoning:
                    print(f"{paint.dim}{event.text}{paint.plain}", end="", flush=True)
            elif isinstance(event, CommentaryText | AnswerText):
                if show_reasoning and not aloud:
                    print("\n")
                aloud = True
                print(event.text, end="", flush=True)
            elif isinstance(event, ToolCalled):
                print(f"\n{paint.dim}[the model called {event.name}({event.arguments})]{paint.plain}")
            elif isinstance(event, Finished):
                print(f"\n{paint.dim}{_ending(event)}{paint.plain}")
    except UserError as error:
        print(f"\nalcove: {error}", file=sys.stderr)


def _ending(event: Finished) -> str:
    endings = {
        FinishReason.LENGTH: "Cut off at its longest length. ",
        FinishReason.CANCELLED: "Stopped. ",
    }
    return endings.get(event.reason, "") + spoken_rate(event)
