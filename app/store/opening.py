"""Open the chat database, whatever state its file is in."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from app.domain.errors import ErrorCode, UserError
from app.files.atomic import set_aside
from app.store.database import Database
from app.store.migrations import MIGRATIONS, Migration, migrate
from app.store.recovery import NEEDED, recover


def open_chats(
    path: Path, *, migrations: Sequence[Migration] = MIGRATIONS, wait_s: float = 2.0
) -> tuple[Database, tuple[UserError, ...]]:
    """The database, with the schema up to date, and what the user should know about how it was opened.

    A damaged file is set aside, and what can be read of it goes into a new one. Raises ``UserError``:
    ``STORE_NEWER``, ``STORE_LOCKED``, ``DISK_FULL`` or ``PROFILE_UNWRITABLE``.
    """
    try:
        return _open(path, migrations, wait_s), ()
    except UserError as error:
        if error.code is not ErrorCode.STORE_UNREADABLE:
            raise
    aside = _set_aside(path)
    database = _open(path, migrations, wait_s)
    try:
        recovered = recover(aside, database)
    except BaseException:
        database.close()
        raise
    problem = UserError(
        ErrorCode.STORE_DAMAGED,
        path=str(path),
        aside=str(aside),
        chats=recovered.conversations,
        messages=recovered.messages,
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


def _set_aside(path: Path) -> Path:
    """Move the file away, and its write-ahead log with it: the two belong together."""
    aside = set_aside(path, "damaged")
    log = path.with_name(path.name + "-wal")
    with contextlib.suppress(FileNotFoundError):
        log.rename(aside.with_name(aside.name + "-wal"))
    return aside
