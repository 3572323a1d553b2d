"""Paces the updates of a streamed answer, so that they never take more than a small share of the UI thread."""

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer

FRAME_MS = 16
LONGEST_MS = 500
SHARE = 0.08


class Pace(QObject):
    """Calls ``update`` soon after ``ask``, however often that is called: the more it costs, the rarer."""

    def __init__(self, parent: QObject, update: Callable[[], None]) -> None:
        super().__init__(parent)
        self._update = update
        self._cost_s = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.flush)

    def ask(self) -> None:
        """There is something new to show."""
        if not self._timer.isActive():
            self._timer.start(max(FRAME_MS, min(LONGEST_MS, round(self._cost_s * 1000 / SHARE))))

    def flush(self) -> None:
        """Updates now."""
        self._timer.stop()
        start = time.perf_counter()
        self._update()
        # One cheap update among dear ones is no reason to hurry.
        self._cost_s = max(time.perf_counter() - start, 0.8 * self._cost_s)

    @property
    def waiting(self) -> bool:
        """Whether an update is to come."""
        return self._timer.isActive()
