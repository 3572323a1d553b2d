"""Models other than gpt-oss: the dialogue goes through the model's own chat template."""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from app.domain.conversation import Dialogue, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.engine.chat_format import Prompt, PromptSizes
from app.engine.templates.conversation import order_of, shapes_for
from app.engine.templates.encoding import ControlRun, Run, TemplateEncoder, TemplateVocabulary, TextRun
from app.engine.templates.marks import LostTextError, Marks, NoMarks, Own, Part, Said, new_stem
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
        runs = self._encoder.runs(parts)
        tokens: list[int] = []
        places: list[int] = []
        for run in runs:
            places.append(len(tokens))
            encoded = self._encoder.encode(run, given_up)
            if encoded is None:
                return None
            tokens += encoded
        return Prompt(tokens, tuple(places[run] if places else 0 for run in _starts(runs, ranges)))

    def next_opening(self, dialogue: Dialogue) -> Prompt:
        """See `ChatFormat.next_opening`. Ends before the run that the user's words are in."""
        following = replace(dialogue, messages=(*dialogue.messages, Message(Role.USER, "Hello")))
        parts, ranges = self._drawn(following)
        runs = self._encoder.runs(parts)
        begin, end = ranges[-1]
        with_words = (index for index, run in enumerate(runs) if isinstance(run, TextRun) and _holds(run, begin, end))
        known = runs[: next(with_words, 0)]
        tokens: list[int] = []
        places: list[int] = []
        for run in known:
            places.append(len(tokens))
            tokens += self._encoder.encode(run, _never) or ()
        starts = (place for place in _starts(runs, ranges)[:-1] if place < len(places))
        return Prompt(tokens, tuple(places[place] for place in starts))

    def sizes(self, dialogue: Dialogue) -> PromptSizes:
        """See `ChatFormat.sizes`. What stands between two messages counts for one of them."""
        prompt = self.prompt(dialogue, _never)
        assert prompt is not None
        *starts, opening = prompt.starts
        ends = (*starts[1:], opening)
        messages = tuple(end - start for start, end in zip(starts, ends, strict=True))
        return PromptSizes(len(prompt.tokens) - sum(messages), messages)

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
            except LostTextError:
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


def _never() -> bool:
    return False


def _ending(parts: Sequence[Part]) -> str:
    """The end of a prompt, "" when it is not the template's."""
    return parts[-1].text[-ENDING:] if parts and isinstance(parts[-1], Own) else ""


def _holds(run: TextRun, begin: int, end: int) -> bool:
    return any(begin <= mark < end for mark in run.marks)


def _starts(runs: Sequence[Run], ranges: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """The run in which each message begins, and last the one where the answer's beginning does, ascending.

    A message begins behind the first control token after the text before it, which is what ends that, when another
    follows; and with the only one otherwise. Where no control token stands between, both are in one run.
    """
    starts: list[int] = []
    at = 0
    previous = -1  # the run of the text before
    for begin, end in ranges:
        found = next(
            (i for i, run in enumerate(runs) if i >= at and isinstance(run, TextRun) and _holds(run, begin, end)), None
        )
        if found is None:  # a message without words
            starts.append(-1)
            continue
        starts.append(_between(runs, previous, found))
        at = previous = found
    starts.append(_between(runs, previous, len(runs)))
    for index in range(len(starts) - 2, -1, -1):
        if starts[index] < 0:
            starts[index] = starts[index + 1]
    return tuple(starts)


def _between(runs: Sequence[Run], previous: int, found: int) -> int:
    """The first run of what follows the text in run ``previous`` and leads to the one in run ``found``."""
    controls = [i for i in range(previous + 1, found) if isinstance(runs[i], ControlRun)]
    if previous < 0:  # the words before the first message are not known to be its own: its last token begins it
        return controls[-1] if controls else min(found, len(runs) - 1)
    if not controls:
        return previous if found == previous else min(found, len(runs) - 1)
    return controls[1] if len(controls) > 1 else controls[0]
