"""Where the messages of a drawn prompt begin: at control tokens, or inside a run where a template writes none."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.engine.templates.encoding import ControlRun, Run, TextRun

# No token goes over the beginning of a word, whatever comes behind the word: the space before it is where
# pre-tokenizers cut, and SentencePiece's tokens begin.
_WORD: Final = re.compile(r"(?<=\s)\S")
_LOOK_BACK: Final = 1000


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A place in a prompt: a run, and a character in it."""

    run: int
    character: int = 0


@dataclass(frozen=True, slots=True, order=True)
class _Text:
    """A text of the conversation in a run. ``before`` is the end of the text before it in the run, 0 without one."""

    run: int
    begin: int
    end: int
    before: int


def message_starts(runs: Sequence[Run], ranges: Sequence[tuple[int, int]]) -> tuple[Spot, ...]:
    """The spot at which each message begins, and last the one where the answer's beginning does, ascending.

    ``ranges`` are the marks of each message. A message begins behind the first control token after the text before
    it, which is what ends that, when another follows; and with the only one otherwise. Where no control token stands
    between, it begins where the text before it ends.
    """
    texts = _texts(runs)
    controls = [index for index, run in enumerate(runs) if isinstance(run, ControlRun)]
    starts: list[Spot | None] = []
    newest = Spot(0)
    at: _Text | None = None  # the first text of the message before, and its last
    last: _Text | None = None
    for begin, end in ranges:
        found = [text for mark in range(begin, end) if (text := _first_from(texts.get(mark, ()), at)) is not None]
        if not found:  # a message without words
            starts.append(None)
            continue
        first = min(found)
        if first != at:  # otherwise both are one text
            newest = max(newest, _start(controls, last, first))
        starts.append(newest)
        at, last = first, max(found)
    following = max(newest, _opening(runs, controls, last))
    ascending = [following]
    for start in reversed(starts):
        following = following if start is None else start
        ascending.append(following)
    return tuple(reversed(ascending))


def words_begin(runs: Sequence[Run], marks: tuple[int, int]) -> Spot:
    """Up to where a prompt is the same whatever the text with one of these marks says: a little before it."""
    begin, end = marks
    for index, run in enumerate(runs):
        if isinstance(run, ControlRun):
            continue
        for place in run.places:
            if begin <= place.mark < end:
                words = _WORD.finditer(run.text, max(0, place.begin - _LOOK_BACK), place.begin)
                return Spot(index, max((word.start() for word in words), default=0))
    return Spot(0)


def _texts(runs: Sequence[Run]) -> dict[int, list[_Text]]:
    """The texts of each mark, ascending."""
    texts: dict[int, list[_Text]] = {}
    for index, run in enumerate(runs):
        before = 0
        for place in run.places if isinstance(run, TextRun) else ():
            texts.setdefault(place.mark, []).append(_Text(index, place.begin, place.end, before))
            before = place.end
    return texts


def _first_from(texts: Sequence[_Text], at: _Text | None) -> _Text | None:
    """The first of a mark's texts that is not before ``at``."""
    found = bisect_left(texts, at) if at is not None else 0
    return texts[found] if found < len(texts) else None


def _start(controls: Sequence[int], last: _Text | None, first: _Text) -> Spot:
    """Where the message whose ``first`` text this is begins; ``last`` is the last text of the one before."""
    inside = Spot(first.run, first.before)
    if last is None:  # the words before the first message are not known to be its own: its last token begins it
        before = bisect_left(controls, first.run)
        return Spot(controls[before - 1]) if before and not first.before else inside
    return _after(controls, last, first.run) or inside


def _opening(runs: Sequence[Run], controls: Sequence[int], last: _Text | None) -> Spot:
    """Where the beginning of the answer does."""
    if last is None:
        return Spot(controls[-1] if controls else max(len(runs) - 1, 0))
    return _after(controls, last, len(runs)) or Spot(last.run, last.end)


def _after(controls: Sequence[int], last: _Text, end: int) -> Spot | None:
    """The control token behind a text and before run ``end`` that begins something."""
    begin = bisect_left(controls, last.run)
    between = [control for control in controls[begin : begin + 2] if control < end]
    return Spot(between[-1]) if between else None
