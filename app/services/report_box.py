"""What the engine's worker has to say, until somebody takes it."""

import threading
from collections.abc import Callable

from app.services.engine_reports import Report
from app.services.payloads import EngineState


class ReportBox:
    """Filled on the worker's thread, emptied on any. ``notify`` is called when something new lies in an empty one."""

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._lock = threading.Lock()
        self._reports: list[Report] = []
        self._new_state: EngineState | None = None
        self.state = EngineState()
        """The newest one; the worker's own."""

    def show(self, state: EngineState) -> None:
        """The engine is in this state now."""
        if state == self.state:
            return
        self.state = state
        with self._lock:
            first = self._new_state is None and not self._reports
            self._new_state = state
        if first:
            self._notify()

    def report(self, report: Report) -> None:
        """Something happened."""
        with self._lock:
            first = self._new_state is None and not self._reports
            self._reports.append(report)
        if first:
            self._notify()

    def take(self) -> tuple[EngineState | None, tuple[Report, ...]]:
        """What has happened since the last call: the newest state, if it changed, and the reports in order."""
        with self._lock:
            state, self._new_state = self._new_state, None
            reports, self._reports = tuple(self._reports), []
        return state, reports
