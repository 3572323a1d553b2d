"""The chats: what is shown, what is answered, what is stored."""

from PySide6.QtCore import QObject, Signal

from app.domain.conversation import Effort
from app.domain.tree import Conversation, ConversationInfo


class ChatService(QObject):
    """Everything the chat pane does.

    Methods are called on the UI thread and return at once; what they lead to arrives as signals, on the UI thread
    too, in the order of the calls.

    ``conversations_changed(tuple[ConversationInfo, ...])``: the list, newest first.
    ``opened(Conversation | None, str)``: another chat is shown, with its draft; None is a fresh chat, which is stored
    with its first message (then `current()` is the new one: `conversations_changed`, `node_added`, `node_added`).
    ``path_changed(Conversation)``: the shown chat's path or info is another (edit, regenerate, version, effort).
    ``node_added(MessageNode)``: a message was appended to the shown path.
    ``answer_grew(AnswerGrowth)``, ``answer_finished(MessageNode)``: of an answer in the shown path; growth comes at
    most once per frame. A finished node with ``complete`` False was cut short; ``receipt.finish_reason`` tells why.
    ``reading(int, int)``: tokens of the prompt that the shown chat's answer waits for: done, total.
    ``busy_changed(bool)``: whether the shown chat is being answered (it changes with the shown chat too).
    ``deleted(ConversationInfo)``: offer `undo_delete`.
    ``returned(str)``: a text that could not be sent or stored; it goes back into the composer.
    ``problem(UserError)``: say it in the message bar.
    """

    conversations_changed = Signal(object)
    opened = Signal(object, str)
    path_changed = Signal(object)
    node_added = Signal(object)
    answer_grew = Signal(object)
    answer_finished = Signal(object)
    reading = Signal(int, int)
    busy_changed = Signal(bool)
    deleted = Signal(object)
    returned = Signal(str)
    problem = Signal(object)

    def start(self) -> None:
        """Open the store and show a fresh chat; call it once the window listens."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """Whether the shown chat is being answered, or waits for its turn."""
        raise NotImplementedError

    @property
    def answering_node(self) -> int | None:
        """The node that the shown chat's answer grows in; any other incomplete node was cut short."""
        raise NotImplementedError

    @property
    def effort(self) -> Effort:
        """The shown chat's reasoning effort."""
        raise NotImplementedError

    def conversations(self) -> tuple[ConversationInfo, ...]:
        """All chats, newest first."""
        raise NotImplementedError

    def current(self) -> Conversation | None:
        """The shown chat; None while it is a fresh one."""
        raise NotImplementedError

    def new_chat(self) -> None:
        """Show a fresh chat."""
        raise NotImplementedError

    def open(self, conversation_id: int) -> None:
        """Show a chat. An answer that streams in another one goes on there."""
        raise NotImplementedError

    def send(self, text: str) -> None:
        """Append a message to the shown chat and answer it; whitespace alone is ignored."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the shown chat's answer; what is there stays."""
        raise NotImplementedError

    def regenerate(self, node_id: int | None = None) -> None:
        """Answer again, as another version of this answer (default: the last one shown)."""
        raise NotImplementedError

    def edit(self, node_id: int, text: str) -> None:
        """Say it differently: another version of a user's message, and its answer."""
        raise NotImplementedError

    def select_version(self, node_id: int) -> None:
        """Show the path through this version of a message."""
        raise NotImplementedError

    def rename(self, conversation_id: int, title: str) -> None:
        """Give a chat another title; an empty one is ignored."""
        raise NotImplementedError

    def delete(self, conversation_id: int) -> None:
        """Take a chat out of the list; it is purged at the end of the program."""
        raise NotImplementedError

    def undo_delete(self, conversation_id: int) -> None:
        """Put a deleted chat back."""
        raise NotImplementedError

    def set_effort(self, effort: Effort) -> None:
        """Change the shown chat's reasoning effort, from the next answer on."""
        raise NotImplementedError

    def save_draft(self, text: str) -> None:
        """Remember what stands in the composer of the shown chat; call it on every change."""
        raise NotImplementedError
