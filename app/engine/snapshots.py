"""The folder of chats' memories: found by chat, bounded in space, least recently used first out."""

import hashlib
import logging
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from app.engine.memory_image import MemoryImage
from app.engine.snapshot_file import (
    SnapshotError,
    SnapshotKey,
    part_path,
    peek_snapshot,
    read_snapshot,
    snapshot_bytes,
    write_snapshot,
)

log = logging.getLogger("alcove.engine.snapshots")

_SUFFIX = ".memory"


class SnapshotFolder:
    """One file per chat. Nothing here raises for a file's sake: a snapshot that cannot be read or written is none.

    The child writes and reads; the window's process only removes. Files appear and go as a whole.
    """

    def __init__(self, folder: Path, space_bytes: int) -> None:
        """``space_bytes`` is what all files together may take; 0 keeps none. Any thread may set it; what is there
        already goes with the next write, or with `make_room`.
        """
        self._folder = folder
        self.space_bytes = space_bytes

    def peek(self, chat: str, key: SnapshotKey) -> tuple[int, ...]:
        """The tokens that a chat's snapshot promises; none when there is no snapshot for this key. One that is of no
        use is removed.
        """
        with self._removing_useless(chat):
            promise = peek_snapshot(self._path(chat))
            if promise.key != key:
                raise SnapshotError("it belongs to another model, engine or setting")
            return promise.tokens
        return ()

    def read(self, chat: str, key: SnapshotKey) -> MemoryImage | None:
        """A chat's memory, checked; None when there is none. It counts as used now."""
        path = self._path(chat)
        with self._removing_useless(chat):
            image = read_snapshot(path, key)
            os.utime(path)
            return image
        return None

    def write(self, chat: str, key: SnapshotKey, image: MemoryImage) -> int:
        """Keep a chat's memory in place of what was kept of it, and make room for it; the bytes written, 0 for none."""
        if snapshot_bytes(image) > self.space_bytes:
            return 0
        path = self._path(chat)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room(snapshot_bytes(image), path)
            size = write_snapshot(path, key, image)
            if size > self.space_bytes:  # which shrank meanwhile
                self._remove(path)
                return 0
            self._make_room(0, path)
        except OSError as error:
            log.warning("a chat's memory could not be kept: %s", error.strerror)
            return 0
        return size

    def forget(self, chat: str) -> None:
        """Remove a chat's snapshot, if there is one, and what is there of one that was never finished. One that another
        process is writing comes to nothing.
        """
        path = self._path(chat)
        self._remove(part_path(path))
        self._remove(path)

    def forget_all(self) -> None:
        """Remove every snapshot, unfinished ones too."""
        for path in self._files():
            self._remove(path)

    def sweep(self) -> None:
        """Remove what a process that was killed in the middle of writing left behind, and what is over the space."""
        for path in self._files():
            if path.suffix == ".part":
                self._remove(path)
        self.make_room()

    def make_room(self) -> None:
        """Remove what is over the space, least recently used first."""
        self._make_room(0, None)

    def _path(self, chat: str) -> Path:
        # Whatever a chat is called, this is a file name, and it tells nobody which chat it is.
        return self._folder / (hashlib.sha256(chat.encode("utf-8", "surrogatepass")).hexdigest()[:32] + _SUFFIX)

    def _files(self) -> tuple[Path, ...]:
        try:
            return tuple(path for path in self._folder.iterdir() if _SUFFIX in path.suffixes)
        except OSError:
            return ()

    def _make_room(self, needed: int, spared: Path | None) -> None:
        """Remove the least recently used until ``needed`` bytes more fit; ``spared`` is being replaced or was just
        written.
        """
        known: list[tuple[float, int, Path]] = []
        for path in self._files():
            try:
                status = path.stat()
            except OSError:
                continue
            if path.suffix == _SUFFIX:
                known.append((status.st_mtime, status.st_size, path))
        total = needed + sum(size for _, size, path in known if not needed or path != spared)
        for _, size, path in sorted(known):
            if total <= self.space_bytes:
                return
            if path != spared:
                self._remove(path)
                total -= size

    @contextmanager
    def _removing_useless(self, chat: str) -> Generator[None]:
        path = self._path(chat)
        try:
            yield
        except FileNotFoundError:
            pass
        except (SnapshotError, OSError) as error:
            log.info("a chat's memory is of no use: %s", error)
            self._remove(path)

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("a chat's memory could not be removed: %s", error.strerror)
