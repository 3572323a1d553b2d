"""Reading an answer ahead, as the next prompt will contain it, while the user reads it."""

import time
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from app.domain.conversation import Dialogue, Message
from app.domain.generation import FinishReason
from app.engine.chat_format import Prompt
from app.engine.fitting import next_dialogue
from app.engine.hardware import on_battery
from app.engine.memory import common_prefix
from app.engine.protocol import Event, Generate, Settled, SettleWhen
from app.engine.slices import SliceSize

if TYPE_CHECKING:
    from app.engine.loaded_model import LoadedModel


class Outcome(Enum):
    """How far a stretch of settling came."""

    DONE = auto()
    GAVE_WAY = auto()
    USELESS = auto()


class Settling:
    """What remains to be done after one answer. It goes on where it was when it had to give way."""

    def __init__(
        self, loaded: "LoadedModel", request: Generate, message: Message, send: Callable[[Event], None]
    ) -> None:
        self._loaded = loaded
        self._request = request
        self._dialogue = _with_answer(request, message)
        self._send = send
        self._opening: Prompt | None = None
        self._size = SliceSize(loaded.context.steps_of_a_batch, loaded.context.batch)
        self._tokens = 0
        self._seconds = 0.0

    def go_on(self, wanted: Callable[[], bool]) -> Outcome:
        """Read on until all is read or ``wanted`` says that a request waits. Raises UserError when llama.cpp fails."""
        if self._request.settle is SettleWhen.ON_MAINS and on_battery():
            return Outcome.USELESS
        begin = time.perf_counter()
        memory = self._loaded.memory
        opening = self._opening = self._opening or self._next_opening(wanted)
        if opening is None:
            self._seconds += time.perf_counter() - begin
            return Outcome.GAVE_WAY
        total = len(opening.tokens)
        if total >= self._loaded.context.size:
            return Outcome.USELESS
        done = common_prefix(memory.tokens, opening.tokens, total)
        if done < total:  # otherwise what is behind it may be of use to the next prompt, too
            done = memory.keep(opening.tokens, whole=True)
        while done < total:
            part = opening.tokens[done : done + self._size.tokens]
            started = time.perf_counter()
            if wanted() or not memory.read(part, wanted, more=True):
                self._seconds += time.perf_counter() - begin
                return Outcome.GAVE_WAY
            self._size.took(len(part), time.perf_counter() - started)
            done += len(part)
            self._tokens += len(part)
        memory.spare_checkpoint()
        self._seconds += time.perf_counter() - begin
        self._send(Settled(self._request.request_id, self._tokens, self._seconds))
        return Outcome.DONE

    def _next_opening(self, wanted: Callable[[], bool]) -> Prompt | None:
        loaded, limit = self._loaded, self._request.sampling.max_tokens
        following = next_dialogue(loaded.format, self._dialogue, loaded.context.size, limit, wanted)
        return None if following is None else loaded.format.next_opening(following, wanted)


def settling_after(
    loaded: "LoadedModel", request: Generate, message: Message, reason: FinishReason, send: Callable[[Event], None]
) -> Settling | None:
    """What is worth doing after this answer. Nothing while a tool is called, because reasoning stays in the prompt
    until then, and nothing when there is no answer.
    """
    if request.settle is SettleWhen.NEVER or reason is FinishReason.TOOL_CALL:
        return None
    if not (message.content or message.commentary):
        return None
    return Settling(loaded, request, message, send)


def _with_answer(request: Generate, message: Message) -> Dialogue:
    before = request.dialogue.messages[:-1] if request.continuing else request.dialogue.messages
    return replace(request.dialogue, messages=(*before, message))
