"""After a sleep of the machine: which devices are there now, as a throw-away engine child finds them.

The child that has the model cannot tell. Drivers list their devices once in a process's life (the ggml_backend_*_reg
functions of llama.cpp do), so a card that is gone stays in its list, and a new one never comes into it.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from app.domain.errors import UserError
from app.domain.hardware import Device, Hardware
from app.engine.client import EngineClient, EngineLost
from app.engine.protocol import Hello
from app.services.child_slot import MakeClient

PATIENCE_S = 60.0
"""A driver may take its time after a sleep; one that hangs is no news."""

log = logging.getLogger(__name__)


class SecondLook:
    """All methods are the worker thread's."""

    def __init__(self, make_client: MakeClient, found: Callable[[], None]) -> None:
        """``found`` is called on a thread of its own when there is something to ``take``."""
        self._make_client = make_client
        self._tell = found
        self._lock = threading.Lock()
        self._client: EngineClient | None = None
        self._found: Hardware | None = None
        self._wanted = False
        self._closed = False
        self._thread: threading.Thread | None = None

    def begin(self, *, graphics: bool) -> None:
        """Look now, when not `busy`; ``graphics`` is whether drivers of graphics cards may be touched."""
        with self._lock:
            self._wanted = True
        self._thread = threading.Thread(target=self._look, args=(graphics,), name="second-look")
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a look is under way."""
        return self._thread is not None and self._thread.is_alive()

    def take(self) -> Hardware | None:
        """What was found, once."""
        with self._lock:
            found, self._found = self._found, None
        return found

    def forget(self) -> None:
        """What was found, or will be, is of no interest any more: somebody has looked since."""
        with self._lock:
            self._found = None
            self._wanted = False

    def close(self) -> None:
        """Give up what is under way."""
        with self._lock:
            self._closed = True
            client = self._client
        if client is not None:
            client.close()
        if self._thread is not None:
            self._thread.join()

    def _look(self, graphics: bool) -> None:
        client = self._make_client(graphics)
        try:
            with self._lock:
                if self._closed:
                    return
                client.start()
                self._client = client
        except UserError as error:
            log.warning("no second look at the devices: %s", error)
            return
        hardware = self._wait(client)
        client.close()
        with self._lock:
            self._client = None
            self._found = hardware if self._wanted else None
            found = self._found is not None
        if found:
            self._tell()

    def _wait(self, client: EngineClient) -> Hardware | None:
        deadline = time.monotonic() + PATIENCE_S
        while not self._closed and (left := deadline - time.monotonic()) > 0:
            match client.receive(left):
                case Hello(hardware=hardware):
                    return hardware
                case EngineLost() as lost:
                    log.warning("no second look at the devices: %s", lost.reason)
                    return None
                case _:
                    pass
        return None


def gone_and_new(before: Hardware, after: Hardware) -> tuple[tuple[Device, ...], tuple[Device, ...]]:
    """The devices that there were, and those that there were not before. Their numbers may have changed."""
    return _beyond(before, after), _beyond(after, before)


def _beyond(some: Hardware, others: Hardware) -> tuple[Device, ...]:
    left = Counter((device.backend, device.description) for device in others.devices)
    beyond: list[Device] = []
    for device in some.devices:
        key = (device.backend, device.description)
        if left[key] > 0:
            left[key] -= 1
        else:
            beyond.append(device)
    return tuple(beyond)
