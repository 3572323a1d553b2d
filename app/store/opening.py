"""Open the chat database, whatever state its file is in.

A damaged file stays in its place until all that can be read of it is in a file of its own, ``.recovered``. Only then
is it renamed, its write-ahead log after it, and the new one put in its place. A recovery that was ended before begins
anew at the next start; an exchange of names that was ended in between is finished.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from app.domain.errors import ErrorCode, UserError
from app.files.atomic import aside_name, set_aside, sync_folder, write_error
from app.store.database import Database
from app.store.migrations import MIGRATIONS, Migration, migrate
from app.store.recovery import NEEDED, recover

_ASIDE = "damaged"


def open_chats(
    path: Path, *, migrations: Sequence[Migration] = MIGRATIONS, wait_s: float = 2.0
) -> tuple[Database, tuple[UserError, ...]]:
    """The database, with the schema up to date, and what the user should know about how it was opened.

    A damaged file is set aside, and what can be read of it goes into a new one. Raises ``UserError``:
    ``STORE_NEWER``, ``STORE_LOCKED``, ``DISK_FULL`` or ``PROFILE_UNWRITABLE``.
    """
    aside = _interrupted(path)
    if aside is not None:
        _take_place(path, aside)
    try:
        database = _open(path, migrations, wait_s)
    except UserError as error:
        if error.code is not ErrorCode.STORE_UNREADABLE:
            raise
        _recover(path, migrations, wait_s)
        aside = set_aside(path, _ASIDE)
        _take_place(path, aside)
        database = _open(path, migrations, wait_s)
    if aside is None:
        return database, ()
    problem = UserError(
        ErrorCode.STORE_DAMAGED,
        path=str(path),
        aside=str(aside),
        chats=database.number("SELECT count(*) FROM conversation"),
        messages=database.number("SELECT count(*) FROM message"),
    )
    return database, (problem,)


def _open(path: Path, migrations: Sequence[Migration], wait_s: float) -> Database:
    database = Database(path, wait_s=wait_s)
    try:
        if not database.is_empty and not (database.is_ours and database.is_sound()):
            raise UserError(ErrorCode.STORE_UNREADABLE, path=str(path))
        migrate(database, migrations)
        if not all(map(database.understands, NEEDED)):
            raise UserError(ErrorCode.STORE_UNREADABLE, path=str(path))
    except BaseException:
        database.close(keep_log=True)
        raise
    return database


def _recover(path: Path, migrations: Sequence[Migration], wait_s: float) -> None:
    """Put what can be read of a damaged file into the one that is to take its place, whole and on the disk."""
    fresh = _recovered(path)
    try:
        _remove(fresh)  # what a recovery that was ended has left
        database = Database(fresh, wait_s=wait_s)
        try:
            migrate(database, migrations)
            recover(path, database)
            # Closing does this too, but says nothing when it fails, and the log is not renamed with the file.
            database.forget_deleted()
        finally:
            database.close()
    except BaseException:
        with contextlib.suppress(UserError):
            _remove(fresh)
        raise


def _interrupted(path: Path) -> Path | None:
    """Where the damaged file is, when it was set aside and the recovered one has not taken its place yet."""
    if os.path.lexists(path) or not os.path.lexists(_recovered(path)):
        return None
    free = aside_name(path, _ASIDE)
    newest = path.with_name(f"{path.name}.{_ASIDE}-{int(free.name.rpartition('-')[2]) - 1}")
    return newest if os.path.lexists(newest) else None


def _take_place(path: Path, aside: Path) -> None:
    """Let the recovered file take the place of the damaged one, whose log goes first: the two belong together."""
    try:
        with contextlib.suppress(FileNotFoundError):
            _log(path).replace(_log(aside))
        _recovered(path).rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error


def _remove(database: Path) -> None:
    try:
        for file in (database, _log(database)):
            file.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(database, error) from error


def _recovered(path: Path) -> Path:
    return path.with_name(path.name + ".recovered")


def _log(path: Path) -> Path:
    """The write-ahead log of a database."""
    return path.with_name(path.name + "-wal")
