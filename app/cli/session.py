"""A conversation held in a terminal or over JSON lines: its messages, and how an answer joins them."""

from collections.abc import Iterator
from dataclasses import replace

from app.cli.headless import GenerationEvent, HeadlessEngine
from app.domain.conversation import Dialogue, Message, Role, ToolCall
from app.domain.errors import ErrorCode, UserError
from app.domain.generation import Sampling
from app.domain.tree import spoken
from app.engine.protocol import AnswerText, CommentaryText, Finished, PrefillProgress, ReasoningText, ToolCalled


class TerminalSession:
    """Keeps the dialogue between turns. A turn that never started leaves it as it was."""

    def __init__(self, engine: HeadlessEngine, dialogue: Dialogue) -> None:
        self._engine = engine
        self.dialogue = dialogue

    def answer(self, dialogue: Dialogue, sampling: Sampling) -> Iterator[GenerationEvent]:
        """Stream the answer to ``dialogue`` and, once it has begun, keep both. Raises ``UserError``."""
        if not dialogue.messages or dialogue.messages[-1].role is Role.ASSISTANT:
            raise UserError(ErrorCode.EMPTY_PROMPT)
        draft = AnswerDraft()
        begun = False
        try:
            for event in self._engine.generate(dialogue, sampling):
                begun = begun or not isinstance(event, PrefillProgress)
                draft.take(event)
                yield event
        finally:
            if begun:
                self.dialogue = replace(dialogue, messages=spoken((*dialogue.messages, draft.message())))


class AnswerDraft:
    """The assistant's message as its events come in."""

    def __init__(self) -> None:
        self._reasoning: list[str] = []
        self._commentary: list[str] = []
        self._answer: list[str] = []
        self._calls: list[ToolCall] = []

    def take(self, event: object) -> None:
        """Add one event."""
        if isinstance(event, ReasoningText):
            self._reasoning.append(event.text)
        elif isinstance(event, CommentaryText):
            self._commentary.append(event.text)
        elif isinstance(event, AnswerText):
            self._answer.append(event.text)
        elif isinstance(event, ToolCalled):
            self._calls.append(ToolCall(event.name, event.arguments))

    def message(self) -> Message:
        """The message so far."""
        return Message(
            Role.ASSISTANT,
            content="".join(self._answer),
            reasoning="".join(self._reasoning),
            commentary="".join(self._commentary),
            tool_calls=tuple(self._calls),
        )


def spoken_rate(event: Finished) -> str:
    """ "42 tokens, 18.3 a second", for people."""
    return f"{event.usage.completion_tokens} tokens, {event.timings.decode_tokens_per_s:.1f} a second"
