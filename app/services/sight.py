"""What of the shown chat the model sees: where its view begins, and which messages are kept in it."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from app.domain.errors import UserError
from app.domain.tree import Conversation, Horizon, horizon, horizon_at
from app.services.growing_answer import GrowingAnswer, with_node
from app.services.job_thread import JobThread
from app.services.running_answers import RunningAnswers
from app.store.chats import ChatStore


class Sight(QObject):
    """Follows the answers of the shown chat.

    ``horizon_changed(Horizon | None)``: the prompt of an answer in the shown path was made; None: nothing was left
    out of it. ``pinned(int, bool)``: a message of the shown chat is kept in the model's view, or no longer.
    ``problem(UserError)``: that could not be stored.
    """

    horizon_changed = Signal(object)
    pinned = Signal(int, bool)
    problem = Signal(object)

    def __init__(
        self,
        store: JobThread[ChatStore],
        answers: RunningAnswers,
        shown: Callable[[], Conversation | None],
        change: Callable[[Conversation], None],
    ) -> None:
        """``shown`` is the shown chat; ``change`` puts another version of it in its place."""
        super().__init__()
        self._store = store
        self._answers = answers
        self._shown = shown
        self._change = change
        answers.prompt_made.connect(self._prompt_made)

    @property
    def horizon(self) -> Horizon | None:
        """Where the model's view of the shown path begins, as far as the newest prompt tells; None: at its first."""
        chat = self._shown()
        if chat is None:
            return None
        path = chat.path()
        answer = self._answers.of(chat.info.id)
        place = next((i for i, node in enumerate(path) if answer is not None and node.id == answer.node_id), None)
        if answer is not None and answer.prompt is not None and place is not None:
            return horizon_at(path[:place], answer.prompt.left_out, answer.prompt.kept)
        return horizon(path)

    def pin(self, node_id: int, pinned: bool) -> None:
        """Keep a message of the shown chat in the model's view when its memory is full, from the next answer on."""
        chat = self._shown()
        if chat is None:
            return

        def failed(error: UserError) -> None:
            self._show(chat.info.id, node_id, not pinned)
            self.problem.emit(error)

        self._store.submit(lambda store: store.pin(node_id, pinned), failed=failed)
        self._show(chat.info.id, node_id, pinned)

    def _show(self, chat_id: int, node_id: int, pinned: bool) -> None:
        chat = self._shown()
        if chat is not None and chat.info.id == chat_id:
            node = chat.node(node_id)
            self._change(with_node(chat, replace(node, message=replace(node.message, pinned=pinned))))
            self.pinned.emit(node_id, pinned)

    def _prompt_made(self, answer: GrowingAnswer) -> None:
        chat = self._shown()
        if chat is not None and chat.info.id == answer.conversation_id:
            self.horizon_changed.emit(self.horizon)
