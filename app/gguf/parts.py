"""Models that come in several files, ``X-00001-of-00003.gguf`` and so on.

llama.cpp is given the first part, which says how many there are, and finds the others by its name. The rules are its
own (``llama_split_path``, ``llama_split_prefix``, ``llama_model_loader``): whatever it refuses is refused here, with
the file that is at fault.
"""

import re
from pathlib import Path
from typing import Final

from app.domain.errors import ErrorCode, UserError
from app.gguf.header import Header, read_header_file

_NAME: Final = re.compile(r"-([0-9]{5,})-of-([0-9]{5,})\.gguf$")
# Written as 16-bit numbers.
_MOST_PARTS: Final = 65_535


def read_parts(path: Path) -> tuple[Header, ...]:
    """The headers of all files of the model whose first file is ``path``, in their order; mostly that one alone.

    Raises ``UserError``: those of ``read_header_file``, for every file; ``MODEL_PART_MISSING``,
    ``NOT_THE_FIRST_PART``, ``MODEL_PART_RENAMED``, and ``GGUF_BROKEN`` when the parts are not of one model.
    """
    first = read_header_file(path)
    number, count = _place(first, path)
    if count == 1:
        return (first,)
    paths = _paths(path, number, count)
    if number:
        _require_first(paths)
        raise UserError(
            ErrorCode.NOT_THE_FIRST_PART, path=str(path), number=number + 1, count=count, first=str(paths[0])
        )
    headers = (first, *(_read_later(paths, number) for number in range(1, count)))
    names = [tensor.name for header in headers for tensor in header.tensors]
    if len(names) != len(set(names)) or len(names) != first.metadata.get("split.tensors.count"):
        raise UserError(ErrorCode.GGUF_BROKEN, path=str(path), reason="its parts do not make one model")
    return headers


def check_parts(path: Path) -> tuple[Path, ...]:
    """All files of the model whose first file is ``path``, complete and of one model; ``UserError`` as
    ``read_parts``.
    """
    return part_paths(path, len(read_parts(path)))


def part_paths(first: Path, count: int) -> tuple[Path, ...]:
    """Where the files of a model in ``count`` files are; ``MODEL_PART_RENAMED`` when ``first`` has another name than
    a first part of so many.
    """
    return (first,) if count == 1 else _paths(first, 0, count)


def first_part(path: Path) -> Path:
    """The file to load when someone chose ``path``: for a later part of a model the first, else the same.

    Of files that are not named as later parts nothing is read. Raises ``UserError``: those of ``read_header_file``,
    ``MODEL_PART_RENAMED``, and ``MODEL_PART_MISSING`` when the first part is not there.
    """
    name = _NAME.search(path.name)
    if name is None or int(name[1]) == 1:
        return path
    number, count = _place(read_header_file(path), path)
    if count == 1:
        return path
    paths = _paths(path, number, count)
    _require_first(paths)
    return paths[0]


def is_part_name(path: Path) -> bool:
    """Whether a file is named as one of several of a model."""
    return _NAME.search(path.name) is not None


def plain_stem(path: Path) -> str:
    """What to call a model by its file's name alone: without the ending, and without the number of a part."""
    return Path(_NAME.sub(".gguf", path.name)).stem


def _place(header: Header, path: Path) -> tuple[int, int]:
    """Which part it is, from 0, and of how many."""
    count = header.metadata.get("split.count", 0)
    number = header.metadata.get("split.no")
    if type(count) is int and count in {0, 1}:
        return 0, 1
    if type(count) is not int or type(number) is not int or not 0 <= number < count <= _MOST_PARTS:
        raise UserError(ErrorCode.GGUF_BROKEN, path=str(path), reason="it is a part that cannot be")
    return number, count


def _paths(path: Path, number: int, count: int) -> tuple[Path, ...]:
    """All parts, by the name of part ``number``."""
    ending = _ending(number, count)
    prefix = path.name.removesuffix(ending)
    if prefix == path.name:
        raise UserError(ErrorCode.MODEL_PART_RENAMED, path=str(path), number=number + 1, count=count, ending=ending)
    return tuple(path.with_name(prefix + _ending(other, count)) for other in range(count))


def _ending(number: int, count: int) -> str:
    return f"-{number + 1:05}-of-{count:05}.gguf"


def _require_first(paths: tuple[Path, ...]) -> None:
    try:
        paths[0].stat()
    except FileNotFoundError as error:
        raise _missing(paths, 0) from error
    except OSError:  # whoever reads it says so
        return


def _read_later(paths: tuple[Path, ...], number: int) -> Header:
    path = paths[number]
    try:
        header = read_header_file(path)
    except UserError as error:
        raise _missing(paths, number) if error.code is ErrorCode.FILE_NOT_FOUND else error from error
    if header.metadata.get("split.no") != number:
        raise UserError(ErrorCode.GGUF_BROKEN, path=str(path), reason="it is another part than its name says")
    return header


def _missing(paths: tuple[Path, ...], number: int) -> UserError:
    return UserError(ErrorCode.MODEL_PART_MISSING, path=str(paths[number]), count=len(paths))
