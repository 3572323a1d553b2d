"""What turns a dialogue into a prompt's tokens, and an answer's tokens into events."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from app.domain.conversation import Dialogue, Message, Role
from app.domain.generation import FinishReason
from app.engine.token_cache import TokenCache
from app.harmony.encoding import PromptEncoder
from app.harmony.events import HarmonyEvent
from app.harmony.parsing import HarmonyParser
from app.harmony.rendering import OPENING, head, render, turns, unfinished_turns
from app.harmony.segments import Control, Segment
from app.harmony.vocabulary import stop_ids

if TYPE_CHECKING:
    from app.engine.llama.model import LlamaModel


@dataclass(frozen=True, slots=True)
class Prompt:
    """``tokens`` ready to be read; ``starts`` are the places in it at which the dialogue's messages begin, ascending.

    Between a start and the next the tokens depend on the messages up to there and on nothing after them.
    """

    tokens: Sequence[int]
    starts: tuple[int, ...] = ()


class AnswerParser(Protocol):
    """Takes an answer's token ids one by one; see `app.harmony.parsing.HarmonyParser`."""

    @property
    def finish_reason(self) -> FinishReason | None:
        """Set once the answer itself says that it has ended."""
        ...

    @property
    def message(self) -> Message:
        """The assistant's message so far."""
        ...

    def decode(self, token_id: int) -> tuple[HarmonyEvent, ...]:
        """What one more token gives."""
        ...

    def flush(self) -> tuple[HarmonyEvent, ...]:
        """What is held back when no more tokens come."""
        ...


class ChatFormat(Protocol):
    """The way a model is talked to."""

    @property
    def stops(self) -> frozenset[int]:
        """The tokens that end a generation."""
        ...

    def prompt(self, dialogue: Dialogue, given_up: Callable[[], bool], *, continuing: bool = False) -> Prompt | None:
        """The prompt to answer; None when ``given_up`` said so in between. UserError when it cannot be written.

        ``continuing``: the last message is an answer that was cut short; the prompt ends in its last word.
        """
        ...

    def next_opening(self, dialogue: Dialogue, given_up: Callable[[], bool]) -> Prompt | None:
        """How the prompt of the next turn will begin, whatever the user says: as far as that is known before their
        words. None when ``given_up`` said so in between.
        """
        ...

    def parts(self, dialogue: Dialogue) -> tuple[tuple[str, bool], ...]:
        """The prompt for people: each part's text, and whether it is a control token."""
        ...

    def parser(self, begun: Message | None = None) -> AnswerParser:
        """A parser for one answer, or for the rest of ``begun``, one that was cut short."""
        ...

    def close(self) -> None:
        """End whatever it runs."""
        ...


class HarmonyFormat:
    """gpt-oss's own format."""

    def __init__(self, model: "LlamaModel") -> None:
        self._model = model
        self._cache = TokenCache(PromptEncoder(model).runs)
        self.stops = stop_ids(model) | {t for t in model.special_tokens if model.ends_generation(t)}

    def prompt(self, dialogue: Dialogue, given_up: Callable[[], bool], *, continuing: bool = False) -> Prompt | None:
        """See `ChatFormat.prompt`."""
        if continuing:
            return self._encoded((head(dialogue), *unfinished_turns(dialogue)), given_up)
        return self._encoded((head(dialogue), *turns(dialogue), OPENING), given_up)

    def next_opening(self, dialogue: Dialogue, given_up: Callable[[], bool]) -> Prompt | None:
        """See `ChatFormat.next_opening`. The user's turn comes with its header; reasoning is gone by then."""
        next_turn = turns(replace(dialogue, messages=(*dialogue.messages, Message(Role.USER))))
        # The last message's text and its end are not known yet.
        return self._encoded((head(dialogue), *next_turn[:-1], next_turn[-1][:-2]), given_up)

    def parts(self, dialogue: Dialogue) -> tuple[tuple[str, bool], ...]:
        """See `ChatFormat.parts`."""
        return tuple(
            (part.token.value, True) if isinstance(part, Control) else (part.text, False) for part in render(dialogue)
        )

    def parser(self, begun: Message | None = None) -> HarmonyParser:
        """See `ChatFormat.parser`."""
        return HarmonyParser(self._model, begun)

    def close(self) -> None:
        """See `ChatFormat.close`. Nothing runs."""

    def _encoded(self, messages: Sequence[Sequence[Segment]], given_up: Callable[[], bool]) -> Prompt | None:
        tokens: list[int] = []
        starts: list[int] = []
        for message in messages:
            starts.append(len(tokens))
            encoded = self._cache.tokens(message, given_up)
            if encoded is None:
                return None
            tokens.extend(encoded)
        return Prompt(tokens, tuple(starts[1:]))
