"""Segments to token ids, so that no text becomes a control token.

llama.cpp's tokenizer looks for special tokens before anything else, and finds gpt-oss's ``<|start|>``,
``<|message|>``, ``<|channel|>``, ``<|constrain|>`` and ``<|end|>`` in plain text even when told not to: it counts
them as user-defined. A text is therefore cut inside every complete name, and the parts are tokenized apart. The
cut falls where the model's own pre-tokenizer cuts too (``<|`` + ``start|>``), so the ids are those that OpenAI's
tokenizer gives the same plain text. Text without a complete name is never cut.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, groupby, takewhile

from app.harmony.segments import Control, Segment
from app.harmony.vocabulary import Vocabulary, control_ids

STRETCH = 50_000
"""Characters; llama.cpp takes some 50 ms for them."""

# A name that does not start with a bracket and a bar is cut at its first change from letters to others or back.
_CHANGE = re.compile(r"(?<=\w)(?=\W)|(?<=\W)(?=\w)")
# Where a line begins with a letter, gpt-oss's pre-tokenizer always cuts: no token goes over it.
_LINE = re.compile(r"(?<=\n)(?=[^\W\d_])")
# Half a surrogate pair is no character and has no bytes in UTF-8.
_SURROGATE = re.compile("[\ud800-\udfff]")


class PromptEncoder:
    """Encodes prompts for one vocabulary."""

    def __init__(self, vocabulary: Vocabulary, uncut: Collection[str] = ()) -> None:
        """``uncut`` are names of user-defined tokens that text may hold."""
        self._vocabulary = vocabulary
        self._ids = control_ids(vocabulary)
        # One character cannot be cut, and cannot be a control token's whole name.
        names = sorted({name for name in vocabulary.special_tokens.values() if len(name) > 1 and name not in uncut})
        self._names = re.compile(_shortest_of(names) if names else r"(?!)")
        self._cuts = {name: self._cut(name) for name in names}

    def encode(self, segments: Iterable[Segment]) -> list[int]:
        """The prompt's token ids; KeyError when the vocabulary lacks a control token that is used."""
        return list(chain.from_iterable(self.runs(segments)))

    def runs(self, segments: Iterable[Segment]) -> Iterator[list[int]]:
        """The same ids in runs, none of which takes long to make: a large prompt can be given up in between."""
        for segment in segments:
            if isinstance(segment, Control):
                yield [self._ids[segment.token]]
            else:
                yield from map(self._vocabulary.tokenize, self.pieces(segment.text))

    def pieces(self, text: str) -> Iterator[str]:
        """Plain text as it is to be tokenized, piece by piece: no piece holds a special token's name or takes long."""
        for part in self.parts(text):
            yield from _stretches(part)

    def parts(self, text: str) -> Iterator[str]:
        """The text in parts, none of which holds the complete name of a special token."""
        text = _SURROGATE.sub("\ufffd", text)
        begin = 0
        while found := self._names.search(text, begin):
            cut = found.start() + self._cuts[found.group()]
            yield text[begin:cut]
            begin = cut
        if begin < len(text):
            yield text[begin:]

    def _cut(self, name: str) -> int:
        """Where a name is cut: never so far in that the first part holds another name."""
        change = _CHANGE.search(name)
        if change and not self._names.search(name, 0, change.start()):
            return change.start()
        return 1


def _stretches(text: str) -> Iterator[str]:
    """The text in stretches of about ``STRETCH`` characters, as far as it has lines."""
    begin = 0
    while found := _LINE.search(text, begin + STRETCH):
        yield text[begin : found.start()]
        begin = found.start()
    yield text[begin:]


def _shortest_of(names: list[str]) -> str:
    """A pattern for the shortest of the names (sorted) that a text goes on with, without trying them one by one.

    What is cut inside the shortest name is cut inside the longer ones as well.
    """
    if not names[0]:
        return ""
    # Sorted, so what the first and the last begin with, all of them do.
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(names[0], names[-1], strict=False))
    if common := "".join(letter for letter, _ in pairs):
        return re.escape(common) + _shortest_of([name.removeprefix(common) for name in names])
    groups = (list(group) for _, group in groupby(names, key=lambda name: name[0]))
    return f"(?:{'|'.join(map(_shortest_of, groups))})"
