"""``alcove chat``: a plain, pleasant chat in the terminal."""

import sys
from argparse import Namespace
from dataclasses import replace

from app.cli.headless import GenerationEvent, HeadlessEngine
from app.cli.request import HeadlessRequest
from app.cli.session import TerminalSession, spoken_rate
from app.cli.status import Status
from app.cli.streams import Output
from app.domain.conversation import Effort, Message, Role
from app.domain.errors import ErrorCode, UserError
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


def chat_terminal(options: Namespace, request: HeadlessRequest, output: Output, *, colour: bool) -> int:
    """Chat until the input ends; the exit status."""
    with HeadlessEngine(request.log_file, request.cache_folder, request.plans_file) as engine:
        engine.load(request.target, sys.stderr)
        session = TerminalSession(engine, request.empty_dialogue())
        return TerminalChat(session, request, output, Paint(colour), show_reasoning=bool(options.reasoning)).run()


class TerminalChat:
    """Reads lines, answers them, and carries out the slash commands."""

    def __init__(
        self, session: TerminalSession, request: HeadlessRequest, output: Output, paint: Paint, *, show_reasoning: bool
    ) -> None:
        self._session = session
        self._request = request
        self._output = output
        self._paint = paint
        self._show_reasoning = show_reasoning
        self._aloud = False  # this turn has said something besides its reasoning
        self._left_out = 0

    def run(self) -> int:
        """Until the input ends or /quit; the exit status."""
        paint = self._paint
        self._output.write_as_is(paint.bold)
        self._output.write(self._request.target.name)
        self._output.write_as_is(f"{paint.plain}  {paint.dim}/help for the commands{paint.plain}\n")
        while (line := self._read_line()) is not None:
            if line in ("/quit", "/exit"):
                return Status.DONE
            if line.startswith("/"):
                self._aside(self._command(line) + "\n")
            elif line:
                self._turn(line)
        self._output.write("\n")
        return Status.DONE

    def _read_line(self) -> str | None:
        if sys.stdin.isatty() and self._output.is_terminal:
            try:
                return input(f"\n{self._paint.bold}>{self._paint.plain} ").strip()
            except EOFError:
                return None
        line = sys.stdin.readline()
        return line.strip() if line else None

    def _command(self, line: str) -> str:
        """Carry out a slash command; what to say about it."""
        words = line.split()
        session = self._session
        if words == ["/reasoning"]:
            self._show_reasoning = not self._show_reasoning
            return f"The reasoning is {'shown' if self._show_reasoning else 'hidden'}."
        if words == ["/new"]:
            session.dialogue = replace(self._request.empty_dialogue(), effort=session.dialogue.effort)
            return "A new conversation."
        if len(words) == 2 and words[0] == "/effort" and words[1] in tuple(Effort):
            session.dialogue = replace(session.dialogue, effort=Effort(words[1]))
            return f"The reasoning effort is {words[1]}."
        return HELP

    def _turn(self, line: str) -> None:
        history = self._session.dialogue
        dialogue = replace(history, messages=(*history.messages, Message(Role.USER, line)))
        self._aloud = False
        try:
            for event in self._session.answer(dialogue, self._request.sampling):
                self._show(event)
        except UserError as error:
            if error.code is ErrorCode.OUTPUT_FAILED:
                raise
            print(f"\nalcove: {error}", file=sys.stderr)

    def _show(self, event: GenerationEvent) -> None:
        if isinstance(event, PrefillProgress):
            if self._output.is_terminal:
                reading = f"Reading {event.done} of {event.total}" if event.done < event.total else ""
                self._output.write_as_is(f"\r{self._paint.dim}{reading}{self._paint.plain}\x1b[K")
        elif isinstance(event, ReasoningText):
            if self._show_reasoning:
                self._aside(event.text)
        elif isinstance(event, CommentaryText | AnswerText):
            if self._show_reasoning and not self._aloud:
                self._output.write("\n\n")
            self._aloud = True
            self._output.write(event.text)
        elif isinstance(event, ToolCalled):
            self._aside(f"\n[the model called {event.name}({event.arguments})]\n")
        else:
            self._output.write("\n")
            self._aside(f"{_ending(event)}\n")
            self._say_left_out(event.usage.left_out)

    def _say_left_out(self, count: int) -> None:
        """Tell when more of the conversation has left the model's view than before."""
        if count > self._left_out:
            messages = "1 message" if count == 1 else f"{count} messages"
            print(
                f"alcove: The model no longer sees the oldest part of this conversation ({messages}). "
                "/new starts again; a larger context length in the settings makes room for more.",
                file=sys.stderr,
            )
        self._left_out = count

    def _aside(self, text: str) -> None:
        """Words beside the answer, in a quieter colour."""
        self._output.write_as_is(self._paint.dim)
        self._output.write(text)
        self._output.write_as_is(self._paint.plain)


def _ending(event: Finished) -> str:
    endings = {
        FinishReason.LENGTH: "Cut off at its longest length. ",
        FinishReason.CANCELLED: "Stopped. ",
    }
    return endings.get(event.reason, "") + spoken_rate(event)
