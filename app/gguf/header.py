"""The header of a GGUF file: what a model is, without its weights.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; what is refused follows llama.cpp's ``gguf.cpp``.
"""

import os
import stat
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from app.domain.errors import ErrorCode, UserError
from app.gguf.tensor_types import TENSOR_TYPES, TensorType
from app.gguf.window import ReadRange, Window

Scalar = bool | int | float | str
Numbers = tuple[bool | int | float, ...]
T = TypeVar("T")

TOKENS_KEY: Final = "tokenizer.ggml.tokens"
_ALIGNMENT_KEY: Final = "general.alignment"
_STRING: Final = 8
_ARRAY: Final = 9
_SCALARS: Final = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
# Far above real models (60 key-values, 700 tensors), far below what costs time or memory.
_MOST_KEYS: Final = 4096
_MOST_TENSORS: Final = 65_536
_LONGEST_KEY: Final = 1024
_LONGEST_NAME: Final = 63
_LONGEST_VALUE: Final = 512 * 1024
_MOST_TEXT: Final = 4 * 1024 * 1024
# llama.cpp has 512 layers at most (LLAMA_MAX_LAYERS); longer arrays are no numbers of layers.
_LONGEST_LIST: Final = 512
_MOST_LISTED: Final = 65_536
_LONGEST_CONTROL: Final = 64
_MOST_CONTROLS: Final = 4096
_LARGEST_TENSOR: Final = 1 << 48


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor; ``offset`` counts from the start of the data."""

    name: str
    shape: tuple[int, ...]
    type: TensorType
    offset: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def size_bytes(self) -> int:
        """How many bytes it takes in the file."""
        return self.elements // self.type.block * self.type.block_bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A header as read.

    ``metadata`` has the single values (texts over 512 KB left out), ``arrays`` the lengths of the arrays, ``lists`` the
    contents of short ones of numbers: those with a number for each layer.
    ``control_like`` are the vocabulary's tokens that begin with ``<|``. The weights start ``data_offset`` bytes
    into the file, which must have ``size_bytes`` in all.
    """

    version: int
    metadata: Mapping[str, Scalar]
    arrays: Mapping[str, int]
    control_like: frozenset[str]
    tensors: tuple[TensorInfo, ...]
    data_offset: int
    size_bytes: int
    lists: Mapping[str, Numbers] = field(default_factory=lambda: MappingProxyType[str, Numbers]({}))


def read_header_file(path: Path) -> Header:
    """The header of a model file on this machine.

    Raises ``UserError``: ``FILE_NOT_FOUND``, ``FILE_UNREADABLE``, ``NOT_A_FILE``, ``FILE_EMPTY``, and those of
    ``read_header``.
    """
    # A named pipe would block for ever, a device might do anything: look before, and open without waiting.
    _require_file(path, _checked(path, path.stat))
    handle = _checked(
        path, lambda: os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    )
    with os.fdopen(handle, "rb", buffering=0) as file:
        size = _require_file(path, os.fstat(file.fileno()))

        def read(offset: int, length: int) -> bytes:
            def piece() -> bytes:
                file.seek(offset)
                return file.read(length)

            return _checked(path, piece)

        return read_header(read, size, str(path))


def read_header(read: ReadRange, size: int, path: str) -> Header:
    """The header of a file of ``size`` bytes; ``path`` is what messages call it.

    Costs at most 64 MB and about a second, whatever the file holds. Raises ``UserError``: ``NOT_A_GGUF``,
    ``GGUF_TRUNCATED`` (also when only the weights' end is missing), ``GGUF_BROKEN``, ``GGUF_UNSUPPORTED``.
    """
    window = Window(read, size, path)
    if size < 4 or window.take(4) != b"GGUF":
        raise UserError(ErrorCode.NOT_A_GGUF, path=path)
    version = window.u32()
    if version not in {2, 3}:
        other_order = version & 0xFFFF == 0
        reason = "it is made for another kind of processor" if other_order else f"GGUF version {version}"
        raise UserError(ErrorCode.GGUF_UNSUPPORTED, path=path, reason=reason)
    tensor_count, key_count = window.u64(), window.u64()
    if tensor_count > _MOST_TENSORS or key_count > _MOST_KEYS:
        raise window.broken("too many entries")
    metadata, arrays, lists, control_like = _read_metadata(window, key_count)
    alignment = metadata.get(_ALIGNMENT_KEY, 32)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1) or alignment > 1 << 20:
        raise window.broken("an alignment that cannot be")
    tensors = tuple(_read_tensor(window) for _ in range(tensor_count))
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise window.broken("two tensors of one name")
    data_offset = _padded(window.offset, alignment)
    return Header(
        version=version,
        metadata=MappingProxyType(metadata),
        arrays=MappingProxyType(arrays),
        control_like=control_like,
        tensors=tensors,
        data_offset=data_offset,
        size_bytes=_needed_size(window, tensors, data_offset, alignment),
        lists=MappingProxyType(lists),
    )


