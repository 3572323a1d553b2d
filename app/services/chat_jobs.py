"""What the chats ask of the store: jobs for its thread, each one whole or not at all."""

from dataclasses import dataclass

from app.domain.conversation import Effort, Message, Role
from app.domain.errors import UserError
from app.domain.title import title_from
from app.domain.tree import Conversation, ConversationInfo, MessageNode
from app.store.chats import ChatStore

_UNANSWERED = Message(Role.ASSISTANT)
# A pasted book need not be read to its end for a title.
_TITLED = 10_000


@dataclass(frozen=True, slots=True)
class Opening:
    """The store at the start of the program; ``problems`` were found and mended on opening."""

    chats: tuple[ConversationInfo, ...]
    draft: str
    problems: tuple[UserError, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A chat to show, and its draft; None is the fresh one."""

    conversation: Conversation | None
    draft: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A stored question and the still empty ``answer`` to it; ``chats`` is the list as it is now."""

    conversation: Conversation
    added: tuple[MessageNode, ...]
    answer: MessageNode
    chats: tuple[ConversationInfo, ...]


@dataclass(frozen=True, slots=True)
class NewChat:
    """What a chat starts with; it never changes by itself, so that the prompt's beginning stays the same."""

    date: str
    effort: Effort
    instructions: str


def open_store(store: ChatStore) -> Opening:
    """Remove what was deleted in the last run and read the list."""
    store.purge_deleted()
    return Opening(store.conversations(), store.draft(None), store.problems)


def show(store: ChatStore, conversation_id: int | None) -> Shown:
    """Read a chat and its draft."""
    conversation = None if conversation_id is None else store.conversation(conversation_id)
    return Shown(conversation, store.draft(conversation_id))


def begin_chat(store: ChatStore, new: NewChat, text: str, model: str) -> Turn:
    """Store a fresh chat with its first message."""
    with store.together():
        info = store.create(
            date=new.date,
            effort=new.effort,
            instructions=new.instructions,
            model=model,
            title=title_from(text[:_TITLED]),
        )
        user = store.append(info.id, None, Message(Role.USER, text))
        answer = store.append(info.id, user.id, _UNANSWERED, complete=False)
        store.save_draft(None, "")
    return Turn(store.conversation(info.id), (user, answer), answer, store.conversations())


def say(
    store: ChatStore, conversation_id: int, parent: int | None, text: str, model: str, *, version_of: int | None = None
) -> Turn:
    """Append a message and the empty answer to it.

    Another version of a message (``version_of``) is pinned when that one is, and keeps the composer's draft.
    """
    with store.together():
        pinned = version_of is not None and store.conversation(conversation_id).node(version_of).message.pinned
        user = store.append(conversation_id, parent, Message(Role.USER, text, pinned=pinned))
        answer = store.append(conversation_id, user.id, _UNANSWERED, complete=False)
        store.update(conversation_id, model=model)
        if version_of is None:
            store.save_draft(conversation_id, "")
    return Turn(store.conversation(conversation_id), (user, answer), answer, store.conversations())


def answer_again(store: ChatStore, conversation_id: int, parent: int, model: str) -> Turn:
    """Append another empty answer to the message ``parent``."""
    with store.together():
        answer = store.append(conversation_id, parent, _UNANSWERED, complete=False)
        store.update(conversation_id, model=model)
    return Turn(store.conversation(conversation_id), (answer,), answer, store.conversations())


def choose_leaf(store: ChatStore, conversation_id: int, leaf: int) -> Conversation:
    """Show another path."""
    store.select_leaf(conversation_id, leaf)
    return store.conversation(conversation_id)


def rename(store: ChatStore, conversation_id: int, title: str) -> tuple[ConversationInfo, ...]:
    """Give a chat another title; the list as it is then."""
    store.update(conversation_id, title=title)
    return store.conversations()


def delete(store: ChatStore, conversation_id: int) -> tuple[ConversationInfo, ...]:
    """Hide a chat; the list as it is then."""
    store.delete(conversation_id)
    return store.conversations()


def restore(store: ChatStore, conversation_id: int) -> tuple[ConversationInfo, ...]:
    """Put a hidden chat back; the list as it is then."""
    store.restore(conversation_id)
    return store.conversations()
