# ruff: noqa: S608 - the only names put into SQL are this module's own columns and tables
"""Read what a damaged chat database still gives, row by row."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.domain.conversation import Role
from app.domain.errors import ErrorCode, UserError
from app.store.database import Cell, Database, Row, as_bytes, as_text

_CONVERSATION_NUMBERS = "id, created, updated, leaf, deleted"
_CONVERSATION_TEXTS = "title, date, effort, instructions, tools, model"
_MESSAGE_NUMBERS = "id, conversation, parent, created, complete, pinned"
_UNPINNED = "id, conversation, parent, created, complete, 0"  # where no message could be pinned yet
_MESSAGE_TEXTS = "role, content, reasoning, commentary, tool_calls, name, receipt"
_NEEDED_ALWAYS = (
    f"SELECT {_CONVERSATION_NUMBERS}, {_CONVERSATION_TEXTS} FROM conversation WHERE id = 0",
    f"SELECT {_UNPINNED}, {_MESSAGE_TEXTS} FROM message WHERE id = 0",
    "SELECT conversation, text FROM draft WHERE conversation = 0",
)
# Fails on a schema that is not, or no longer, ours.
NEEDED = (*_NEEDED_ALWAYS, "SELECT pinned FROM message WHERE id = 0")
_LARGEST_GUESS = 200_000
# How many numbers on end may lead nowhere: those of some dozen pages full of rows.
_LARGEST_GAP = 5_000
# Far beyond what is ever counted up to; SQLite can give no new id after its largest, 2**63 - 1.
_LARGEST_ID = 2**53
_LATEST = 253_402_300_000.0  # the end of the year 9999, the last that a date can be made of


@dataclass(frozen=True, slots=True)
class Recovered:
    """How much came over."""

    conversations: int = 0
    messages: int = 0


def recover(damaged: Path, target: Database) -> Recovered:
    """Copy every row that can be read from ``damaged`` into the empty database ``target``.

    Its schema may be an older one. A message whose parent is lost follows the newest earlier one of its chat that is
    not; messages whose chat is lost get a new one; a cell that makes no sense gets a value that does. The damaged file
    is only read.
    """
    try:
        source = Database(damaged)
    except UserError as error:
        if error.code is not ErrorCode.STORE_UNREADABLE:
            raise
        return Recovered()
    try:
        if not all(map(source.understands, _NEEDED_ALWAYS)):
            return Recovered()
        with target.transaction():
            return _copy(source, target)
    except UserError as error:
        if error.code is not ErrorCode.STORE_UNREADABLE or error.values["path"] != str(damaged):
            raise
        return Recovered()
    finally:
        source.close(keep_log=True)


def _copy(source: Database, target: Database) -> Recovered:
    shown: dict[int, Cell] = {}
    for number, created, updated, leaf, deleted, *texts in _readable(
        source, "conversation", _CONVERSATION_NUMBERS, _CONVERSATION_TEXTS
    ):
        target.insert(
            f"INSERT INTO conversation ({_CONVERSATION_NUMBERS}, {_CONVERSATION_TEXTS})"
            " VALUES (?,?,?,NULL,?,?,?,?,?,?,?)",
            [number, _time(created), _time(updated), deleted if deleted is None else _time(deleted), *texts],
        )
        shown[_id(number)] = leaf
    arrived: dict[int, list[int]] = {}
    messages = 0
    numbers = _MESSAGE_NUMBERS if source.understands(NEEDED[-1]) else _UNPINNED
    for number, conversation, parent, created, complete, pinned, role, *texts, receipt in _readable(
        source, "message", numbers, _MESSAGE_TEXTS
    ):
        if not isinstance(conversation, int) or not 0 < conversation <= _LARGEST_ID:
            continue
        created = _time(created)
        if conversation not in shown:
            target.insert(
                "INSERT INTO conversation (id, created, updated, title, date, effort, instructions, tools, model)"
                " VALUES (?, ?, ?, '', date(?, 'unixepoch'), 'medium', '', '[]', '')",
                [conversation, created, created, created],
            )
            shown[conversation] = None
        before = arrived.setdefault(conversation, [])
        if parent is not None and parent not in before:
            parent = before[-1] if before else None
        target.insert(
            f"INSERT INTO message ({_MESSAGE_NUMBERS}, {_MESSAGE_TEXTS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            [
                number,
                conversation,
                parent,
                created,
                complete if isinstance(complete, int) else 1,
                pinned if isinstance(pinned, int) else 0,
                role if role in set(Role) else "user",
                *texts,
                receipt or None,
            ],
        )
        before.append(_id(number))
        messages += 1
    for conversation, leaf in shown.items():
        nodes = arrived.get(conversation, [])
        if nodes:
            leaf = leaf if leaf in nodes else nodes[-1]
            target.change("UPDATE conversation SET leaf = ? WHERE id = ?", [leaf, conversation])
    _copy_drafts(source, target, shown.keys())
    return Recovered(len(shown), messages)


def _copy_drafts(source: Database, target: Database, conversations: Container[Cell]) -> None:
    try:
        rows = source.rows(f"SELECT conversation, {as_bytes('text')} FROM draft NOT INDEXED")
    except UserError:
        return
    for conversation, text in rows:
        if conversation is None or conversation in conversations:
            target.insert("INSERT OR IGNORE INTO draft VALUES (?, ?)", [conversation, as_text(text)])


def _readable(source: Database, table: str, numbers: str, texts: str) -> Iterator[Row]:
    """The rows of a table that stand on sound pages, in the order of their ids; text as far as it is text."""
    count = numbers.count(",") + 1
    for number in _ids(source, table):
        try:
            row = source.row(f"SELECT {numbers}, {as_bytes(texts)} FROM {table} NOT INDEXED WHERE id = ?", [number])
        except UserError:
            continue
        if row is not None:
            yield (*row[:count], *map(as_text, row[count:]))


def _ids(source: Database, table: str) -> Iterator[int]:
    """Every id that a table may hold, in order: all small numbers, and the large ones that the table leads to."""
    last = _last_id(source, table)
    yield from range(1, min(last, _LARGEST_GUESS) + 1)
    if last > _LARGEST_GUESS:
        # From both sides, because behind a damaged page there may be sound ones.
        yield from sorted({*_walk(source, table, _LARGEST_GUESS + 1, 1), *_walk(source, table, last, -1)})


def _walk(source: Database, table: str, number: int, step: int) -> Iterator[int]:
    """The ids from ``number`` on, upwards or downwards; where the table leads nowhere, the next numbers are tried."""
    sign, order = (">=", "ASC") if step > 0 else ("<=", "DESC")
    failures = 0
    while _LARGEST_GUESS < number <= _LARGEST_ID and failures < _LARGEST_GAP:
        try:
            row = source.row(
                f"SELECT id FROM {table} NOT INDEXED WHERE id {sign} ? ORDER BY id {order} LIMIT 1", [number]
            )
        except UserError:
            row = (None,)
        if row is None:
            return
        found = row[0]
        if isinstance(found, int) and (found - number) * step >= 0:
            if _LARGEST_GUESS < found <= _LARGEST_ID:
                yield found
            number = found
            failures = 0
        else:
            failures += 1
        number += step


def _last_id(source: Database, table: str) -> int:
    """The highest id a table can hold."""
    known: list[int] = []
    for query in (f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'", f"SELECT max(id) FROM {table}"):
        if not source.understands(query):
            continue
        try:
            row = source.row(query)
        except UserError:
            continue
        if row is not None and isinstance(row[0], int):
            known.append(row[0])
    guess = source.path.stat().st_size // 16
    return min(max(known), _LARGEST_ID) if known else min(guess, _LARGEST_GUESS)


def _id(cell: Cell) -> int:
    assert isinstance(cell, int)
    return cell


def _time(cell: Cell) -> float:
    """A moment as seconds since 1970; 1970 itself for what can be none."""
    return float(cell) if isinstance(cell, int | float) and 0 <= cell <= _LATEST else 0.0
