"""Keeps chats' memories over the leaving of a chat, an unloading of the model, and the end of the program."""

import logging
import queue
import threading
from collections.abc import Sequence

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
        self._kept: tuple[str, tuple[int, ...]] = ("", ())
        self._speed = GUESSED_SPEED
        self._tasks: queue.SimpleQueue[tuple[str, MemoryImage | None] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="snapshots", daemon=True)
        self._writer.start()

    def enter(self, chat: str, prompt: Sequence[int]) -> None:
        """A prompt of this chat ("" for one that leaves no trace) is about to be read: bring its memory back if that
        spares more than what is in memory.
        """
        if chat != self._chat:
            self.leave()
            self._chat = chat
        if not chat:
            return
        most = len(prompt) - 1
        here = common_prefix(self._memory.tokens, prompt, most)
        if (most - here) / self._speed < self._least_s:
            return
        there = common_prefix(self._folder.peek(chat, self._key), prompt, most)
        if (there - here) / self._speed < self._least_s:
            return
        image = self._folder.read(chat, self._key)
        if image is not None and self._memory.adopt(image):
            self._kept = (chat, image.tokens)
            log.info("%d tokens of a chat are back", len(image.tokens))

    def measured(self, tokens: int, seconds: float) -> None:
        """So long it took to read so many tokens."""
        if tokens >= LEAST_MEASURED and seconds > 0:
            self._speed = tokens / seconds

    def leave(self) -> int:
        """The chat is left: have its memory written if that is worthwhile. About how many bytes that will be."""
        tokens = self._memory.tokens
        if not self._chat or len(tokens) / self._speed < self._least_s or self._kept == (self._chat, tuple(tokens)):
            return 0
        image = self._memory.export()
        self._kept = (self._chat, image.tokens)
        self._tasks.put((self._chat, image))
        return snapshot_bytes(image)

    def forget(self, chat: str) -> None:
        """The chat is deleted: nothing of it stays, nor is written any more."""
        if chat == self._chat:
            self._chat = ""
        self._kept = ("", ())
        self._tasks.put((chat, None))

    def close(self) -> None:
        """Leave the chat, and wait until everything is written."""
        self.leave()
        self._tasks.put(None)
        self._writer.join()

    def _write(self) -> None:
        self._folder.sweep()
        while (task := self._tasks.get()) is not None:
            chat, image = task
            if image is None:
                self._folder.forget(chat)
            else:
                size = self._folder.write(chat, self._key, image)
                log.info("%d tokens of a chat are kept in %d bytes", len(image.tokens), size)
            del task, image  # a memory is large
