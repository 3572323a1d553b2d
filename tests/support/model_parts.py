"""Splits a model into several files, as ``llama-gguf-split`` does."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import gguf

from tests.support.gguf_builder import GGUF, I32, U16, entry

ALIGNMENT = 32


def split_model(model: Path, folder: Path, count: int, *, name: str = "split") -> list[Path]:
    """Write ``model`` in ``count`` parts of about as many tensors each; the first has the metadata."""
    data = model.read_bytes()
    tensors: list[Any] = gguf.GGUFReader(model).tensors
    each = -(-len(tensors) // count)
    (keys,) = struct.unpack_from("<Q", data, 16)
    metadata = data[24 : tensors[0].field.offset]
    assert b"general.alignment" not in metadata

    parts: list[Path] = []
    for number in range(count):
        entries = [
            entry("split.no", U16, number),
            entry("split.count", U16, count),
            entry("split.tensors.count", I32, len(tensors)),
        ]
        own: list[tuple[str, tuple[int, ...], int, int]] = []
        weights = b""
        for tensor in tensors[number * each : (number + 1) * each]:
            begin = int(tensor.data_offset)
            own.append((tensor.name, tuple(map(int, tensor.shape)), int(tensor.tensor_type), len(weights)))
            weights += data[begin : begin + int(tensor.n_bytes)]
            weights += bytes(-len(weights) % ALIGNMENT)
        part = GGUF(entries, own, weights)
        if number == 0:
            part.entries.append(metadata)
            part.key_count = keys + 3
        path = folder / f"{name}-{number + 1:05}-of-{count:05}.gguf"
        path.write_bytes(part.build())
        parts.append(path)
    return parts
