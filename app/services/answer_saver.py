"""Saves answers while they grow, and for good when they have ended."""

from dataclasses import replace

from PySide6.QtCore import QObject, QTimer, Signal

from app.domain.errors import UserError
from app.domain.tree import Conversation, MessageNode
from app.services.growing_answer import GrowingAnswer
from app.services.job_thread import JobThread
from app.store.chats import ChatStore

# What a crash may cost is a second, this time and that of a write included.
SAVE_EVERY_MS = 500
# A disk that was full is tried again at this pace.
RETRY_EVERY_MS = 5000


class _Watched:
    """An answer and which of its versions is on the disk."""

    def __init__(self, answer: GrowingAnswer) -> None:
        self.answer = answer
        self.saved_version = 0
        self.saving = False
        self.failed = False
        self.ended = False


class AnswerSaver(QObject):
    """Writes every answer it is given at least every second, until it has ended and its end is stored.

    An answer that could not be stored stays in memory and is tried again, as long as the program runs.
    ``problem(UserError)`` comes once for a series of failures.
    """

    problem = Signal(object)

    def __init__(self, store: JobThread[ChatStore]) -> None:
        super().__init__()
        self._store = store
        self._watched: dict[int, _Watched] = {}
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._save_all)

    def watch(self, answer: GrowingAnswer) -> None:
        """Save this answer from now on, in place of an earlier one in the same node, which it goes on with."""
        self._watched[answer.node_id] = _Watched(answer)
        if not self._timer.isActive():
            self._timer.start(SAVE_EVERY_MS)

    def ended(self, answer: GrowingAnswer) -> None:
        """The answer will not change any more: save it at once."""
        watched = self._watched[answer.node_id]
        watched.ended = True
        self._save(watched)

    def patched(self, conversation: Conversation) -> Conversation:
        """A conversation as read, with the answers that the disk does not have in full."""
        if not any(node.id in self._watched for node in conversation.nodes):
            return conversation
        return replace(conversation, nodes=tuple(self._newest(node) for node in conversation.nodes))

    def save(self) -> None:
        """Hand all that is new to the store's thread, whatever it is at."""
        for watched in self._watched.values():
            if watched.saved_version != watched.answer.version:
                self._submit(watched)

    def close(self) -> None:
        """Hand what is not saved to the store's thread, which does it before it ends."""
        self._timer.stop()
        for watched in self._watched.values():
            self._submit(watched)
        self._watched.clear()

    def _newest(self, node: MessageNode) -> MessageNode:
        watched = self._watched.get(node.id)
        if watched is None:
            return node
        newest = watched.answer.node  # which knows nothing of pins
        return replace(newest, message=replace(newest.message, pinned=node.message.pinned))

    def _save_all(self) -> None:
        for watched in self._watched.values():
            self._save(watched)

    def _save(self, watched: _Watched) -> None:
        if not watched.saving and watched.saved_version != watched.answer.version:
            watched.saving = True
            self._submit(watched)

    def _submit(self, watched: _Watched) -> None:
        node, version = watched.answer.node, watched.answer.version
        self._store.submit(
            lambda store: store.save_answer(node.id, node.message, complete=node.complete, receipt=node.receipt),
            done=lambda _: self._saved(watched, version),
            failed=lambda error: self._failed(watched, error),
        )

    def _saved(self, watched: _Watched, version: int) -> None:
        watched.saving = False
        watched.failed = False
        watched.saved_version = version
        if version != watched.answer.version:
            if watched.ended and self._watched.get(watched.answer.node_id) is watched:
                self._save(watched)
        elif watched.ended and self._watched.get(watched.answer.node_id) is watched:
            del self._watched[watched.answer.node_id]
        self._set_pace()

    def _failed(self, watched: _Watched, error: UserError) -> None:
        watched.saving = False
        if not watched.failed:
            watched.failed = True
            self.problem.emit(error)
        self._set_pace()

    def _set_pace(self) -> None:
        if not self._watched:
            self._timer.stop()
            return
        pace = RETRY_EVERY_MS if any(watched.failed for watched in self._watched.values()) else SAVE_EVERY_MS
        if self._timer.interval() != pace or not self._timer.isActive():
            self._timer.start(pace)
