"""A vocabulary made up for tests: every byte is a token, and its tokenizer falls into every trap."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from app.harmony.vocabulary import ControlToken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HARMONY_NAMES = tuple(token.value for token in ControlToken)
RESERVED_NAMES = ("<|reserved_200000|>", "<|reserved_200001|>", "<|startoftext|>", "<|endofprompt|>")
FIRST_SPECIAL_ID = 1000


class ByteVocabulary:
    """Ids 0 to 255 are bytes, those from ``FIRST_SPECIAL_ID`` on are special tokens.

    ``tokenize`` turns every complete special name in a text into its token, which is what llama.cpp does with the
    user-defined ones even when it is told not to.
    """

    def __init__(self, names: Iterable[str] = (*HARMONY_NAMES, *RESERVED_NAMES)) -> None:
        self._ids = {name: FIRST_SPECIAL_ID + index for index, name in enumerate(names)}
        self._names = {token_id: name for name, token_id in self._ids.items()}
        alternatives = sorted(self._ids, key=len, reverse=True)
        self._special = re.compile("(" + ("|".join(map(re.escape, alternatives)) or "(?!)") + ")")

    @property
    def special_tokens(self) -> Mapping[int, str]:
        return MappingProxyType(self._names)

    def tokenize(self, text: str) -> list[int]:
        ids: list[int] = []
        for part in self._special.split(text):
            ids.extend([self._ids[part]] if part in self._ids else part.encode())
        return ids

    def piece(self, token_id: int) -> bytes:
        return bytes([token_id])

    def id_of(self, name: str) -> int:
        return self._ids[name]

    def text_of(self, ids: Iterable[int]) -> str:
        """What the ids stand for, special tokens by their names."""
        return b"".join(self._names[i].encode() if i in self._names else bytes([i]) for i in ids).decode()
