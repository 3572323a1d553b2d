"""What stands unsent in the composer, kept while it is typed."""

from PySide6.QtCore import QObject, QTimer

from app.services.job_thread import JobThread
from app.store.chats import ChatStore

DRAFT_PAUSE_MS = 500


class Drafts(QObject):
    """Stores a draft when typing pauses, and at once when asked to. A chat is its id; None is the fresh one."""

    def __init__(self, store: JobThread[ChatStore]) -> None:
        super().__init__()
        self._store = store
        self._changed: tuple[int | None, str] | None = None
        self._pause = QTimer(self, singleShot=True, interval=DRAFT_PAUSE_MS)
        self._pause.timeout.connect(self.flush)

    def change(self, chat: int | None, text: str) -> None:
        """The composer of ``chat`` holds this text now."""
        if self._changed is not None and self._changed[0] != chat:
            self.flush()
        self._changed = (chat, text)
        self._pause.start()

    def drop(self) -> None:
        """Forget what is not stored yet: it was sent."""
        self._pause.stop()
        self._changed = None

    def move(self, new_chat: int) -> None:
        """The fresh chat has become ``new_chat``; so has what was typed since."""
        if self._changed is not None and self._changed[0] is None:
            self._changed = (new_chat, self._changed[1])

    def flush(self) -> None:
        """Store it at once."""
        self._pause.stop()
        if self._changed is not None:
            (chat, text), self._changed = self._changed, None
            self._store.submit(lambda store: store.save_draft(chat, text))
