"""The answers that are being made: asked of the engine, grown by what it reports, saved all the while."""

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from app.domain.conversation import Dialogue
from app.domain.generation import FinishReason
from app.domain.tree import Conversation, MessageNode
from app.services.answer_saver import AnswerSaver
from app.services.engine_reports import (
    AnswerWish,
    Ended,
    JobReport,
    LoadFailed,
    LoadNotice,
    PromptMade,
    Reading,
    Report,
    TextGrew,
    ToolCallMade,
)
from app.services.engine_service import EngineService
from app.services.growing_answer import GrowingAnswer, cut_answer, has_begun
from app.services.job_thread import JobThread
from app.services.model_in_use import ModelInUse
from app.store.chats import ChatStore


class RunningAnswers(QObject):
    """At most one answer for each chat; the engine makes them one after the other.

    ``prompt_made(GrowingAnswer)``: its ``prompt`` is known.
    ``reading(GrowingAnswer, int, int)``: tokens of the prompt that it waits for: done, total.
    ``grew(GrowingAnswer, TextGrew)``: the new text. ``ended(GrowingAnswer, MessageNode, UserError | None)``.
    ``problem(UserError)``: of no answer in particular.
    """

    prompt_made = Signal(object)
    reading = Signal(object, int, int)
    grew = Signal(object, object)
    ended = Signal(object, object, object)
    problem = Signal(object)

    def __init__(self, engine: EngineService, model: ModelInUse, store: JobThread[ChatStore]) -> None:
        super().__init__()
        self._engine = engine
        self._model = model
        self._saver = AnswerSaver(store)
        self._saver.problem.connect(self.problem)
        self._answers: dict[int, GrowingAnswer] = {}
        engine.reported.connect(self._take_report)

    def begin(self, chat: Conversation, node: MessageNode, *, stopped: bool = False) -> None:
        """Have the empty answer ``node`` of a chat made; ``stopped``: the user has had enough of it already."""
        answer = self._begin(chat, node, chat.info.model, chat.dialogue(node.parent), continuing=False)
        if stopped:
            self.cancel(answer.conversation_id)

    def go_on(self, chat: Conversation, node: MessageNode) -> MessageNode:
        """Have the rest made of an answer that was cut short; the answer as it goes on."""
        node = cut_answer(node)
        dialogue = chat.dialogue(node.parent)
        begun = has_begun(node.message)
        if begun:
            dialogue = replace(dialogue, messages=(*dialogue.messages, node.message))
        return self._begin(chat, node, self._model.name, dialogue, continuing=begun).node

    def _begin(
        self, chat: Conversation, node: MessageNode, name: str, dialogue: Dialogue, *, continuing: bool
    ) -> GrowingAnswer:
        model = self._model
        answer = GrowingAnswer(chat.info.id, node, name, chat.info.effort, model.sampling)
        wish = AnswerWish(dialogue, model.sampling, str(chat.info.id), model.settle, continuing)
        answer.job_id = self._engine.generate(model.target, wish)
        self._answers[chat.info.id] = answer
        self._saver.watch(answer)
        return answer

    def of(self, chat: int | None) -> GrowingAnswer | None:
        """The answer that is being made in a chat."""
        return None if chat is None else self._answers.get(chat)

    def cancel(self, chat: int | None) -> None:
        """End a chat's answer; what is there stays."""
        answer = self.of(chat)
        if answer is not None and answer.job_id is not None:
            self._engine.cancel(answer.job_id)

    def patched(self, conversation: Conversation) -> Conversation:
        """A conversation as read, with the answers that the disk does not have in full."""
        return self._saver.patched(conversation)

    def save(self) -> None:
        """Have what there is of every answer stored at once."""
        self._saver.save()

    def close(self) -> None:
        """Keep what there is of every answer, and have it stored. The engine is closed by then."""
        for answer in list(self._answers.values()):
            self._end(answer, Ended(answer.job_id or 0, FinishReason.CANCELLED))
        self._saver.close()

    def _take_report(self, report: Report) -> None:
        match report:
            case LoadFailed(error=error) | LoadNotice(notice=error):
                self.problem.emit(error)
            case _:
                answer = next((answer for answer in self._answers.values() if answer.job_id == report.job_id), None)
                if answer is not None:
                    self._take_job_report(answer, report)

    def _take_job_report(self, answer: GrowingAnswer, report: JobReport) -> None:
        match report:
            case PromptMade():
                answer.prompt = report
                self.prompt_made.emit(answer)
            case Reading(done=done, total=total):
                self.reading.emit(answer, done, total)
            case TextGrew():
                answer.grow(report)
                self.grew.emit(answer, report)
            case ToolCallMade():
                answer.call(report)
            case Ended():
                self._end(answer, report)

    def _end(self, answer: GrowingAnswer, ended: Ended) -> None:
        node = answer.end(ended)
        del self._answers[answer.conversation_id]
        self._saver.ended(answer)
        self.ended.emit(answer, node, ended.error)
