"""Makes small GGUF files, right ones and wrong ones, byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
_FORMS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}

HARMONY = ["<|start|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|end|>", "<|call|>", "<|return|>"]


def string(text: str | bytes) -> bytes:
    """A string as GGUF has it."""
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def value(kind: int, content: object) -> bytes:
    """A single value without its kind."""
    return string(content) if kind == STRING else struct.pack("<" + _FORMS[kind], content)  # type: ignore[arg-type]


def entry(key: str | bytes, kind: int, content: object) -> bytes:
    """A key with a single value."""
    return string(key) + struct.pack("<I", kind) + value(kind, content)


def array(key: str, kind: int, contents: Sequence[object]) -> bytes:
    """A key with an array."""
    head = string(key) + struct.pack("<IIQ", ARRAY, kind, len(contents))
    return head + b"".join(value(kind, content) for content in contents)


@dataclass(slots=True)
class GGUF:
    """A file in the making; by default a right one with one tensor."""

    entries: list[bytes] = field(default_factory=lambda: [entry("general.architecture", STRING, "gpt-oss")])
    tensors: list[tuple[str, tuple[int, ...], int, int]] = field(default_factory=lambda: [("a", (32, 2), 1, 0)])
    data: bytes = bytes(128)
    version: int = 3
    magic: bytes = b"GGUF"
    alignment: int = 32
    tensor_count: int | None = None
    key_count: int | None = None

    def header(self) -> bytes:
        """Everything before the weights, padded."""
        tensors = len(self.tensors) if self.tensor_count is None else self.tensor_count
        keys = len(self.entries) if self.key_count is None else self.key_count
        parts = [self.magic, struct.pack("<IQQ", self.version, tensors, keys), *self.entries]
        for name, shape, kind, offset in self.tensors:
            parts += [string(name), struct.pack(f"<I{len(shape)}qIQ", len(shape), *shape, kind, offset)]
        head = b"".join(parts)
        return head + bytes(-len(head) % self.alignment)

    def build(self) -> bytes:
        """The whole file."""
        return self.header() + self.data
