"""Keeps chats' memories over the leaving of a chat, an unloading of the model, and the end of the program."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from app.engine.hardware import free_memory
from app.engine.memory import SequenceMemory, common_prefix
from app.engine.memory_image import MemoryImage
from app.engine.snapshot_file import SnapshotKey, snapshot_bytes
from app.engine.snapshots import SnapshotFolder

log = logging.getLogger("alcove.engine.snapshots")

LEAST_MEASURED = 64
"""Tokens; the time that fewer take to read says little of the speed."""

GUESSED_SPEED = 100.0
"""Tokens a second before any were read: a laptop's processor with gpt-oss-20b."""


WAIT_S = 2.0
"""The longest that a new chat waits for the disk, so that the one before it can be kept."""

_LOOK_S = 0.05  # how often it is asked meanwhile whether the user gave up


@dataclass(frozen=True, slots=True, eq=False)
class _Copy:
    chat: str
    image: MemoryImage


class ChatKeeper:
    """Serves one loaded model. Called on the child's main thread; files are written on a thread of its own.

    A memory is written when its chat is left and reading it again would take ``least_s`` seconds or more.
    """

    def __init__(
        self,
        folder: SnapshotFolder,
        key: SnapshotKey,
        memory: SequenceMemory,
        least_s: float,
        free_bytes: Callable[[], int] = free_memory,
    ) -> None:
        """``free_bytes`` is main memory that nobody uses: with plenty of it two chats' memories may wait for the disk,
        otherwise one.
        """
        self._folder = folder
        self._key = key
        self._memory = memory
        self._least_s = least_s
        self._free_bytes = free_bytes
        self._chat = ""
        self._speed = GUESSED_SPEED
        self._lock = threading.Condition()
        # Guarded by the lock: what the thread still has to write, in this order, and what it wrote last.
        self._waiting: list[_Copy] = []
        self._kept: tuple[str, tuple[int, ...]] = ("", ())
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="snapshots", daemon=True)
        self._writer.start()

    def enter(self, chat: str, prompt: Sequence[int], given_up: Callable[[], bool]) -> None:
        """A prompt of this chat ("" for one that leaves no trace) is about to be read: bring its memory back if that
        spares more than what is in memory.

        It may wait `WAIT_S` for the disk, or until ``given_up`` says that nobody wants an answer any more.
        """
        if chat != self._chat:
            left, self._chat = self._chat, chat
            self._keep(left, WAIT_S, given_up)
        if not chat:
            return
        most = len(prompt) - 1
        here = common_prefix(self._memory.tokens, prompt, most)
        if (most - here) / self._speed < self._least_s:
            return
        with self._lock:
            unwritten = self._unwritten(chat)
        tokens = self._folder.peek(chat, self._key) if unwritten is None else unwritten.tokens
        if len(tokens) > self._memory.size:  # of a context that was longer
            return
        if (common_prefix(tokens, prompt, most) - here) / self._speed < self._least_s:
            return
        image = unwritten or self._folder.read(chat, self._key)
        if image is not None and self._memory.adopt(image):
            log.info("%d tokens of a chat are back", len(image.tokens))

    def measured(self, tokens: int, seconds: float) -> None:
        """So long it took to read so many tokens."""
        if tokens >= LEAST_MEASURED and seconds > 0:
            self._speed = tokens / seconds

    def leave(self) -> int:
        """The chat is left: have its memory written if that is worthwhile. About how many bytes that will be."""
        return self._keep(self._chat)

    def forget(self, chat: str) -> None:
        """The chat is deleted: nothing of it stays, nor is written any more."""
        if chat == self._chat:
            self._chat = ""
        with self._lock:
            self._waiting = [copy for copy in self._waiting if copy.chat != chat]
        self._tasks.put(partial(self._forget, chat))

    def keep_within(self, space_bytes: int) -> None:
        """All memories together may take this space from now on; what is there and over it goes."""
        self._folder.space_bytes = space_bytes
        self._tasks.put(self._make_room)

    def close(self) -> None:
        """Leave the chat, and wait until everything is written."""
        with self._lock:
            self._lock.wait_for(lambda: not self._waiting)
        self.leave()
        self._tasks.put(None)
        self._writer.join()

    def _unwritten(self, chat: str) -> MemoryImage | None:
        """The newest of a chat that the disk does not have yet; the lock is held."""
        return next((copy.image for copy in reversed(self._waiting) if copy.chat == chat), None)

    def _keep(self, chat: str, patience_s: float = 0.0, given_up: Callable[[], bool] = lambda: False) -> int:
        tokens = self._memory.tokens
        if not chat or not self._folder.space_bytes or len(tokens) / self._speed < self._least_s:
            return 0
        size = self._memory.image_bytes
        # Memories are large, and a slow disk must not pile them up.
        most = 2 if size <= self._free_bytes() // 4 else 1
        until = time.monotonic() + patience_s
        with self._lock:
            unwritten = self._unwritten(chat)
            newest = self._kept if unwritten is None else (chat, unwritten.tokens)
            if newest == (chat, tuple(tokens)) or size > self._folder.space_bytes:
                return 0
            while len(self._waiting) >= most:
                left = until - time.monotonic()
                if left <= 0 or given_up():
                    return 0
                self._lock.wait(min(left, _LOOK_S))
        try:
            image = self._memory.export()
        except MemoryError:
            log.warning("no memory to keep a chat of %d tokens", len(tokens))
            return 0
        copy = _Copy(chat, image)
        with self._lock:
            self._waiting.append(copy)
        self._tasks.put(partial(self._save, copy))
        return snapshot_bytes(image)

    def _write(self) -> None:
        self._folder.sweep()
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except Exception:  # the edge of the thread: chats go on without being kept
                log.exception("a chat's memory could not be kept")
            finally:
                del task  # a memory is large

    def _forget(self, chat: str) -> None:
        self._folder.forget(chat)
        with self._lock:
            self._kept = ("", ()) if self._kept[0] == chat else self._kept

    def _make_room(self) -> None:
        self._folder.make_room()
        with self._lock:  # it may be gone
            self._kept = ("", ())

    def _save(self, copy: _Copy) -> None:
        with self._lock:
            if copy not in self._waiting:  # its chat is deleted
                return
        size = 0
        try:
            size = self._folder.write(copy.chat, self._key, copy.image)
        finally:
            with self._lock:
                self._kept = (copy.chat, copy.image.tokens) if size else self._kept
                self._waiting = [other for other in self._waiting if other is not copy]
                self._lock.notify_all()
        log.info("%d tokens of a chat are kept in %d bytes", len(copy.image.tokens), size)
