"""The one module that touches the database driver: a connection that speaks in known errors."""

import contextlib
import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import cast

import apsw

from app.domain.errors import ErrorCode, UserError
from app.files.atomic import write_error

# In every Alcove database's header ("AlcC"): tells our files from other programs'.
APPLICATION_ID = 0x416C6343
Cell = str | int | float | bytes | None
Row = tuple[Cell, ...]

_READ_FAILURES = {
    apsw.SQLITE_IOERR_READ,
    apsw.SQLITE_IOERR_SHORT_READ,
    apsw.SQLITE_IOERR_CORRUPTFS,
    apsw.SQLITE_IOERR_DATA,
}


class Database:
    """A connection to one SQLite file, held by this program alone until ``close``.

    All methods raise ``UserError``: ``STORE_LOCKED`` when another program holds the file after ``wait_s`` seconds,
    ``STORE_UNREADABLE`` when it is damaged, ``DISK_FULL``, ``PROFILE_UNWRITABLE``. Nothing is lost by any of them:
    a failed change is undone whole. Any other error of the driver is a bug and goes through.
    """

    def __init__(self, path: Path, *, wait_s: float = 2.0) -> None:
        self.path = path
        with self._known_errors():
            if not os.path.exists(path):  # noqa: PTH110 - the path's own raises when the name is too long
                self._create(path)
            flags = apsw.SQLITE_OPEN_READWRITE
            self._connection = apsw.Connection(str(path), flags=flags)
        try:
            with self._known_errors():
                self._connection.set_busy_timeout(int(wait_s * 1000))
                # Exclusive, so that two running programs never write one profile.
                self.script(
                    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                )
                self._connection.execute("PRAGMA user_version").fetchall()
        except BaseException:
            self.close(keep_log=True)
            raise

    def prepare_writing(self) -> None:
        """Set how changes reach the disk: committed ones outlive a power cut, deleted text is overwritten."""
        self.script(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; "
            "PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 4194304;"
        )

    @property
    def version(self) -> int:
        """The number of migrations that made this schema."""
        return self.number("PRAGMA user_version")

    @property
    def is_empty(self) -> bool:
        """Whether the file has no tables yet."""
        return self.number("SELECT count(*) FROM sqlite_schema") == 0

    @property
    def is_ours(self) -> bool:
        """Whether Alcove made this file."""
        return self.number("PRAGMA application_id") == APPLICATION_ID

    def rows(self, sql: str, bindings: Sequence[Cell] = ()) -> list[Row]:
        """All rows of a query."""
        with self._known_errors():
            return cast("list[Row]", self._connection.execute(sql, bindings).fetchall())

    def row(self, sql: str, bindings: Sequence[Cell] = ()) -> Row | None:
        """The first row of a query, None when there is none."""
        with self._known_errors():
            rows = cast("list[Row]", self._connection.execute(sql, bindings).fetchall())
            return rows[0] if rows else None

    def understands(self, query: str) -> bool:
        """Whether the schema has what a query names, be the rows themselves damaged or not."""
        try:
            self.rows(query)
        except apsw.SQLError:
            return False
        except UserError as error:
            if error.code is not ErrorCode.STORE_UNREADABLE:
                raise
        return True

    def number(self, sql: str) -> int:
        """The whole number that a query without bindings answers."""
        row = self.row(sql)
        assert row is not None
        assert isinstance(row[0], int)
        return row[0]

    def change(self, sql: str, bindings: Sequence[Cell] = ()) -> int:
        """Run one statement; how many rows it changed."""
        with self._known_errors():
            self._connection.execute(sql, bindings)
            return self._connection.changes()

    def insert(self, sql: str, bindings: Sequence[Cell] = ()) -> int:
        """Insert one row; its id."""
        with self._known_errors():
            self._connection.execute(sql, bindings)
            return self._connection.last_insert_rowid()

    def script(self, sql: str) -> None:
        """Run statements one after another, whatever they answer."""
        with self._known_errors():
            # The driver stops at the first row until it is taken, and leaves the statements behind it undone.
            self._connection.execute(sql).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Generator[None]:
        """All changes inside are kept together, or none of them. One inside another is a part of it."""
        if self._connection.in_transaction:
            yield
            return
        with self._known_errors():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._known_errors():
                self._connection.execute("COMMIT")
        except BaseException:
            # A full disk makes SQLite roll back by itself.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def is_sound(self) -> bool:
        """Whether every page of the file makes sense; reads all of it (3 ms a megabyte)."""
        try:
            return self.rows("PRAGMA integrity_check(1)") == [("ok",)]
        except UserError as error:
            if error.code is not ErrorCode.STORE_UNREADABLE:
                raise
            return False

    def copy_to(self, target: Path) -> None:
        """A copy of the whole database as one file; ``target`` is replaced once the copy is complete."""
        part = target.with_name(f".{target.name}.part")
        try:
            part.unlink(missing_ok=True)
            self._create(part)
            with self._known_errors():
                copy = apsw.Connection(str(part))
                try:
                    with self._known_errors(copy):
                        with copy.backup("main", self._connection, "main") as backup:
                            backup.step()
                        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
                finally:
                    copy.close()
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(target)
        except OSError as error:
            raise write_error(target, error) from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def forget_deleted(self) -> None:
        """Empty the write-ahead log, in which deleted text may still stand."""
        self.script("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self, *, keep_log: bool = False) -> None:
        """Give the file back; ``keep_log`` leaves file and write-ahead log exactly as they are."""
        if keep_log:
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._connection.close()
        log = self.path.with_name(self.path.name + "-wal")
        if keep_log and log.exists() and log.stat().st_size == 0:
            log.unlink()  # made by looking, and says nothing

    def _create(self, path: Path) -> None:
        """An empty file that only this user can read, whatever the folder allows."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise write_error(path, error) from error

    @contextlib.contextmanager
    def _known_errors(self, connection: apsw.Connection | None = None) -> Generator[None]:
        try:
            yield
        except (apsw.Error, UnicodeDecodeError) as error:
            # None of our own yet: it is being opened.
            known = self._known(error, connection or cast("apsw.Connection | None", vars(self).get("_connection")))
            if known is None:
                raise
            raise known from error

    def _known(self, error: apsw.Error | UnicodeDecodeError, connection: apsw.Connection | None) -> UserError | None:
        path = str(self.path)
        match error:
            case apsw.FullError():
                return UserError(ErrorCode.DISK_FULL, path=path)
            case apsw.IOError():
                if getattr(error, "extendedresult", 0) in _READ_FAILURES:
                    return UserError(ErrorCode.STORE_UNREADABLE, path=path)
                number = 0 if connection is None else connection.system_errno
                return write_error(self.path, OSError(number, os.strerror(number) if number else str(error)))
            case apsw.CorruptError() | apsw.NotADBError() | UnicodeDecodeError():
                return UserError(ErrorCode.STORE_UNREADABLE, path=path)
            case apsw.BusyError() | apsw.LockedError():
                return UserError(ErrorCode.STORE_LOCKED, path=path)
            case apsw.CantOpenError() | apsw.ReadOnlyError() | apsw.PermissionsError():
                return UserError(ErrorCode.PROFILE_UNWRITABLE, path=path, reason=str(error).rpartition(": ")[2])
            case _:
                return None


def as_bytes(columns: str) -> str:
    """Text columns for a query, as the bytes they are: one that is damaged would make the driver give up."""
    return ", ".join(f"CAST({column} AS BLOB)" for column in columns.split(", "))


def as_text(cell: Cell) -> str:
    """The text of a column that was asked for with ``as_bytes``; "" for NULL, damaged letters as "\ufffd"."""
    assert cell is None or isinstance(cell, bytes)
    return "" if cell is None else cell.decode(errors="replace")
