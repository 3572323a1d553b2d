"""The answer that runs: what the child's events mean for it, and what the worker measures of it."""

import time
from dataclasses import replace

from app.domain.context_window import staying
from app.domain.errors import UserError
from app.domain.generation import FinishReason
from app.engine.failures import error_of
from app.engine.protocol import (
    AnswerText,
    CommentaryText,
    Event,
    Failed,
    Finished,
    PrefillProgress,
    PromptReady,
    ReasoningText,
    ToolCalled,
)
from app.services.engine_reports import Ended, JobReport, PromptMade, Reading, TextGrew, ToolCallMade

_RATE_EVERY_S = 0.25


class AnswerProgress:
    """Times one answer. ``load_s`` is what loading the model took for it."""

    def __init__(self, job_id: int, load_s: float) -> None:
        self.job_id = job_id
        self.load_s = load_s
        self.has_text = False
        self._thinking_since: float | None = None
        self._reasoning_s = 0.0
        self._first_text = 0.0
        self._last_rate = 0.0
        self._tokens = 0

    def take(self, event: Event) -> JobReport | None:
        """What to report of an event; None when it is not about this answer."""
        match event:
            case PromptReady(request_id=self.job_id, left_out=left_out):
                return PromptMade(self.job_id, len(left_out), staying(left_out))
            case PrefillProgress(request_id=self.job_id, done=done, total=total):
                return Reading(self.job_id, done, total)
            case ReasoningText(request_id=self.job_id, text=text, tokens=tokens):
                self._thinks(tokens)
                return TextGrew(self.job_id, reasoning=text)
            case CommentaryText(request_id=self.job_id, text=text, tokens=tokens):
                self._speaks(tokens)
                return TextGrew(self.job_id, commentary=text)
            case AnswerText(request_id=self.job_id, text=text, tokens=tokens):
                self._speaks(tokens)
                return TextGrew(self.job_id, answer=text)
            case ToolCalled(request_id=self.job_id, name=name, arguments=arguments):
                self._speaks(0)
                return ToolCallMade(self.job_id, name, arguments)
            case Finished(request_id=self.job_id):
                timings = replace(event.timings, load_s=self.load_s)
                return replace(self.ended(event.reason), usage=event.usage, timings=timings)
            case Failed(request_id=self.job_id):
                return self.ended(FinishReason.ERROR, error=error_of(event))
            case _:
                return None

    def rate(self) -> float | None:
        """Tokens per second since the first text, when it is time to show it again."""
        now = time.monotonic()
        if not self.has_text or now - self._last_rate < _RATE_EVERY_S:
            return None
        self._last_rate = now
        return self._tokens / (now - self._first_text)

    def ended(self, reason: FinishReason, error: UserError | None = None) -> Ended:
        """The last report."""
        self._end_of_thought()
        return Ended(self.job_id, reason, reasoning_s=self._reasoning_s, error=error)

    def _thinks(self, tokens: int) -> None:
        if self._thinking_since is None:
            self._thinking_since = time.monotonic()
        self._count(tokens)

    def _speaks(self, tokens: int) -> None:
        self._end_of_thought()
        self._count(tokens)

    def _end_of_thought(self) -> None:
        if self._thinking_since is not None:
            self._reasoning_s += time.monotonic() - self._thinking_since
            self._thinking_since = None

    def _count(self, tokens: int) -> None:
        if not self.has_text:  # the clock starts with it
            self.has_text = True
            self._first_text = self._last_rate = time.monotonic()
            return
        self._tokens += tokens