def _read_metadata(
    window: Window, count: int
) -> tuple[dict[str, Scalar], dict[str, int], dict[str, Numbers], frozenset[str]]:
    metadata: dict[str, Scalar] = {}
    arrays: dict[str, int] = {}
    lists: dict[str, Numbers] = {}
    control_like: frozenset[str] = frozenset()
    seen: set[str] = set()
    room, list_room = _MOST_TEXT, _MOST_LISTED
    for _ in range(count):
        key = window.text(_LONGEST_KEY)
        if key is None:
            raise window.broken("an endless key")
        if key in seen:
            raise window.broken("a key that comes twice")
        seen.add(key)
        kind = window.u32()
        if kind == _ARRAY:
            arrays[key], numbers, tokens = _pass_array(window, list_room, wanted=key == TOKENS_KEY)
            control_like |= tokens
            if numbers:
                lists[key] = numbers
                list_room -= len(numbers)
        elif kind == _STRING:
            text = window.text(min(_LONGEST_VALUE, room))
            if text is not None:
                room -= len(text)
                metadata[key] = text
        else:
            metadata[key] = _scalar(window, kind)
    return metadata, arrays, lists, control_like


def _scalar(window: Window, kind: int) -> Scalar:
    form = _SCALARS.get(kind)
    if form is None:
        raise window.broken("a value of an unknown kind")
    value: bool | int | float = form.unpack(window.take(form.size))[0]
    return value


def _pass_array(window: Window, room: int, *, wanted: bool) -> tuple[int, Numbers, frozenset[str]]:
    """Pass over an array: its length, its numbers when they are few, and the control-like tokens in it when it is the
    vocabulary.
    """
    kind, count = window.u32(), window.u64()
    if kind == _STRING:
        found = window.walk_strings(count, b"<|", _LONGEST_CONTROL if wanted else 0, _MOST_CONTROLS)
        return count, (), frozenset(token.decode(errors="replace") for token in found)
    form = _SCALARS.get(kind)
    if form is None:
        # An array of arrays among them: llama.cpp refuses it too.
        raise window.broken("an array of an unknown kind")
    if count > min(_LONGEST_LIST, room):
        window.skip(count * form.size)
        return count, (), frozenset()
    return count, tuple(value for (value,) in form.iter_unpack(window.take(count * form.size))), frozenset()


def _read_tensor(window: Window) -> TensorInfo:
    name = window.text(_LONGEST_NAME)
    dimensions = window.u32()
    if name is None or not 1 <= dimensions <= 4:
        raise window.broken("a tensor that cannot be")
    shape = struct.unpack(f"<{dimensions}q", window.take(8 * dimensions))
    kind = window.u32()
    offset = window.u64()
    form = TENSOR_TYPES.get(kind)
    if form is None:
        raise UserError(ErrorCode.GGUF_UNSUPPORTED, path=window.path, reason=f"number format {kind}")
    if not all(0 < length < _LARGEST_TENSOR for length in shape) or shape[0] % form.block:
        raise window.broken("a tensor of impossible shape")
    tensor = TensorInfo(name, shape, form, offset)
    if tensor.elements > _LARGEST_TENSOR:
        raise window.broken("a tensor of impossible size")
    return tensor


def _needed_size(window: Window, tensors: tuple[TensorInfo, ...], data_offset: int, alignment: int) -> int:
    """The size the file must have at least; checks that it does."""
    end = 0
    for tensor in tensors:
        if tensor.offset != _padded(end, alignment):
            raise window.broken("weights that overlap")
        end = tensor.offset + tensor.size_bytes
    needed = data_offset + end if tensors else window.offset
    if needed > window.size:
        raise window.truncated()
    return needed


def _padded(offset: int, alignment: int) -> int:
    return (offset + alignment - 1) // alignment * alignment


def _checked(path: Path, work: Callable[[], T]) -> T:
    """What ``work`` gives, its failures as known errors."""
    try:
        return work()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(ErrorCode.FILE_NOT_FOUND, path=str(path)) from error
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UserError(ErrorCode.FILE_UNREADABLE, path=str(path), reason=reason) from error


def _require_file(path: Path, status: os.stat_result) -> int:
    """The size of a regular file that holds something."""
    if stat.S_ISDIR(status.st_mode):
        raise UserError(ErrorCode.NOT_A_FILE, path=str(path), kind="a folder")
    if not stat.S_ISREG(status.st_mode):
        raise UserError(ErrorCode.NOT_A_FILE, path=str(path), kind="a device or a pipe")
    if status.st_size == 0:
        raise UserError(ErrorCode.FILE_EMPTY, path=str(path))
    return status.st_size
