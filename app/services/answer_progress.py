"""What the engine's worker measures of the answer that runs."""

import time

from app.domain.errors import UserError
from app.domain.generation import FinishReason
from app.services.engine_reports import Ended

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
        self._pieces = 0

    def thinks(self) -> None:
        """Reasoning arrived."""
        if self._thinking_since is None:
            self._thinking_since = time.monotonic()

    def speaks(self) -> None:
        """Something else arrived: a stretch of reasoning, if there was one, is over."""
        if self._thinking_since is not None:
            self._reasoning_s += time.monotonic() - self._thinking_since
            self._thinking_since = None

    def rate(self) -> float | None:
        """Count a piece of text, which is about a token; pieces per second, when it is time to show it again."""
        now = time.monotonic()
        if not self.has_text:
            self.has_text = True
            self._first_text = self._last_rate = now
            return None
        self._pieces += 1
        if now - self._last_rate < _RATE_EVERY_S:
            return None
        self._last_rate = now
        return self._pieces / (now - self._first_text)

    def ended(self, reason: FinishReason, error: UserError | None = None) -> Ended:
        """The last report."""
        self.speaks()
        return Ended(self.job_id, reason, reasoning_s=self._reasoning_s, error=error)
