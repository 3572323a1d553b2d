"""Models other than gpt-oss: the dialogue goes through the model's own chat template."""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from app.domain.conversation import Dialogue, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.engine.chat_format import Prompt
from app.engine.templates.boundaries import Spot, message_starts, words_begin
from app.engine.templates.conversation import order_of, shapes_for
from app.engine.templates.encoding import ControlRun, Run, TemplateEncoder, TemplateVocabulary
from app.engine.templates.marks import LostTextError, Marks, NoMarks, Own, Part, Said, TooMuchTextError, new_stem
from app.engine.templates.process import TemplateError, TemplateProcess
from app.engine.templates.protocol import Open
from app.engine.templates.thinking import TAGS, ThinkingParser, tag_left_open

ENDING = 200
"""Characters at a prompt's end in which an open tag is looked for."""

PROBE = ' Some words,\n\tand  "some" others\' & <b>more</b> {{ 1 }}: É! '

log = logging.getLogger("alcove.engine.templates")


class TemplateModel(TemplateVocabulary, Protocol):
    """What a chat template needs to know of a model."""

    @property
    def name(self) -> str: ...

    @property
    def chat_template(self) -> str:
        """The template's source, "" when the model has none."""
        ...

    @property
    def begin_token(self) -> int | None:
        """What the vocabulary calls the beginning of a text (BOS)."""
        ...

    @property
    def end_token(self) -> int | None:
        """What it calls the end (EOS)."""
        ...


