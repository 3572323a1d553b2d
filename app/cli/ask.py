"""``alcove ask``: one question, one answer."""

import sys
from argparse import Namespace
from dataclasses import asdict, replace
from typing import Any

import msgspec

from app.cli.headless import HeadlessEngine
from app.cli.request import HeadlessRequest
from app.cli.status import Status
from app.cli.streams import Output, question
from app.domain.conversation import Message, Role
from app.domain.generation import FinishReason, Timings, Usage
from app.engine.protocol import AnswerText, CommentaryText, Finished, ReasoningText, ToolCalled


def ask(options: Namespace, request: HeadlessRequest, output: Output) -> int:
    """Answer ``options.prompt`` on stdout; the exit status."""
    prompt = question(options.prompt)
    dialogue = request.empty_dialogue()
    dialogue = replace(dialogue, messages=(Message(Role.USER, prompt),))
    answer = AnswerPrinter(output, as_json=options.json, reasoning=options.reasoning)
    with HeadlessEngine(request.log_file, request.cache_folder, request.plans_file) as engine:
        loaded = engine.load(request.target, sys.stderr)
        for event in engine.generate(dialogue, request.sampling):
            answer.take(event)
    return answer.finish(request.target.name, loaded.load_s)


class AnswerPrinter:
    """Streams an answer to stdout as it comes, or gathers it into one JSON object."""

    def __init__(self, output: Output, *, as_json: bool, reasoning: bool) -> None:
        self._output = output
        self._aside = Output(sys.stderr)
        self._as_json = as_json
        self._show_reasoning = reasoning and not as_json
        self._reasoning: list[str] = []
        self._commentary: list[str] = []
        self._answer: list[str] = []
        self._tool_calls: list[dict[str, str]] = []
        self._finished = Finished(0, FinishReason.ERROR, Usage(), Timings())

    def take(self, event: object) -> None:
        """Show or keep one event."""
        if isinstance(event, ReasoningText):
            self._reasoning.append(event.text)
            if self._show_reasoning:
                self._aside.write(event.text)
        elif isinstance(event, CommentaryText):
            self._commentary.append(event.text)
            if self._show_reasoning:
                self._aside.write(event.text)
        elif isinstance(event, AnswerText):
            if self._show_reasoning and not self._answer and (self._reasoning or self._commentary):
                self._aside.write("\n")
            self._answer.append(event.text)
            if not self._as_json:
                self._output.write(event.text)
        elif isinstance(event, ToolCalled):
            self._tool_calls.append({"name": event.name, "arguments": event.arguments})
        elif isinstance(event, Finished):
            self._finished = event

    def finish(self, model_name: str, load_s: float) -> int:
        """The end of the output; the exit status."""
        reason = self._finished.reason
        if self._as_json:
            self._output.write(msgspec.json.encode(self._object(model_name, load_s)).decode() + "\n")
        else:
            self._output.write("\n")
            if reason is FinishReason.LENGTH:
                self._aside.write("alcove: The answer was cut off because it reached its longest length.\n")
        if reason is FinishReason.CANCELLED:
            return Status.INTERRUPTED
        return Status.FAILED if reason is FinishReason.ERROR else Status.DONE

    def _object(self, model_name: str, load_s: float) -> dict[str, Any]:
        timings = self._finished.timings
        return {
            "model": model_name,
            "reasoning": "".join(self._reasoning),
            "commentary": "".join(self._commentary),
            "answer": "".join(self._answer),
            "tool_calls": self._tool_calls,
            "finish_reason": self._finished.reason,
            "usage": asdict(self._finished.usage),
            "timings": timings_object(timings, load_s),
        }


def timings_object(timings: Timings, load_s: float) -> dict[str, float]:
    """The four times that ``--json`` and ``--jsonl`` report."""
    return {
        "load_s": round(load_s, 4),
        "prefill_s": round(timings.prefill_s, 4),
        "first_token_s": round(timings.first_token_s, 4),
        "decode_tokens_per_s": round(timings.decode_tokens_per_s, 2),
    }
