"""Generated token ids to events for models that think between tags: ``<think>...</think>`` at the start of an answer.

The same shape as ``app.harmony.parsing``. Tags count once, at the start; later ones are text, and so is a call of a
tool, which every family of models writes in its own way.
"""

import codecs
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from app.domain.conversation import Message, Role
from app.domain.generation import FinishReason
from app.engine.templates.encoding import TemplateVocabulary
from app.harmony.events import AnswerDelta, HarmonyEvent, ReasoningDelta

TAGS: Final = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "<mm:think>": "</mm:think>",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "[THINK]": "[/THINK]",
}
"""Opening tags, and what closes each."""


class _Place(Enum):
    BEFORE = auto()  # nothing but space so far, or the beginning of a tag
    THINKING = auto()
    BETWEEN = auto()  # behind the closing tag, nothing but space so far
    ANSWERING = auto()


def tag_left_open(prompt_end: str) -> str:
    """The opening tag that a prompt ends with, "" when it does not."""
    end = prompt_end.rstrip()
    return next((tag for tag in TAGS if end.endswith(tag)), "")


class ThinkingParser:
    """Parses one answer. ``decode`` takes each token, the one that ends the generation too; ``flush`` ends an answer
    that was cut short. The events do not depend on how the text is divided into tokens, only their number does.
    """

    def __init__(
        self, vocabulary: TemplateVocabulary, stops: frozenset[int], opened: str = "", begun: Message | None = None
    ) -> None:
        """``opened`` is the tag that the prompt left open.

        ``begun`` is an answer that was cut short and is gone on with, from behind its last word: the events are only of
        what comes now, ``message`` is the whole.
        """
        self._piece = vocabulary.piece
        self._controls = {t: name for t, name in vocabulary.special_tokens.items() if vocabulary.is_control(t)}
        self._stops = stops
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = begun or Message(Role.ASSISTANT)
        self._place = _Place.THINKING if opened else _Place.BEFORE
        if self._begun.content or self._begun.commentary:
            self._place = _Place.ANSWERING
        self._opening = opened
        self._fresh = not self._begun.reasoning  # nothing of the reasoning has come
        self._reopens = bool(opened) and self._fresh  # the model may write the tag again that the prompt has opened
        self._held = ""
        self._reasoning = [self._begun.reasoning]
        self._answer = [self._begun.content]
        self._finish_reason: FinishReason | None = None

    @property
    def finish_reason(self) -> FinishReason | None:
        """``STOP`` when the model ended its answer."""
        return self._finish_reason

    @property
    def message(self) -> Message:
        """The assistant's message so far."""
        return replace(self._begun, content="".join(self._answer), reasoning="".join(self._reasoning))

    def decode(self, token_id: int) -> tuple[HarmonyEvent, ...]:
        """The events that one more token gives. After the end of the answer there are none."""
        if self._finish_reason is not None:
            return ()
        if token_id in self._stops:
            events = self.flush()
            self._finish_reason = FinishReason.STOP
            return events
        if token_id in self._controls:
            return tuple(self._control(self._controls[token_id]))
        text = self._utf8.decode(self._piece(token_id))
        return tuple(self._text(text)) if text else ()

    def flush(self) -> tuple[HarmonyEvent, ...]:
        """What is still held back when no more tokens come."""
        events = [*self._rest_of_character()]
        held, self._held = self._held, ""
        if held and self._place is _Place.THINKING:
            events += self._think(held)
        elif held:
            events += self._say(held)
        return tuple(events)

    def _control(self, name: str) -> Iterator[HarmonyEvent]:
        """A control token is never text; it may be a tag."""
        yield from self._rest_of_character()
        if self._place is _Place.BEFORE and name in TAGS and not self._held.strip():
            self._open(name)
        elif self._place is _Place.THINKING and name == TAGS[self._opening]:
            yield from self._close(self._held)

    def _rest_of_character(self) -> Iterator[HarmonyEvent]:
        if text := self._utf8.decode(b"", final=True):
            yield from self._text(text)

    def _text(self, text: str) -> Iterator[HarmonyEvent]:
        if self._place is _Place.ANSWERING:
            yield from self._say(text)
            return
        self._held += text
        if self._place is _Place.BEFORE:
            yield from self._before()
        if self._place is _Place.THINKING:
            yield from self._thinking()
        if self._place is _Place.BETWEEN:
            self._held = self._held.lstrip()
            if self._held:
                yield from self._release()

    def _before(self) -> Iterator[HarmonyEvent]:
        begun = self._held.lstrip()
        if tag := next((tag for tag in TAGS if begun.startswith(tag)), ""):
            self._open(tag)
            self._held = begun[len(tag) :]
        elif not any(tag.startswith(begun) for tag in TAGS):
            yield from self._release()

    def _thinking(self) -> Iterator[HarmonyEvent]:
        if self._fresh:
            self._held = self._held.lstrip()
            if self._reopens and self._opening.startswith(self._held[: len(self._opening)]):
                if len(self._held) < len(self._opening):
                    return
                self._held = self._held[len(self._opening) :].lstrip()
            self._reopens = False
        closing = TAGS[self._opening]
        said, found, rest = self._held.partition(closing)
        if found:
            yield from self._close(said)
            self._held = rest
            return
        # Space is held back until something follows it, and what may be the beginning of the tag until it is not.
        kept = next((n for n in range(len(closing) - 1, 0, -1) if said.endswith(closing[:n])), 0)
        ready = said[: len(said) - kept].rstrip()
        self._held = said[len(ready) :]
        if ready:
            yield from self._think(ready)

    def _open(self, tag: str) -> None:
        self._place = _Place.THINKING
        self._opening = tag
        self._held = ""

    def _close(self, said: str) -> Iterator[HarmonyEvent]:
        self._place = _Place.BETWEEN
        self._held = ""
        if said := said.rstrip():
            yield from self._think(said)

    def _release(self) -> Iterator[HarmonyEvent]:
        self._place = _Place.ANSWERING
        held, self._held = self._held, ""
        yield from self._say(held)

    def _think(self, text: str) -> Iterator[HarmonyEvent]:
        self._fresh = False
        self._reasoning.append(text)
        yield ReasoningDelta(text)

    def _say(self, text: str) -> Iterator[HarmonyEvent]:
        self._answer.append(text)
        yield AnswerDelta(text)