class TemplateFormat:
    """A model's own format; see `ChatFormat`. `close` ends the template's process."""

    def __init__(self, model: TemplateModel) -> None:
        """Raises UserError when the model has no template, or one that cannot write the simplest conversation."""
        source = model.chat_template
        if not source.strip():
            raise UserError(ErrorCode.NO_CHAT_TEMPLATE, name=model.name)
        self._model = model
        self._source = source
        self._stem = new_stem()
        self._encoder = TemplateEncoder(model)
        names = model.special_tokens
        begin, end = (names.get(t, "") if t is not None else "" for t in (model.begin_token, model.end_token))
        self._process = TemplateProcess(Open(source, self._stem, begin, end))
        # Which tag an answer goes on from is the newest prompt's to say.
        self._opened = ""
        ends = {token for token in names if model.ends_generation(token)}
        self.stops: frozenset[int] = frozenset(ends | ({model.end_token} if model.end_token is not None else set()))
        try:
            self._drawn(Dialogue((Message(Role.USER, "Hello"),), date="2000-01-01"))
            if self._changes_texts():
                log.warning("%s: the chat template changes texts; they are put in as they are", model.name)
        except UserError:
            self.close()
            raise

    def close(self) -> None:
        """End the template's process."""
        self._process.close()

    def prompt(self, dialogue: Dialogue, given_up: Callable[[], bool], *, continuing: bool = False) -> Prompt | None:
        """See `ChatFormat.prompt`. An answer that is gone on with follows the prompt that it was an answer to."""
        begun = dialogue.messages[-1] if continuing else None
        if begun is not None:
            dialogue = replace(dialogue, messages=dialogue.messages[:-1])
        parts, ranges = self._drawn(dialogue)
        self._opened = tag_left_open(_ending(parts))
        if begun is not None:
            parts = (*parts, *self._begun(begun))
        if given_up():
            return None
        runs = self._encoder.runs(parts)
        return self._encoded(runs, message_starts(runs, ranges), given_up)

    def next_opening(self, dialogue: Dialogue, given_up: Callable[[], bool]) -> Prompt | None:
        """See `ChatFormat.next_opening`. Ends a little before the user's words."""
        if given_up():
            return None
        following = replace(dialogue, messages=(*dialogue.messages, Message(Role.USER, "Hello")))
        parts, ranges = self._drawn(following)
        if given_up():
            return None
        runs = self._encoder.runs(parts)
        end = words_begin(runs, ranges[-1])
        starts = (start for start in message_starts(runs, ranges)[:-1] if start < end)
        opening = self._encoded(runs[: end.run + (end.character > 0)], (*starts, end), given_up)
        if opening is None:
            return None
        return Prompt(opening.tokens[: opening.starts[-1]], opening.starts[:-1])

    def parts(self, dialogue: Dialogue) -> tuple[tuple[str, bool], ...]:
        """See `ChatFormat.parts`."""
        runs = self._encoder.runs(self._drawn(dialogue)[0])
        return tuple((run.name, True) if isinstance(run, ControlRun) else (run.text, False) for run in runs)

    def parser(self, begun: Message | None = None) -> ThinkingParser:
        """See `ChatFormat.parser`; for an answer to the newest prompt."""
        opened = self._opened
        if begun is not None and begun.reasoning:
            opened = opened or self._tag()
        return ThinkingParser(self._model, self.stops, opened, begun)

    def _encoded(self, runs: Sequence[Run], spots: Sequence[Spot], given_up: Callable[[], bool]) -> Prompt | None:
        """The runs' tokens, and which of them stand at the spots, which ascend."""
        characters: dict[int, list[int]] = {}
        for spot in spots:
            characters.setdefault(spot.run, []).append(spot.character)
        tokens: list[int] = []
        starts: list[int] = []
        for index, run in enumerate(runs):
            encoded = self._encoder.encode(run, given_up)
            if encoded is None:
                return None
            if index in characters:
                places = self._encoder.tokens_before(run, encoded, characters[index])
                starts += (len(tokens) + place for place in places)
            tokens += encoded
        starts += [len(tokens)] * (len(spots) - len(starts))
        return Prompt(tokens, tuple(starts))

    def _drawn(self, dialogue: Dialogue) -> tuple[tuple[Part, ...], tuple[tuple[int, int], ...]]:
        """What the template makes of a dialogue, and the marks of each message."""
        complaint = "it leaves out or changes what was said"
        for index, shape in enumerate(shapes_for(dialogue, self._source)):
            marks = Marks(self._stem)
            ordered = order_of(dialogue, shape, marks, self._source)
            try:
                return marks.parts(self._process.draw(ordered.draw)), ordered.ranges
            except LostTextError:
                continue
            except TooMuchTextError as error:
                raise self._failed("it writes too much") from error
            except TemplateError as error:
                if not error.by_template:
                    raise self._failed(error.reason) from error
                if index == 0:  # the complaint about the conversation as it is
                    complaint = error.reason
        raise self._failed(complaint)

    def _changes_texts(self) -> bool:
        """Whether the template makes something else of a text than to trim it, which no mark can show."""
        turns = (Message(Role.USER, PROBE), Message(Role.ASSISTANT, PROBE), Message(Role.USER, PROBE))
        dialogue = Dialogue(turns, date="2000-01-01")
        for shape in shapes_for(dialogue, self._source):
            marks = Marks(self._stem)
            try:
                marked = marks.parts(self._process.draw(order_of(dialogue, shape, marks, self._source).draw))
                plain = self._process.draw(order_of(dialogue, shape, NoMarks(), self._source).draw)
            except (LostTextError, TooMuchTextError):
                continue
            except TemplateError as error:
                if error.by_template:
                    continue
                return False  # the conversation that it fails on will say so
            return "".join(part.text for part in marked) != plain
        return False

    def _failed(self, reason: str) -> UserError:
        # A complaint may quote what it complains of.
        reason = re.sub(rf"{self._stem}\w*", "…", reason)
        return UserError(ErrorCode.CHAT_TEMPLATE_FAILED, name=self._model.name, reason=reason)

    def _begun(self, message: Message) -> tuple[Part, ...]:
        """An answer so far, as the model wrote it."""
        parts: list[Part] = []
        said = "\n\n".join(text for text in (message.commentary, message.content) if text)
        tag = self._opened
        if message.reasoning:
            if not tag:
                tag = self._tag()
                parts.append(Own(f"{tag}\n"))
            parts.append(Said(message.reasoning, -1))
        if said:
            if tag:
                parts.append(Own(f"\n{TAGS[tag]}\n\n"))
            parts.append(Said(said, -1))
        return tuple(parts)

    def _tag(self) -> str:
        """The tag that this model thinks in, as far as its template tells."""
        return next((tag for tag in TAGS if tag in self._source), "<think>")


def _ending(parts: Sequence[Part]) -> str:
    """The end of a prompt, "" when it is not the template's."""
    return parts[-1].text[-ENDING:] if parts and isinstance(parts[-1], Own) else ""
