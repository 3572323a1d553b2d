"""The chats: what is shown, what is answered, what is stored."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from app.domain.conversation import Effort, Role
from app.domain.errors import ErrorCode, UserError
from app.domain.settings import EFFORT, INSTRUCTIONS
from app.domain.tree import Conversation, ConversationInfo, MessageNode
from app.services import chat_jobs
from app.services.chat_jobs import NewChat, Opening, Shown, Turn
from app.services.chat_list import ChatList
from app.services.drafts import Drafts
from app.services.engine_reports import TextGrew
from app.services.engine_service import EngineService
from app.services.growing_answer import GrowingAnswer, breaks_off, with_node
from app.services.job_thread import JobThread
from app.services.model_in_use import ModelInUse
from app.services.model_service import ModelService
from app.services.moves import Moves
from app.services.payloads import AnswerGrowth
from app.services.running_answers import RunningAnswers
from app.services.settings_service import SettingsService
from app.services.sight import Sight
from app.store.chats import ChatStore

Found = TypeVar("Found")


class ChatService(QObject):
    """Everything the chat pane does.

    Methods are called on the UI thread and return at once; what they lead to arrives as signals, on the UI thread
    too, in the order of the calls. Answers are made one at a time: one that is asked for in another chat meanwhile
    waits for its turn. ``list`` is all chats, ``sight`` what of the shown one the model sees.

    ``opened(Conversation | None, str)``: another chat is shown, with its draft; None is a fresh chat, which is stored
    with its first message (then `current()` is the new one: `list.changed`, `node_added`, `node_added`).
    ``path_changed(Conversation)``: the shown chat's path is another (edit, regenerate, version).
    ``node_added(MessageNode)``: a message was appended to the shown path.
    ``answer_grew(AnswerGrowth)``, ``answer_finished(MessageNode)``: of an answer in the shown path; growth comes at
    most once per frame. A finished node with ``complete`` False was cut short; ``receipt.finish_reason`` tells why.
    ``reading(int, int)``: tokens of the prompt that the shown chat's answer waits for: done, total.
    ``busy_changed(bool)``: whether the shown chat is being answered (it changes with the shown chat too).
    ``returned(str)``: a text that could not be sent or stored; it goes back into the composer.
    ``answer_resumed(MessageNode)``: an answer that was cut short is gone on with.
    ``problem(UserError)``: say it in the message bar. ``broken_off(UserError, int)``: the same, of an answer that was
    cut short; offer `continue_answer`.
    """

    opened = Signal(object, str)
    path_changed = Signal(object)
    node_added = Signal(object)
    answer_grew = Signal(object)
    answer_finished = Signal(object)
    reading = Signal(int, int)
    busy_changed = Signal(bool)
    returned = Signal(str)
    problem = Signal(object)
    answer_resumed = Signal(object)
    broken_off = Signal(object, int)

    def __init__(
        self,
        open_store: Callable[[], ChatStore],
        engine: EngineService,
        models: ModelService,
        settings: SettingsService,
    ) -> None:
        """``open_store`` is called on the store's own thread, which starts at once."""
        super().__init__()
        self._engine = engine
        self._settings = settings
        self._store = JobThread("store", make=open_store, end=ChatStore.close, unhandled=self.problem.emit)
        self._model = ModelInUse(engine, models, settings)
        self._running = RunningAnswers(engine, self._model, self._store)
        self.sight = Sight(self._store, self._running, self.current, self._change_current)
        self._drafts = Drafts(self._store)
        self.list = ChatList(self._store, self._drafts)
        self._moves = Moves()
        self._start_move = 0
        self._opened = False
        self._typed_early = ""  # before the store was open and its draft known
        self._current: Conversation | None = None
        self._fresh_effort = self._default_effort()
        # Chats (None: the fresh one) whose question is on its way to the store, and whether to stop it there.
        self._starting: dict[int | None, bool] = {}
        self._was_busy = False
        self._closed = False
        self._running.problem.connect(self.problem)
        self.sight.problem.connect(self.problem)
        self._running.reading.connect(self._read)
        self._running.grew.connect(self._grew)
        self._running.ended.connect(self._answer_ended)
        self.list.changed.connect(self._listed)
        self.list.deleted.connect(self._deleted)

    def start(self) -> None:
        """Open the store, show a fresh chat and load the model; call it once the window listens."""
        self._start_move = self._moves.start()
        self._store.submit(chat_jobs.open_store, done=self._started, failed=self._not_started)
        self._model.prepare()

    def close(self) -> None:
        """Keep what there is of a running answer, store everything and end the threads. Closes the engine too."""
        if self._closed:
            return
        self._closed = True
        self._drafts.flush()
        self._running.save()  # the engine may take long
        self._engine.close()
        self._running.close()
        self._store.submit(ChatStore.purge_deleted)
        self._store.close()

    # ---- what is shown ----

    @property
    def busy(self) -> bool:
        """Whether the shown chat is being answered, or waits for its turn."""
        return self._key in self._starting or self._shown_answer() is not None

    @property
    def answering_node(self) -> int | None:
        """The node that the shown chat's answer grows in; any other incomplete node was cut short."""
        answer = self._shown_answer()
        return None if answer is None else answer.node_id

    @property
    def effort(self) -> Effort:
        """The shown chat's reasoning effort."""
        return self._fresh_effort if self._current is None else self._current.info.effort

    def current(self) -> Conversation | None:
        """The shown chat with what has come of its answer so far; None while it is a fresh one."""
        return None if self._current is None else self._running.patched(self._current)

    def new_chat(self) -> None:
        """Show a fresh chat."""
        self._drafts.flush()
        self._move(partial(chat_jobs.show, conversation_id=None), self._show)

    def open(self, conversation_id: int) -> None:
        """Show a chat. An answer that streams in another one goes on there."""
        self._drafts.flush()
        self._move(partial(chat_jobs.show, conversation_id=conversation_id), self._show)

    def select_version(self, node_id: int) -> None:
        """Show the path through this version of a message."""
        if self._current is None:
            return
        leaf = self._current.newest_leaf(node_id)
        self._move(partial(chat_jobs.choose_leaf, conversation_id=self._current.info.id, leaf=leaf), self._show_path)

    def save_draft(self, text: str) -> None:
        """Remember what stands in the composer of the shown chat; call it on every change."""
        if not self._opened:
            self._typed_early = text
        elif not self._closed:
            self._drafts.change(self._key, text)

    # ---- answers ----

    def send(self, text: str) -> None:
        """Append a message to the shown chat and answer it; whitespace alone is ignored."""
        text = text.strip()
        if not text or self._moves.postponed(partial(self.send, text)):
            return
        if self._refuse_while_busy():
            self.returned.emit(text)
            return
        self._drafts.drop()
        model = self._model.name
        if self._current is None:
            new = NewChat(
                date=date.today().isoformat(),  # noqa: DTZ011 - the user's own day is meant
                effort=self._fresh_effort,
                instructions=self._settings.settings.get(INSTRUCTIONS),
            )
            self._begin(partial(chat_jobs.begin_chat, new=new, text=text, model=model), text)
        else:
            chat, leaf = self._current.info.id, self._current.leaf
            self._begin(partial(chat_jobs.say, conversation_id=chat, parent=leaf, text=text, model=model), text)

    def edit(self, node_id: int, text: str) -> None:
        """Say it differently: another version of a user's message, and its answer."""
        text = text.strip()
        if self._current is None or not text or self._moves.postponed(partial(self.edit, node_id, text)):
            return
        if self._refuse_while_busy():
            self.returned.emit(text)
            return
        chat, parent, model = self._current.info.id, self._current.node(node_id).parent, self._model.name
        self._begin(
            partial(chat_jobs.say, conversation_id=chat, parent=parent, text=text, model=model, version_of=node_id),
            text,
        )

    def regenerate(self, node_id: int | None = None) -> None:
        """Answer again, as another version of this answer (default: the last one shown)."""
        path = () if self._current is None else self._current.path()
        if self._current is None or not path or self._refuse_while_busy():
            return
        node = path[-1] if node_id is None else self._current.node(node_id)
        question = node.id if node.message.role is not Role.ASSISTANT else node.parent
        if question is not None:
            chat, model = self._current.info.id, self._model.name
            self._begin(partial(chat_jobs.answer_again, conversation_id=chat, parent=question, model=model))

    def continue_answer(self, node_id: int) -> None:
        """Go on, in its place, with an answer that was cut short: the last one shown."""
        if self._moves.postponed(partial(self.continue_answer, node_id)):
            return
        current = self._current
        if current is None or not self._can_continue(node_id) or self._refuse_while_busy():
            return
        node = self._running.go_on(current, current.node(node_id))
        self._current = with_node(current, node)
        self.answer_resumed.emit(node)
        self._tell_busy()

    def stop(self) -> None:
        """End the shown chat's answer; what is there stays."""
        if self._key in self._starting:
            self._starting[self._key] = True
        self._running.cancel(self._key)

    # ---- the chat itself ----

    def undo_delete(self, conversation_id: int) -> None:
        """Put a deleted chat back, and show it."""
        self.list.restore(conversation_id)
        self.open(conversation_id)

    def set_effort(self, effort: Effort) -> None:
        """Change the shown chat's reasoning effort, from the next answer on."""
        if self._current is None:
            self._fresh_effort = effort
            return
        info = replace(self._current.info, effort=effort)
        self._current = replace(self._current, info=info)
        self._store.submit(lambda store: store.update(info.id, effort=effort))

    def reload_model(self) -> None:
        """Load the chosen model again, for example after it failed; also one that was refused."""
        self._model.reload()

    # ---- inside: what the store answers ----

    @property
    def _key(self) -> int | None:
        return None if self._current is None else self._current.info.id

    def _started(self, opening: Opening) -> None:
        self._opened = True
        self.list.show(opening.chats)
        early = self._typed_early.strip() != ""
        self._show(Shown(None, self._typed_early if early else opening.draft))
        if early:
            self._drafts.change(None, self._typed_early)
        self._moves.arrive(self._start_move)
        for problem in opening.problems:
            self.problem.emit(problem)

    def _not_started(self, error: UserError) -> None:
        self._opened = True
        self.problem.emit(error)
        self._moves.arrive(self._start_move)

    def _move(self, job: Callable[[ChatStore], Found], show: Callable[[Found], None]) -> None:
        """Read what is to be shown, and show it; nothing is sent to the chat before meanwhile."""
        number = self._moves.start()

        def arrived(found: Found) -> None:
            show(found)
            self._moves.arrive(number)

        def failed(error: UserError) -> None:
            self.problem.emit(error)
            self._moves.arrive(number)

        self._store.submit(job, done=arrived, failed=failed)

    def _show(self, shown: Shown) -> None:
        self._current = shown.conversation
        self._fresh_effort = self._default_effort()
        self.opened.emit(self.current(), shown.draft)
        self._tell_busy()

    def _show_path(self, conversation: Conversation) -> None:
        if self._key == conversation.info.id:
            self._current = conversation
            self.path_changed.emit(self.current())

    def _change_current(self, conversation: Conversation) -> None:
        self._current = conversation

    def _listed(self, chats: tuple[ConversationInfo, ...]) -> None:
        info = next((chat for chat in chats if chat.id == self._key), None)
        if self._current is not None and info is not None:
            self._current = replace(self._current, info=replace(info, effort=self._current.info.effort))

    def _deleted(self, info: ConversationInfo) -> None:
        self._running.cancel(info.id)
        if self._key == info.id:
            self.new_chat()

    # ---- inside: the way of an answer ----

    def _begin(self, job: Callable[[ChatStore], Turn], text: str | None = None) -> None:
        """Store a question and its empty answer, then have it answered. ``text`` comes back if that fails."""
        key = self._key
        self._starting[key] = False
        self._tell_busy()
        self._store.submit(job, done=partial(self._begun, key), failed=partial(self._not_begun, key, text))

    def _not_begun(self, key: int | None, text: str | None, error: UserError) -> None:
        del self._starting[key]
        self._tell_busy()
        if text is not None:
            self.returned.emit(text)
        self.problem.emit(error)

    def _begun(self, key: int | None, turn: Turn) -> None:
        if self._closed:
            return
        stopped = self._starting.pop(key)
        # The end of the answer before may still be on its way to the disk.
        chat = self._running.patched(turn.conversation)
        turn = replace(turn, conversation=chat)
        self._running.begin(chat, turn.answer, stopped=stopped)
        self._show_turn(key, turn)

    def _show_turn(self, key: int | None, turn: Turn) -> None:
        if self._key != key:
            self.list.show(turn.chats)
            return
        appended = self._current is None or self._current.leaf == turn.added[0].parent
        self._current = turn.conversation
        if key is None:
            self._drafts.move(turn.conversation.info.id)
        self.list.show(turn.chats)
        if appended:
            for node in turn.added:
                self.node_added.emit(node)
        else:
            self.path_changed.emit(self.current())
        self._tell_busy()

    def _read(self, answer: GrowingAnswer, done: int, total: int) -> None:
        if answer is self._shown_answer():
            self.reading.emit(done, total)

    def _grew(self, answer: GrowingAnswer, text: TextGrew) -> None:
        if answer is self._shown_answer() and self._is_on_path(answer):
            self.answer_grew.emit(AnswerGrowth(answer.node_id, text.reasoning, text.commentary, text.answer))

    def _answer_ended(self, answer: GrowingAnswer, node: MessageNode, error: UserError | None) -> None:
        if self._current is not None and self._key == answer.conversation_id:
            self._current = with_node(self._current, node)
        if self._is_on_path(answer):
            self.answer_finished.emit(node)
        self._tell_busy()
        if error is not None and breaks_off(error) and self._can_continue(node.id):
            self.broken_off.emit(error, node.id)
        elif error is not None:
            self.problem.emit(error)
        self.list.refresh()

    def _shown_answer(self) -> GrowingAnswer | None:
        return self._running.of(self._key)

    def _is_on_path(self, answer: GrowingAnswer) -> bool:
        """Whether an answer can be seen: its chat is shown, and in it the path that it belongs to."""
        if self._current is None or self._key != answer.conversation_id:
            return False
        return any(node.id == answer.node_id for node in self._current.path())

    def _refuse_while_busy(self) -> bool:
        if self.busy:
            self.problem.emit(UserError(ErrorCode.STILL_ANSWERING))
        return self.busy

    def _tell_busy(self) -> None:
        if self.busy != self._was_busy:
            self._was_busy = self.busy
            self.busy_changed.emit(self.busy)

    def _can_continue(self, node_id: int) -> bool:
        path = () if self._current is None else self._current.path()
        return bool(path) and path[-1].id == node_id and path[-1].message.role is Role.ASSISTANT

    def _default_effort(self) -> Effort:
        return Effort(self._settings.settings.get(EFFORT))
