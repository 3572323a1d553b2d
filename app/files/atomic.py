"""Write a file whole or not at all, and set a broken one aside."""

import contextlib
import errno
import os
from pathlib import Path

from app.domain.errors import ErrorCode, UserError

_BINARY = getattr(os, "O_BINARY", 0)
# Full, over the user's quota, over the largest file the system allows.
_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG})


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``; after a kill or a power cut it holds the old bytes or the new ones.

    Raises ``UserError``: ``DISK_FULL`` or ``PROFILE_UNWRITABLE``; the old file is then untouched.
    """
    # Always the same name, so that kills leave at most one such file, which the next write takes over.
    part = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | _BINARY, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> UserError:
    """The known error behind a failed write."""
    if error.errno in _FULL:
        return UserError(ErrorCode.DISK_FULL, path=str(path))
    return UserError(ErrorCode.PROFILE_UNWRITABLE, path=str(path), reason=reason_of(error))


def reason_of(error: OSError) -> str:
    """What the system says about an error, without its number and path."""
    return (error.strerror or type(error).__name__).lower()


def aside_name(path: Path, word: str) -> Path:
    """The first free name of the form ``path.word-1``, ``path.word-2``..."""
    number = 1
    # Not the path's own ``exists``, which raises when the name is too long.
    while os.path.lexists(aside := path.with_name(f"{path.name}.{word}-{number}")):
        number += 1
    return aside


def set_aside(path: Path, word: str = "broken") -> Path:
    """Rename a file that cannot be used, so that it is neither lost nor in the way; returns its new name."""
    aside = aside_name(path, word)
    try:
        path.rename(aside)
        sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    return aside


def sync_folder(folder: Path) -> None:
    """Make a rename outlive a power cut. Windows has no such call; there the file system's journal does it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
