# ruff: noqa: S608 - the only names put into SQL are this module's own columns and tables
"""Read what a damaged chat database still gives, row by row."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import ErrorCode, UserError
from app.store.database import Cell, Database, Row

_CONVERSATION = "id, title, created, updated, date, effort, instructions, tools, model, leaf, deleted"
_MESSAGE = (
    "id, conversation, parent, created, role, content, reasoning, commentary, tool_calls, name, complete, receipt"
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
        with target.transaction():
            return _copy(source, target)
    finally:
        source.close(keep_log=True)


def _copy(source: Database, target: Database) -> Recovered:
    shown: dict[int, Cell] = {}
    for row in _readable(source, "conversation", _CONVERSATION):
        *values, leaf, deleted = row
        target.insert(
            f"INSERT INTO conversation ({_CONVERSATION}) VALUES (?,?,?,?,?,?,?,?,?,NULL,?)", [*values, deleted]
        )
        shown[_id(row[0])] = leaf
    arrived: dict[int, list[int]] = {}
    messages = 0
    for row in _readable(source, "message", _MESSAGE):
        node, conversation, parent, created = row[:4]
        if _id(conversation) not in shown:
            target.insert(
                f"INSERT INTO conversation ({_CONVERSATION})"
                " VALUES (?,'',?,?,date(?,'unixepoch'),'medium','','[]','',NULL,NULL)",
                [conversation, created, created, created],
            )
            shown[_id(conversation)] = None
        before = arrived.setdefault(_id(conversation), [])
        if parent is not None and parent not in before:
            parent = before[-1] if before else None
        target.insert(
            f"INSERT INTO message ({_MESSAGE}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", [node, conversation, parent, *row[3:]]
        )
        before.append(_id(node))
        messages += 1
    for conversation, leaf in shown.items():
        nodes = arrived.get(conversation, [])
        if nodes:
            leaf = leaf if leaf in nodes else nodes[-1]
            target.change("UPDATE conversation SET leaf = ? WHERE id = ?", [leaf, conversation])
    return Recovered(len(shown), messages)


def _readable(source: Database, table: str, columns: str) -> Iterator[Row]:
    """The rows of a table that stand on sound pages, in the order of their ids."""
    for number in range(1, _last_id(source, table) + 1):
        try:
            row = source.row(f"SELECT {columns} FROM {table} NOT INDEXED WHERE id = ?", [number])
        except UserError:
            continue
        if row is not None:
            yield row


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
