"""Segments to token ids, so that no text becomes a control token.

llama.cpp's tokenizer looks for special tokens before anything else, and finds gpt-oss's ``<|start|>``,
``<|message|>``, ``<|channel|>``, ``<|constrain|>`` and ``<|end|>`` in plain text even when told not to: it counts
them as user-defined. A text is therefore cut inside every complete name, and the parts are tokenized apart. The
cut falls where the model's own pre-tokenizer cuts too (``<|`` + ``start|>``), so the ids are those that OpenAI's
tokenizer gives the same plain text. Text without a complete name is never cut.
"""

import re
from collections.abc import Iterable, Iterator

from app.harmony.segments import Control, Segment
from app.harmony.vocabulary import Vocabulary, control_ids

# A name that does not start with a bracket and a bar is cut at its first change from letters to others or back.
_CHANGE = re.compile(r"(?<=\w)(?=\W)|(?<=\W)(?=\w)")
# Half a surrogate pair is no character and has no bytes in UTF-8.
_SURROGATE = re.compile("[\ud800-\udfff]")


class PromptEncoder:
    """Encodes prompts for one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._ids = control_ids(vocabulary)
        # One character cannot be cut, and cannot be a control token's whole name.
        names = sorted(
            {name for name in vocabulary.special_tokens.values() if len(name) > 1}, key=lambda n: (len(n), n)
        )
        # The shortest alternative first: what is cut inside the shortest name is cut inside the longer ones as well.
        self._names = re.compile("|".join(map(re.escape, names)) or r"(?!)")
        self._cuts = {name: self._cut(name) for name in names}

    def encode(self, segments: Iterable[Segment]) -> list[int]:
        """The prompt's token ids; KeyError when the vocabulary lacks a control token that is used."""
        ids: list[int] = []
        for segment in segments:
            if isinstance(segment, Control):
                ids.append(self._ids[segment.token])
            else:
                for part in self.parts(segment.text):
                    ids.extend(self._vocabulary.tokenize(part))
        return ids

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


def encode(segments: Iterable[Segment], vocabulary: Vocabulary) -> list[int]:
    """The prompt's token ids; for many prompts of one model keep a ``PromptEncoder``."""
    return PromptEncoder(vocabulary).encode(segments)
