"""The engine child that there is at the moment, for all threads that have to do with it."""

import threading
from collections.abc import Callable

from app.engine.client import EngineClient
from app.engine.protocol import Cancel, Forget, Generate, KeepWithin, Leave

MakeClient = Callable[[bool], EngineClient]
"""Makes a client for a new child; the flag says whether it may touch the drivers of graphics cards."""


class ChildSlot:
    """One client or none, the job that it was given, and whether it hangs."""

    def __init__(self, make_client: MakeClient) -> None:
        self.make_client = make_client
        self._lock = threading.Lock()
        self._client: EngineClient | None = None
        self._sent: int | None = None
        self._stalled = False

    # ---- any thread ----

    @property
    def client(self) -> EngineClient | None:
        """The client of the child that there is."""
        with self._lock:
            return self._client

    def wake(self) -> None:
        """The worker may be waiting for events: it is to look what is wanted."""
        client = self.client
        if client is not None:
            client.wake()

    def cancel(self, job_id: int) -> None:
        """Cancel this job, if the child has it and listens. A child that hangs hears nothing: the worker ends it."""
        with self._lock:
            if self._client is not None and self._sent == job_id and not self._stalled:
                self._client.send(Cancel(job_id))

    def post(self, request: Leave | Forget | KeepWithin) -> None:
        """Tell the child, if there is one; nobody waits for its answer. One that hangs is told later what must not be
        lost: everything but that a chat was left.
        """
        with self._lock:
            if self._client is not None and not (self._stalled and isinstance(request, Leave)):
                self._client.send(request)

    # ---- the worker ----

    def start(self, *, graphics: bool) -> EngineClient:
        """A new child. Raises UserError when there can be none."""
        client = self.make_client(graphics)
        client.start()
        with self._lock:
            self._client = client
            self._stalled = False
        return client

    def send(self, request: Generate, is_cancelled: Callable[[int], bool]) -> None:
        """Give the child a job, and take it back if it was cancelled before. Raises UserError as the client's send."""
        with self._lock:
            assert self._client is not None
            self._client.send(request)
            self._sent = request.request_id
            if is_cancelled(request.request_id):
                self._client.send(Cancel(request.request_id))

    def job_ended(self) -> None:
        """The child has no job any more."""
        with self._lock:
            self._sent = None

    @property
    def stalled(self) -> bool:
        """Whether the child hangs."""
        with self._lock:
            return self._stalled

    @stalled.setter
    def stalled(self, stalled: bool) -> None:
        with self._lock:
            self._stalled = stalled

    def end(self) -> None:
        """End the child, if there is one; returns when it is gone."""
        with self._lock:
            client, self._client = self._client, None
            self._sent = None
            self._stalled = False
        if client is not None:
            client.close()
