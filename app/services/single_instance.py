"""One program per profile: the first holds a lock, a second start asks it to show its window and ends."""

import hashlib
import logging
import os
import sys
import time
from functools import partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, QThread, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from app.domain.errors import ErrorCode, UserError

log = logging.getLogger(__name__)

_RAISE = b"raise\n"
_DONE = b"done\n"
_WAIT_MS = 2000
_ATTEMPTS = 20

END_S = 30.0
"""The longest that a program without a window keeps its profile: it may have a chat's memory to write."""

_LOOK_MS = 50
_STATE_AT = 1  # beside the byte that is locked, which Windows lets nobody else read
_RUNS = b"-"
_ENDS = b"e"


class ProfileLock:
    """A lock on a file that the system takes back when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Whether this process has the profile now. Raises ``UserError(PROFILE_UNWRITABLE)``."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UserError(
                ErrorCode.PROFILE_UNWRITABLE, path=str(self._path), reason=error.strerror or str(error)
            ) from error
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        self._say(_RUNS)
        return True

    @property
    def ends(self) -> bool:
        """Whether the program that has it is at its end."""
        try:
            with self._path.open("rb") as file:
                file.seek(_STATE_AT)
                return file.read(1) == _ENDS
        except OSError:
            return False

    def say_it_ends(self) -> None:
        """Who wants the profile need only wait a little; nothing without the lock."""
        if self._descriptor is not None:
            self._say(_ENDS)

    def _say(self, state: bytes) -> None:
        """On a disk that is full the next one gets to know less; that is all."""
        assert self._descriptor is not None
        try:
            os.lseek(self._descriptor, _STATE_AT, os.SEEK_SET)
            os.write(self._descriptor, state)
        except OSError as error:
            log.warning("what the program is at cannot be told: %s", error.strerror)

    def release(self) -> None:
        """Let the next one have it. The file stays: removing it could take another's lock away."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _lock(descriptor: int) -> None:
    """Lock an open file for this process; OSError when another has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _pause() -> None:
    QThread.msleep(_LOOK_MS)


class SingleInstance(QObject):
    """``raise_requested()``: a second start wants to see this window."""

    raise_requested = Signal()

    def __init__(self, folder: Path) -> None:
        """``folder`` is the profile's data folder; it has to exist."""
        super().__init__()
        self._folder = folder
        self._lock = ProfileLock(folder / "alcove.lock")
        # The name is short: on some systems it becomes part of a socket's path, which holds a hundred characters.
        self.name = "alcove-" + hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:20]
        self._server: QLocalServer | None = None
        self._callers: list[QLocalSocket] = []

    def claim(self) -> bool:
        """Take the profile. False: another program has it, and was asked to show its window.

        One that is at its end, its window gone already, is waited for. Raises ``UserError``: ``STORE_LOCKED`` when the
        other does not answer, ``PROFILE_UNWRITABLE``.
        """
        until = time.monotonic() + END_S
        while not self._lock.take():
            if self._lock.ends and time.monotonic() < until:
                _pause()
            elif self._ask_to_raise():
                return False
            elif not self._lock.ends or time.monotonic() >= until:
                raise UserError(ErrorCode.STORE_LOCKED, path=str(self._folder))
        # The lock is ours, so a socket of this name is what a killed program has left.
        QLocalServer.removeServer(self.name)
        server = QLocalServer(self)
        server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        server.newConnection.connect(self._accept)
        if not server.listen(self.name):
            # The lock alone keeps the profile safe; a second start then says that the profile is in use.
            log.warning("no second start can be heard: %s", server.errorString())
        self._server = server
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.end)
        return True

    def end(self) -> None:
        """The window is gone for good; who asks for it waits for `close`. By itself when the application quits."""
        self._lock.say_it_ends()
        for socket in tuple(self._callers):
            self._forget(socket)
        if self._server is not None:
            self._server.close()
            self._server = None

    def close(self) -> None:
        """Give the profile back."""
        self.end()
        self._lock.release()

    def _ask_to_raise(self) -> bool:
        socket = QLocalSocket()
        for _ in range(_ATTEMPTS):
            socket.connectToServer(self.name)
            if socket.waitForConnected(_WAIT_MS):
                break
            # The other may be starting too: it has the lock and does not listen yet.
            QThread.msleep(_WAIT_MS // _ATTEMPTS)
        else:
            return False
        socket.write(_RAISE)
        answered = socket.waitForBytesWritten(_WAIT_MS) and socket.waitForReadyRead(_WAIT_MS)
        answered = answered and socket.readAll().data() == _DONE
        socket.disconnectFromServer()
        return answered

    def _accept(self) -> None:
        assert self._server is not None
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.setReadBufferSize(len(_RAISE))
            socket.readyRead.connect(partial(self._answer, socket))
            socket.disconnected.connect(partial(self._forget, socket))
            self._callers.append(socket)

    def _forget(self, socket: QLocalSocket) -> None:
        # A socket says that it is disconnected from its destructor too, when it is too late to delete it.
        socket.readyRead.disconnect()
        socket.disconnected.disconnect()
        self._callers.remove(socket)
        socket.abort()
        socket.deleteLater()

    def _answer(self, socket: QLocalSocket) -> None:
        if socket.bytesAvailable() < len(_RAISE):
            return
        if socket.read(len(_RAISE)).data() == _RAISE:
            socket.write(_DONE)
            socket.flush()
            self.raise_requested.emit()
        else:
            self._forget(socket)
