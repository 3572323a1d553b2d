"""A chat's memory in a file: Alcove's own container around what llama.cpp calls a sequence's state.

llama.cpp's loader takes a flipped bit for good and aborts on other damage, so nothing of a file reaches it before the
sha256 of the whole has been checked. Little-endian throughout:

    magic 8 bytes | header length u32 | header (JSON) | tokens (int32 each) | state | checkpoints' states | sha256

The header has the lengths of all that follows and the `SnapshotKey` that says which model, engine and settings the
state belongs to.
"""

import hashlib
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from app.domain.load_plan import LoadPlan
from app.engine.memory_image import MemoryImage, WindowImage
from app.engine.protocol import Adapter

MAGIC = b"ALCOVEM1"
MAX_HEADER_BYTES = 16 * 1024 * 1024
_LENGTH = struct.Struct("<I")
_TOKEN_BYTES = 4
_CHUNK = 4 * 1024 * 1024


class SnapshotError(Exception):
    """A file that is no snapshot, is damaged, or belongs to something else. ``str`` says which, for the log."""


@dataclass(frozen=True, slots=True)
class SnapshotKey:
    """What a state belongs to; one made under another key is of no use.

    ``engine`` names llama.cpp's commit, ``model_bytes`` and ``model_time`` (nanoseconds) the model's file: nobody knows
    its sha256, which would take as long as to read it all. ``settings`` are the context parameters that shape the
    state.
    """

    engine: str
    model_bytes: int
    model_time: int
    settings: tuple[str, ...] = ()


def snapshot_key(engine: str, files: Sequence[Path], plan: LoadPlan, adapters: Sequence[Adapter]) -> SnapshotKey:
    """What a memory made by ``engine`` with the model in these files and with this plan belongs to. The context's size
    is not part of it: a longer one holds it too. Raises OSError when a file is gone.
    """
    first, *others = ((path, path.stat()) for path in files)
    return SnapshotKey(
        engine=engine,
        model_bytes=first[1].st_size,
        model_time=first[1].st_mtime_ns,
        settings=(
            str(first[0]),
            *(f"{path.name} {status.st_size} {status.st_mtime_ns}" for path, status in others),
            plan.cache_type,
            f"flash attention {plan.flash_attention}",
            *(f"{adapter.path} {adapter.scale} {Path(adapter.path).stat().st_mtime_ns}" for adapter in adapters),
        ),
    )


class _Window(msgspec.Struct):
    length: int
    bytes: int


class _Header(msgspec.Struct):
    key: SnapshotKey
    tokens: int
    state_bytes: int
    batches: list[tuple[int, int]]
    windows: list[_Window]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Header)


@dataclass(frozen=True, slots=True)
class Promise:
    """What the beginning of a file says, unchecked: enough to see whether reading the whole is worthwhile."""

    key: SnapshotKey
    tokens: tuple[int, ...]


def write_snapshot(path: Path, key: SnapshotKey, image: MemoryImage) -> int:
    """Write a file whole or not at all, readable by this user alone; returns its size. OSError when it cannot be."""
    part = part_path(path)
    digest = hashlib.sha256()
    size = 0
    try:
        with os.fdopen(
            os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600), "wb"
        ) as file:
            for piece in _pieces(key, image):
                digest.update(piece)
                file.write(piece)
                size += len(piece)
            file.write(digest.digest())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    return size + digest.digest_size


def part_path(path: Path) -> Path:
    """Where a file stands while it is written."""
    return path.with_name(f".{path.name}.part")


def snapshot_bytes(image: MemoryImage) -> int:
    """About how large the file will be."""
    return len(image.state) + sum(len(window.state) for window in image.windows) + _TOKEN_BYTES * len(image.tokens)


def peek_snapshot(path: Path) -> Promise:
    """The key and the tokens, before anything is checked. SnapshotError or OSError."""
    with path.open("rb") as file:
        header, begin = _read_header(file)
        if not 0 <= header.tokens * _TOKEN_BYTES <= os.fstat(file.fileno()).st_size - begin:
            raise SnapshotError("it ends early")
        data = file.read(header.tokens * _TOKEN_BYTES)
    return Promise(header.key, _tokens(data))


def read_snapshot(path: Path, key: SnapshotKey) -> MemoryImage:
    """The whole, checked against its sha256 and the key. SnapshotError or OSError.

    The states are views of the mapped file, which stays open as long as they are used: nothing is copied.
    """
    with path.open("rb") as file:
        header, begin = _read_header(file)
        if header.key != key:
            raise SnapshotError("it belongs to another model, engine or setting")
        lengths = [header.tokens * _TOKEN_BYTES, header.state_bytes, *(window.bytes for window in header.windows)]
        digest_bytes = hashlib.sha256().digest_size
        if (
            any(length < 0 for length in lengths)
            or begin + sum(lengths) + digest_bytes != os.fstat(file.fileno()).st_size
        ):
            raise SnapshotError("its size is not what it says")
        # A private copy as far as anybody wrote into it, which nobody does: ctypes takes no pointer to less.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    if not _is_whole(mapped, digest_bytes):
        mapped.close()  # Windows removes no file that is mapped
        raise SnapshotError("its checksum is wrong")
    body = memoryview(mapped)
    sections: list[memoryview] = []
    for length in lengths:
        sections.append(body[begin : begin + length])
        begin += length
    tokens, state, *windows = sections
    return MemoryImage(
        tokens=_tokens(tokens),
        batches=tuple(header.batches),
        state=state,
        windows=tuple(WindowImage(window.length, view) for window, view in zip(header.windows, windows, strict=True)),
    )


def _is_whole(mapped: mmap.mmap, digest_bytes: int) -> bool:
    check = hashlib.sha256()
    end = len(mapped) - digest_bytes
    with memoryview(mapped) as view:
        for start in range(0, end, _CHUNK):
            with view[start : min(start + _CHUNK, end)] as piece:
                check.update(piece)
        return check.digest() == bytes(view[end:])


def _pieces(key: SnapshotKey, image: MemoryImage) -> Iterator[bytes | memoryview]:
    header = _Header(
        key=key,
        tokens=len(image.tokens),
        state_bytes=len(image.state),
        batches=list(image.batches),
        windows=[_Window(window.length, len(window.state)) for window in image.windows],
    )
    encoded = _ENCODER.encode(header)
    yield MAGIC + _LENGTH.pack(len(encoded)) + encoded
    yield struct.pack(f"<{len(image.tokens)}i", *image.tokens)
    for state in (image.state, *(window.state for window in image.windows)):
        view = memoryview(state)
        for start in range(0, len(view), _CHUNK):
            yield view[start : start + _CHUNK]


def _read_header(file: BinaryIO) -> tuple[_Header, int]:
    start = file.read(len(MAGIC) + _LENGTH.size)
    if len(start) != len(MAGIC) + _LENGTH.size or not start.startswith(MAGIC):
        raise SnapshotError("it is no snapshot")
    (length,) = _LENGTH.unpack_from(start, len(MAGIC))
    if length > MAX_HEADER_BYTES:
        raise SnapshotError("its header is too long")
    try:
        header = _DECODER.decode(file.read(length))
    except (msgspec.DecodeError, RecursionError) as error:
        raise SnapshotError("its header makes no sense") from error
    return header, len(start) + length


def _tokens(data: bytes | memoryview) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // _TOKEN_BYTES}i", data)
