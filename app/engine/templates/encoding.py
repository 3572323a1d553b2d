"""What a template wrote to token ids: control tokens where the template names them, and nowhere else.

Only whole names inside the template's own words are control tokens. Everything between two of them is one run of plain
text, a message with the words around it, and is tokenized as one: ``[INST] Hello`` has the tokens that the model was
trained on, which ``[INST] `` and ``Hello`` apart have not. In a run every name of a special token is cut in two, as in
harmony's prompts (``app.harmony.encoding``).
"""

import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Protocol

from app.engine.templates.marks import Own, Part
from app.harmony.encoding import PromptEncoder
from app.harmony.vocabulary import Vocabulary

_LONGEST_NAME: Final = 256
_KEPT_CHARACTERS: Final = 4_000_000


class TemplateVocabulary(Vocabulary, Protocol):
    """What a chat template needs to know of a vocabulary, besides what harmony needs."""

    @property
    def first_token(self) -> int | None:
        """What every prompt of this model begins with (BOS), if its metadata says so."""
        ...

    def is_control(self, token_id: int) -> bool:
        """Whether it is a control token; the other special ones are user-defined."""
        ...

    def ends_generation(self, token: int) -> bool:
        """Whether the model's own metadata calls it an end of generation."""
        ...

    def swallows_space(self, token_id: int) -> bool:
        """Whether the space behind this special token counts for nothing (Phi 3)."""
        ...


@dataclass(frozen=True, slots=True)
class ControlRun:
    """One control (or user-defined) token that the template names."""

    token_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where one of the conversation's texts stands in a run, in characters."""

    mark: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class TextRun:
    """Plain text up to the next control token; ``places`` are those of the conversation's texts in it, ascending."""

    text: str
    places: tuple[Place, ...]


Run = ControlRun | TextRun


class TemplateEncoder:
    """Encodes what one model's template writes. Keeps the tokens of runs it has met: most of a prompt is not new."""

    def __init__(self, vocabulary: TemplateVocabulary) -> None:
        self._vocabulary = vocabulary
        # Runs of spaces or line breaks, which some vocabularies list as user-defined tokens, control nothing.
        spaces = {
            name
            for token_id, name in vocabulary.special_tokens.items()
            if name.isspace() and not vocabulary.is_control(token_id)
        }
        self._plain = PromptEncoder(vocabulary, spaces)
        self._ids: dict[str, int] = {}
        for token_id, name in sorted(vocabulary.special_tokens.items()):
            if name and not name.isspace() and len(name) <= _LONGEST_NAME:
                self._ids.setdefault(name, token_id)
        self._lengths: dict[str, list[int]] = {}  # of the names that begin with a letter, longest first
        for letter, length in sorted({(name[0], len(name)) for name in self._ids}, reverse=True):
            self._lengths.setdefault(letter, []).append(length)
        self._first_letters = re.compile(f"[{re.escape(''.join(self._lengths))}]" if self._lengths else "(?!)")
        # SentencePiece writes a space before the text that it is given, whatever stands before it.
        self._adds_space = b"".join(map(vocabulary.piece, vocabulary.tokenize("a"))) == b" a"
        self._line_break = vocabulary.tokenize("\n")
        self._kept: OrderedDict[str, tuple[int, ...]] = OrderedDict()
        self._kept_characters = 0
        self._piece_lengths: dict[int, int] = {}

    def runs(self, parts: Iterable[Part]) -> tuple[Run, ...]:
        """What the template wrote as runs, with the vocabulary's first token where it wrote none itself."""
        runs: list[Run] = []
        texts: list[str] = []
        places: list[Place] = []
        length = 0

        def end_text() -> None:
            nonlocal length
            if texts:
                runs.append(TextRun("".join(texts), tuple(places)))
                texts.clear()
                places.clear()
                length = 0

        swallow = False
        for part in parts:
            if isinstance(part, Own):
                for piece in self._pieces(part.text):
                    if isinstance(piece, ControlRun):
                        end_text()
                        runs.append(piece)
                        swallow = self._vocabulary.swallows_space(piece.token_id)
                    elif piece := piece.lstrip() if swallow else piece:
                        texts.append(piece)
                        length += len(piece)
                        swallow = False
            else:
                texts.append(part.text)
                places.append(Place(part.index, length, length + len(part.text)))
                length += len(part.text)
                swallow = False
        end_text()
        first = self._vocabulary.first_token
        if first is not None and not (runs and isinstance(runs[0], ControlRun) and runs[0].token_id == first):
            runs.insert(0, ControlRun(first, self._vocabulary.special_tokens.get(first, "")))
        return tuple(runs)

    def encode(self, run: Run, given_up: Callable[[], bool]) -> Sequence[int] | None:
        """The run's token ids; None when ``given_up`` said so in between."""
        if isinstance(run, ControlRun):
            return (run.token_id,)
        kept = self._kept.get(run.text)
        if kept is not None:
            self._kept.move_to_end(run.text)
            return kept
        tokens: list[int] = []
        for index, piece in enumerate(self._plain.pieces(run.text)):
            tokens += self._continued(piece) if index and self._adds_space else self._vocabulary.tokenize(piece)
            if given_up():
                return None
        self._keep(run.text, tuple(tokens))
        return tokens

    def tokens_before(self, run: Run, tokens: Sequence[int], characters: Sequence[int]) -> tuple[int, ...]:
        """How many of the run's tokens stand whole before each of these characters of it, which ascend.

        As near as the tokens' pieces spell the text; some vocabularies change a text a little.
        """
        if isinstance(run, ControlRun) or not any(characters):
            return (0,) * len(characters)
        ends = list(accumulate(map(self._piece_length, tokens)))
        at = before = 0
        lead = int(self._adds_space)
        places: list[int] = []
        for character in characters:
            at += len(run.text[before:character].encode("utf-8", "surrogatepass"))
            before = character
            places.append(bisect_right(ends, at + lead) if at else 0)
        return tuple(places)

    def _piece_length(self, token: int) -> int:
        length = self._piece_lengths.get(token)
        if length is None:
            length = self._piece_lengths[token] = len(self._vocabulary.piece(token))
        return length

    def _continued(self, piece: str) -> list[int]:
        """The tokens of text in the middle of a text, where no space belongs."""
        lead = self._line_break
        tokens = self._vocabulary.tokenize("\n" + piece)
        return tokens[len(lead) :] if tokens[: len(lead)] == lead else self._vocabulary.tokenize(piece)

    def _keep(self, text: str, tokens: tuple[int, ...]) -> None:
        self._kept[text] = tokens
        self._kept_characters += len(text)
        while self._kept_characters > _KEPT_CHARACTERS:
            oldest, _ = self._kept.popitem(last=False)
            self._kept_characters -= len(oldest)

    def _pieces(self, text: str) -> Iterator[ControlRun | str]:
        """The template's own words, cut at the special tokens it names; of names that overlap the longest counts."""
        begin = at = 0
        while found := self._first_letters.search(text, at):
            at = found.start()
            for length in self._lengths[found.group()]:
                name = text[at : at + length]
                if name in self._ids:
                    if begin < at:
                        yield text[begin:at]
                    yield ControlRun(self._ids[name], name)
                    begin = at = at + length
                    break
            else:
                at += 1
        if begin < len(text):
            yield text[begin:]
