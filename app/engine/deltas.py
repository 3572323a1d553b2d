"""From the parser's events to the pipe: neighbouring text is joined, so that a fast model costs few frames."""

import time
from collections.abc import Callable, Iterable

from app.engine.protocol import AnswerText, CommentaryText, Event, ReasoningText, ToolCalled
from app.harmony.events import AnswerDelta, CommentaryDelta, HarmonyEvent, ReasoningDelta, ToolCallEvent

JOIN_S = 0.008
"""Text that comes within this time of the last frame waits for the next token: half a frame on a 60 Hz screen."""

_TEXT_EVENTS: dict[type[HarmonyEvent], type[ReasoningText | CommentaryText | AnswerText]] = {
    ReasoningDelta: ReasoningText,
    CommentaryDelta: CommentaryText,
    AnswerDelta: AnswerText,
}


class DeltaSender:
    """Sends one generation's text and tool calls in order. Slower models than one token in 8 ms never wait."""

    def __init__(self, request_id: int, send: Callable[[Event], None]) -> None:
        self._request_id = request_id
        self._send = send
        self._kind: type[ReasoningText | CommentaryText | AnswerText] | None = None
        self._parts: list[str] = []
        self._tokens = 0  # generated since the text that was sent last
        self._of_parts = 0  # of them, those up to the last one that brought text
        self._next = 0.0

    def take(self, events: Iterable[HarmonyEvent]) -> None:
        """Take what a token brought; most bring one piece of text or nothing."""
        self._tokens += 1
        self._take(events)
        if self._parts:
            now = time.perf_counter()
            if now >= self._next:
                self.flush()
                self._next = now + JOIN_S

    def finish(self, events: Iterable[HarmonyEvent]) -> None:
        """Take what was held back when no more tokens come, and send all that waits.

        What the tokens behind the last text were, nobody is told: they brought none.
        """
        self._take(events)
        self.flush()

    def _take(self, events: Iterable[HarmonyEvent]) -> None:
        for event in events:
            if isinstance(event, ToolCallEvent):
                self.flush()
                self._send(ToolCalled(self._request_id, event.name, event.arguments))
                continue
            kind = _TEXT_EVENTS[type(event)]
            if kind is not self._kind:
                self.flush()
                self._kind = kind
            self._parts.append(event.text)
            self._of_parts = self._tokens

    def flush(self) -> None:
        """Send what waits."""
        if self._kind is not None and self._parts:
            self._send(self._kind(self._request_id, "".join(self._parts), self._of_parts))
            self._parts.clear()
            self._tokens -= self._of_parts
            self._of_parts = 0
