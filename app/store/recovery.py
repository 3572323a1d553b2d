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
_MESSAGE_NUMBERS = "id, conversation, parent, created, complete"
_MESSAGE_TEXTS = "role, content, reasoning, commentary, tool_calls, name, receipt"
# Fails on a schema that is not, or no longer, ours.
NEEDED = (
    f"SELECT {_CONVERSATION_NUMBERS}, {_CONVERSATION_TEXTS} FROM conversation WHERE id = 0",
    f"SELECT {_MESSAGE_NUMBERS}, {_MESSAGE_TEXTS} FROM message WHERE id = 0",
    "SELECT conversation, text FROM draft WHERE conversation = 0",
)
_LARGEST_GUESS = 200_000


@dataclass(frozen=True, slots=True)
class Recovered:
    """How much came over."""

    conversations: int = 0
    messages: int = 0


def recover(damaged: Path, target: Database) -> Recovered:
    """Copy every row that can be read from ``damaged`` into the empty database ``target``.

    A message whose parent is lost follows the newest earlier one of its chat that is not; messages whose chat is
    lost get a new one. The damaged file is only read.
    """
    try:
        source = Database(damaged)
    except UserError as error:
        if error.code is not ErrorCode.STORE_UNREADABLE:
            raise
        return Recovered()
    try:
        if not all(map(source.understands, NEEDED)):
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
            [number, created, updated, deleted, *texts],
        )
        shown[_id(number)] = leaf
    arrived: dict[int, list[int]] = {}
    messages = 0
    for number, conversation, parent, created, complete, role, *texts, receipt in _readable(
        source, "message", _MESSAGE_NUMBERS, _MESSAGE_TEXTS
    ):
        if _id(conversation) not in shown:
            target.insert(
                "INSERT INTO conversation (id, created, updated, title, date, effort, instructions, tools, model)"
                " VALUES (?, ?, ?, '', date(?, 'unixepoch'), 'medium', '', '[]', '')",
                [conversation, created, created, created],
            )
            shown[_id(conversation)] = None
        before = arrived.setdefault(_id(conversation), [])
        if parent is not None and parent not in before:
            parent = before[-1] if before else None
        target.insert(
            f"INSERT INTO message ({_MESSAGE_NUMBERS}, {_MESSAGE_TEXTS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            [
                number,
                conversation,
                parent,
                created,
                complete,
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
    for number in range(1, _last_id(source, table) + 1):
        try:
            row = source.row(f"SELECT {numbers}, {as_bytes(texts)} FROM {table} NOT INDEXED WHERE id = ?", [number])
        except UserError:
            continue
        if row is not None:
            yield (*row[:count], *map(as_text, row[count:]))


def _last_id(source: Database, table: str) -> int:
    """The highest id a table can hold."""
    for query in ("SELECT seq FROM sqlite_sequence WHERE name = ?", f"SELECT max(id) FROM {table} WHERE ? <> ''"):
        try:
            row = source.row(query, [table])
        except UserError:
            continue
        if row is not None and isinstance(row[0], int):
            return min(row[0], _LARGEST_GUESS)
    return min(source.path.stat().st_size // 16, _LARGEST_GUESS)


def _id(cell: Cell) -> int:
    assert isinstance(cell, int)
    return cell
