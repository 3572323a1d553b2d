"""Keeps chats' memories over the leaving of a chat, an unloading of the model, and the end of the program."""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial

from app.engine.memory import SequenceMemory, common_prefix
from app.engine.memory_image import MemoryImage
from app.engine.snapshot_file import SnapshotKey, snapshot_bytes
from app.engine.snapshots import SnapshotFolder

log = logging.getLogger("alcove.engine.snapshots")

LEAST_MEASURED = 64
"""Tokens; the time that fewer take to read says little of the speed."""

GUESSED_SPEED = 100.0
"""Tokens a second before any were read: a laptop's processor with gpt-oss-20b."""


class ChatKeeper:
    """Serves one loaded model. Called on the child's main thread; files are written on a thread of its own.

    A memory is written when its chat is left and reading it again would take ``least_s`` seconds or more.
    """

    def __init__(self, folder: SnapshotFolder, key: SnapshotKey, memory: SequenceMemory, least_s: float) -> None:
        self._folder = folder
        self._key = key
        self._memory = memory
        self._least_s = least_s
        self._chat = ""
        self._speed = GUESSED_SPEED
        self._lock = threading.Condition()
        # Guarded by the lock: what the thread still has to write, and what it wrote last.
        self._pending: tuple[str, MemoryImage] | None = None
        self._kept: tuple[str, tuple[int, ...]] = ("", ())
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="snapshots", daemon=True)
        self._writer.start()

    def enter(self, chat: str, prompt: Sequence[int]) -> None:
        """A prompt of this chat ("" for one that leaves no trace) is about to be read: bring its memory back if that
        spares more than what is in memory.
        """
        if chat != self._chat:
            left, self._chat = self._chat, chat
            self._keep(left)
        if not chat:
            return
        most = len(prompt) - 1
        here = common_prefix(self._memory.tokens, prompt, most)
        if (most - here) / self._speed < self._least_s:
            return
        with self._lock:
            pending = self._pending
        unwritten = pending[1] if pending is not None and pending[0] == chat else None
        tokens = self._folder.peek(chat, self._key) if unwritten is None else unwritten.tokens
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
        self._tasks.put(partial(self._forget, chat))

    def keep_within(self, space_bytes: int) -> None:
        """All memories together may take this space from now on; what is there and over it goes."""
        self._folder.space_bytes = space_bytes
        self._tasks.put(self._make_room)

    def close(self) -> None:
        """Leave the chat, and wait until everything is written."""
        with self._lock:
            self._lock.wait_for(lambda: self._pending is None)
        self.leave()
        self._tasks.put(None)
        self._writer.join()

    def _keep(self, chat: str) -> int:
        tokens = self._memory.tokens
        if not chat or not self._folder.space_bytes or len(tokens) / self._speed < self._least_s:
            return 0
        size = self._memory.image_bytes
        with self._lock:
            # One at a time: memories are large, and a slow disk must not pile them up.
            if self._pending is not None or self._kept == (chat, tuple(tokens)) or size > self._folder.space_bytes:
                return 0
        try:
            image = self._memory.export()
        except MemoryError:
            log.warning("no memory to keep a chat of %d tokens", len(tokens))
            return 0
        with self._lock:
            self._pending = (chat, image)
        self._tasks.put(partial(self._save, chat, image))
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

    def _save(self, chat: str, image: MemoryImage) -> None:
        size = 0
        try:
            size = self._folder.write(chat, self._key, image)
        finally:
            with self._lock:
                self._kept = (chat, image.tokens) if size else self._kept
                self._pending = None
                self._lock.notify_all()
        log.info("%d tokens of a chat are kept in %d bytes", len(image.tokens), size)
