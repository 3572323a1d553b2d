"""The end of the program: the child writes what is worth keeping of a chat, and tells the end of its answer."""

import math
import time

from app.engine.client import EngineClient, EngineLost, EngineResumed, EngineStalled
from app.engine.protocol import Cancel, Event, Unload, Unloaded
from app.services.answer_progress import AnswerProgress
from app.services.engine_reports import Ended
from app.services.report_box import ReportBox

KEEP_S = 20.0
"""The longest that is waited for a chat's memory to be written; a gigabyte on a slow disk."""

STOP_S = 5.0
"""A child that does not stop its answer in this time hangs."""

SPEAK_S = 5.0
"""A busy computer may keep it from saying anything for so long."""


class LastWords:
    """Listens to a child for the last time. ``running`` is the answer that it makes."""

    def __init__(self, client: EngineClient, running: AnswerProgress | None, box: ReportBox) -> None:
        self._client = client
        self._running = running
        self._box = box

    def ask(self, request_id: int) -> None:
        """Have the child stop, write, and give the memory back; then `hear`."""
        if self._running is not None:
            self._client.send(Cancel(self._running.job_id))
        self._client.send(Unload(request_id))
        self.hear(request_id)

    def hear(self, request_id: int) -> None:
        """Wait until it has done so; one that does not stop, or is silent for long, is not waited for. 0: nothing is
        to be heard.
        """
        begin = time.monotonic()
        speaks_by = math.inf
        while request_id:
            stops_by = math.inf if self._running is None else begin + STOP_S
            left = min(begin + KEEP_S, stops_by, speaks_by) - time.monotonic()
            if left <= 0:
                return
            match self._client.receive(left):
                case None:
                    pass
                case Unloaded() as unloaded if unloaded.request_id == request_id:
                    return
                case EngineLost():
                    return
                case EngineStalled():
                    speaks_by = time.monotonic() + SPEAK_S
                case EngineResumed():
                    speaks_by = math.inf
                case event:
                    self._report(event)

    def _report(self, event: Event) -> None:
        report = None if self._running is None else self._running.take(event)
        if report is not None:
            self._box.report(report)
        if isinstance(report, Ended):
            self._running = None
