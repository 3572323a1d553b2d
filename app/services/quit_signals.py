"""Ctrl+C in the terminal and a polite kill end the program as closing its window does."""

import signal
import socket
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier, Signal

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class QuitSignals(QObject):
    """``quit_requested()``: the system or the terminal wants the program to end.

    Python's signal handlers wait until Python code runs, which an idle window may never do; the signal's number is
    therefore written to a socket that Qt's event loop watches.
    """

    quit_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._read_end, self._write_end = socket.socketpair()
        self._read_end.setblocking(False)
        self._write_end.setblocking(False)
        self._notifier = QSocketNotifier(self._read_end.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._arrived)
        self._before = {number: signal.signal(number, _ignore) for number in _SIGNALS}
        self._descriptor_before = signal.set_wakeup_fd(self._write_end.fileno())

    def close(self) -> None:
        """Leave the signals as they were."""
        signal.set_wakeup_fd(self._descriptor_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._notifier.setEnabled(False)
        self._read_end.close()
        self._write_end.close()

    def _arrived(self) -> None:
        numbers = self._read_end.recv(64)
        if any(number in numbers for number in _SIGNALS):
            self.quit_requested.emit()


def _ignore(number: int, frame: FrameType | None) -> None:
    """The socket tells."""
