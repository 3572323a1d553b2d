"""What harmony needs to know of a model's vocabulary."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol


class ControlToken(StrEnum):
    """The control tokens of the format, by the names that every gpt-oss vocabulary gives them."""

    START = "<|start|>"
    MESSAGE = "<|message|>"
    CHANNEL = "<|channel|>"
    CONSTRAIN = "<|constrain|>"
    END = "<|end|>"
    CALL = "<|call|>"
    RETURN = "<|return|>"
    END_OF_TEXT = "<|endoftext|>"


class Vocabulary(Protocol):
    """A model's tokens, as far as rendering and parsing need them."""

    @property
    def special_tokens(self) -> Mapping[int, str]:
        """Every control and user-defined token, reserved ones too: its id and its name."""
        ...

    def tokenize(self, text: str) -> list[int]:
        """The ids of plain text: nothing added in front, and special tokens not asked for."""
        ...

    def piece(self, token_id: int) -> bytes:
        """The bytes an ordinary token stands for; they may be part of a character."""
        ...


def control_ids(vocabulary: Vocabulary) -> dict[ControlToken, int]:
    """The ids of the format's own tokens, those that this vocabulary has.

    A name that occurs twice keeps its lowest id.
    """
    ids: dict[ControlToken, int] = {}
    known = {token.value: token for token in ControlToken}
    for token_id, name in sorted(vocabulary.special_tokens.items()):
        if name in known:
            ids.setdefault(known[name], token_id)
    return ids


def speaks_harmony(vocabulary: Vocabulary) -> bool:
    """Whether the vocabulary has every token that a conversation cannot be written without."""
    return set(ControlToken) - {ControlToken.END_OF_TEXT} <= control_ids(vocabulary).keys()


def stop_ids(vocabulary: Vocabulary) -> frozenset[int]:
    """The tokens that end a generation.

    ``<|end|>`` is not among them: after its reasoning the model goes on with another ``<|start|>assistant``.
    """
    ids = control_ids(vocabulary)
    stops = (ControlToken.RETURN, ControlToken.CALL, ControlToken.END_OF_TEXT)
    return frozenset(ids[token] for token in stops if token in ids)
