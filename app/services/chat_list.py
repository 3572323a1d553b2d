"""The list of chats: what stands in it, renaming, deleting and taking that back."""

from functools import partial

from PySide6.QtCore import QObject, Signal

from app.domain.tree import ConversationInfo
from app.services import chat_jobs
from app.services.drafts import Drafts
from app.services.job_thread import JobThread
from app.store.chats import ChatStore


class ChatList(QObject):
    """All chats, newest first. Methods return at once; what they lead to arrives as signals.

    ``changed(tuple[ConversationInfo, ...])``: the list as it is now.
    ``deleted(ConversationInfo)``: offer to take it back.
    """

    changed = Signal(object)
    deleted = Signal(object)

    def __init__(self, store: JobThread[ChatStore], drafts: Drafts) -> None:
        super().__init__()
        self._store = store
        self._drafts = drafts
        self._chats: tuple[ConversationInfo, ...] = ()

    def chats(self) -> tuple[ConversationInfo, ...]:
        """All chats, newest first."""
        return self._chats

    def show(self, chats: tuple[ConversationInfo, ...]) -> None:
        """The store was read: this is the list now."""
        self._chats = chats
        self.changed.emit(chats)

    def refresh(self) -> None:
        """Read the list again, after all that was asked of the store before."""
        self._store.submit(ChatStore.conversations, done=self.show)

    def rename(self, conversation_id: int, title: str) -> None:
        """Give a chat another title; an empty one is ignored."""
        title = " ".join(title.split())
        if title:
            self._store.submit(partial(chat_jobs.rename, conversation_id=conversation_id, title=title), done=self.show)

    def delete(self, conversation_id: int) -> None:
        """Take a chat out of the list; it is purged at the end of the program."""
        info = next((chat for chat in self._chats if chat.id == conversation_id), None)
        if info is not None:
            self._chats = tuple(chat for chat in self._chats if chat.id != conversation_id)
            self._drafts.flush()
            self._store.submit(
                partial(chat_jobs.delete, conversation_id=conversation_id), done=partial(self._deleted, info)
            )

    def restore(self, conversation_id: int) -> None:
        """Put a deleted chat back."""
        self._store.submit(partial(chat_jobs.restore, conversation_id=conversation_id), done=self.show)

    def _deleted(self, info: ConversationInfo, chats: tuple[ConversationInfo, ...]) -> None:
        self.show(chats)
        self.deleted.emit(info)
