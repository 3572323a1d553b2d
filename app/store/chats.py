# ruff: noqa: S608 - the only names put into SQL are this module's own columns and tables
"""All chats of a profile: trees of messages in SQLite."""

import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from app.domain.conversation import Effort, Message, Role, Tool, ToolCall
from app.domain.errors import UserError
from app.domain.generation import Receipt
from app.domain.tree import Conversation, ConversationInfo, MessageNode
from app.store.database import Cell, Database, Row, as_bytes, as_text
from app.store.migrations import MIGRATIONS, Migration
from app.store.opening import open_chats

_INFO = f"id, created, updated, {as_bytes('title, date, effort, instructions, tools, model')}"
_NODE_TEXTS = "role, content, reasoning, commentary, tool_calls, name, receipt"
_NODE = f"id, parent, created, complete, pinned, {as_bytes(_NODE_TEXTS)}"
_TOOLS = msgspec.json.Decoder(tuple[Tool, ...])
_TOOL_CALLS = msgspec.json.Decoder(tuple[ToolCall, ...])
_RECEIPT = msgspec.json.Decoder(Receipt)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
T = TypeVar("T")
U = TypeVar("U")


class ChatStore:
    """The chats in one file, for one thread: the one that made the store (another's call is a bug, RuntimeError).

    Every method that changes something returns once it is on the disk. All raise ``UserError``: ``DISK_FULL`` (the
    change is undone, nothing committed is lost), ``STORE_UNREADABLE``, ``PROFILE_UNWRITABLE``; the constructor also
    ``STORE_LOCKED`` and ``STORE_NEWER``. An id that does not exist is a KeyError. ``problems`` says what went wrong
    and was mended on opening, for the user.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        migrations: Sequence[Migration] = MIGRATIONS,
        wait_s: float = 2.0,
    ) -> None:
        self._owner = threading.get_ident()
        self._clock = clock
        self._database: Database
        self.problems: tuple[UserError, ...]
        self._database, self.problems = open_chats(path, migrations=migrations, wait_s=wait_s)

    def close(self) -> None:
        """Give the file back to other programs."""
        self._db.close()

    def together(self) -> AbstractContextManager[None]:
        """Several changes as one: all of them are on the disk at its end, or none."""
        return self._db.transaction()

    # ---- Conversations ----

    def conversations(self) -> tuple[ConversationInfo, ...]:
        """All that are not deleted, the one that was last written in first."""
        rows = self._db.rows(f"SELECT {_INFO} FROM conversation WHERE deleted IS NULL ORDER BY updated DESC, id DESC")
        return tuple(map(_info, rows))

    def conversation(self, conversation_id: int) -> Conversation:
        """One conversation with all its messages."""
        row = self._db.row(
            f"SELECT {_INFO}, leaf FROM conversation WHERE id = ? AND deleted IS NULL", [conversation_id]
        )
        if row is None:
            raise KeyError(conversation_id)
        nodes = self._db.rows(f"SELECT {_NODE} FROM message WHERE conversation = ? ORDER BY id", [conversation_id])
        return Conversation(info=_info(row[:-1]), nodes=tuple(map(_node, nodes)), leaf=cast("int | None", row[-1]))

    def create(
        self, *, date: str, effort: Effort, instructions: str, model: str, tools: Sequence[Tool] = (), title: str = ""
    ) -> ConversationInfo:
        """A new, empty conversation."""
        now = self._clock()
        conversation_id = self._db.insert(
            "INSERT INTO conversation (title, created, updated, date, effort, instructions, tools, model)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [_text(title), now, now, date, effort.value, _text(instructions), _tools_json(tools), _text(model)],
        )
        return self._read_info(conversation_id)

    def update(
        self,
        conversation_id: int,
        *,
        title: str | None = None,
        effort: Effort | None = None,
        instructions: str | None = None,
        model: str | None = None,
    ) -> ConversationInfo:
        """Change what is given; its place in the list stays."""
        changes: dict[str, str | None] = {
            "title": title,
            "effort": effort,
            "instructions": instructions,
            "model": model,
        }
        given = {column: _text(value) for column, value in changes.items() if value is not None}
        if given:
            columns = ", ".join(f"{column} = ?" for column in given)
            self._db.change(f"UPDATE conversation SET {columns} WHERE id = ?", [*given.values(), conversation_id])
        return self._read_info(conversation_id)

    def select_leaf(self, conversation_id: int, leaf: int | None) -> None:
        """Choose the path that is shown: the one that ends at ``leaf``."""
        changed = self._db.change(
            "UPDATE conversation SET leaf = ?1 WHERE id = ?2 AND"
            " (?1 IS NULL OR EXISTS (SELECT 1 FROM message WHERE id = ?1 AND conversation = ?2))",
            [leaf, conversation_id],
        )
        if not changed:
            raise KeyError((conversation_id, leaf))

    def delete(self, conversation_id: int) -> None:
        """Hide a conversation; it can be restored until ``purge_deleted``."""
        changed = self._db.change(
            "UPDATE conversation SET deleted = ? WHERE id = ? AND deleted IS NULL", [self._clock(), conversation_id]
        )
        if not changed:
            raise KeyError(conversation_id)

    def restore(self, conversation_id: int) -> ConversationInfo:
        """Take a deletion back."""
        self._db.change("UPDATE conversation SET deleted = NULL WHERE id = ?", [conversation_id])
        return self._read_info(conversation_id)

    def purge_deleted(self) -> int:
        """Remove deleted conversations for good, overwriting their text in the file; how many there were."""
        with self._db.transaction():
            purged = self._db.change("DELETE FROM conversation WHERE deleted IS NOT NULL")
        if purged:
            self._db.forget_deleted()
        return purged

    # ---- Messages ----

    def append(
        self, conversation_id: int, parent: int | None, message: Message, *, complete: bool = True
    ) -> MessageNode:
        """Add a message under ``parent``; it becomes the end of the shown path.

        An answer that is about to stream is appended empty and not ``complete``; ``save_answer`` fills it.
        """
        now = self._clock()
        with self._db.transaction():
            exists = self._db.row(
                "SELECT 1 FROM conversation WHERE id = ?1 AND deleted IS NULL AND"
                " (?2 IS NULL OR EXISTS (SELECT 1 FROM message WHERE id = ?2 AND conversation = ?1))",
                [conversation_id, parent],
            )
            if exists is None:
                raise KeyError((conversation_id, parent))
            node_id = self._db.insert(
                "INSERT INTO message (conversation, parent, created, complete, pinned, role, content, reasoning,"
                " commentary, tool_calls, name) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [conversation_id, parent, now, complete, message.pinned, message.role.value, *_columns(message)],
            )
            self._db.change(
                "UPDATE conversation SET leaf = ?, updated = ? WHERE id = ?", [node_id, now, conversation_id]
            )
            return self._read_node(node_id)

    def save_answer(
        self, node_id: int, message: Message, *, complete: bool, receipt: Receipt | None = None
    ) -> MessageNode:
        """Put what an answer has grown to in the place of what it was; with ``complete`` it is the last word.

        Whether it is pinned stays as it is: that is ``pin``'s to say.
        """
        with self._db.transaction():
            changed = self._db.change(
                "UPDATE message SET complete = ?, receipt = ?, content = ?, reasoning = ?, commentary = ?,"
                " tool_calls = ?, name = ? WHERE id = ?",
                [complete, None if receipt is None else _receipt_json(receipt), *_columns(message), node_id],
            )
            if not changed:
                raise KeyError(node_id)
            if complete:
                self._db.change(
                    "UPDATE conversation SET updated = ?1 WHERE id = (SELECT conversation FROM message WHERE id = ?2)",
                    [self._clock(), node_id],
                )
            return self._read_node(node_id)

    def pin(self, node_id: int, pinned: bool) -> MessageNode:
        """Keep a message in the model's view, or no longer; its chat's place in the list stays."""
        if not self._db.change("UPDATE message SET pinned = ? WHERE id = ?", [pinned, node_id]):
            raise KeyError(node_id)
        return self._read_node(node_id)

    # ---- Drafts ----

    def save_draft(self, conversation_id: int | None, text: str) -> None:
        """Keep what stands unsent in a chat's message box; None is the chat that is not begun yet."""
        if text:
            self._db.change(
                "INSERT INTO draft (conversation, text) SELECT ?1, ?2"
                " WHERE ?1 IS NULL OR EXISTS (SELECT 1 FROM conversation WHERE id = ?1)"
                " ON CONFLICT (ifnull(conversation, 0)) DO UPDATE SET text = excluded.text",
                [conversation_id, _text(text)],
            )
        else:
            self._db.change("DELETE FROM draft WHERE conversation IS ?", [conversation_id])

    def draft(self, conversation_id: int | None) -> str:
        """What ``save_draft`` kept, "" when nothing."""
        row = self._db.row(f"SELECT {as_bytes('text')} FROM draft WHERE conversation IS ?", [conversation_id])
        return "" if row is None else as_text(row[0])

    # ---- Inside ----

    @property
    def _db(self) -> Database:
        if threading.get_ident() != self._owner:
            raise RuntimeError("the chat store belongs to the thread that opened it")
        return self._database

    def _read_info(self, conversation_id: int) -> ConversationInfo:
        row = self._db.row(f"SELECT {_INFO} FROM conversation WHERE id = ?", [conversation_id])
        if row is None:
            raise KeyError(conversation_id)
        return _info(row)

    def _read_node(self, node_id: int) -> MessageNode:
        row = self._db.row(f"SELECT {_NODE} FROM message WHERE id = ?", [node_id])
        assert row is not None
        return _node(row)


def _columns(message: Message) -> list[Cell]:
    texts = [_text(text) for text in (message.content, message.reasoning, message.commentary)]
    return [*texts, _calls_json(message.tool_calls), _text(message.name)]


def _info(row: Row) -> ConversationInfo:
    number, created, updated, *texts = row
    title, date, effort, instructions, tools, model = map(as_text, texts)
    return ConversationInfo(
        id=cast("int", number),
        title=title,
        created=cast("float", created),
        updated=cast("float", updated),
        date=date,
        effort=Effort(effort) if effort in set(Effort) else Effort.MEDIUM,
        instructions=instructions,
        tools=_parsed(_TOOLS, tools, ()),
        model=model,
    )


def _node(row: Row) -> MessageNode:
    number, parent, created, complete, pinned, *texts = row
    role, content, reasoning, commentary, tool_calls, name, receipt = map(as_text, texts)
    message = Message(
        role=Role(role) if role in set(Role) else Role.USER,
        content=content,
        reasoning=reasoning,
        commentary=commentary,
        tool_calls=_parsed(_TOOL_CALLS, tool_calls, ()),
        name=name,
        pinned=bool(pinned),
    )
    return MessageNode(
        id=cast("int", number),
        parent=cast("int | None", parent),
        created=cast("float", created),
        message=message,
        complete=bool(complete),
        receipt=_parsed(_RECEIPT, receipt, None) if receipt else None,
    )


def _parsed(decoder: msgspec.json.Decoder[T], text: str, otherwise: U) -> T | U:
    """A JSON column as its value. One that was changed by hand into nonsense must not close a whole chat."""
    try:
        return decoder.decode(text)
    except msgspec.DecodeError:
        return otherwise


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _tools_json(tools: Sequence[Tool]) -> str:
    return _json([Tool(_text(tool.name), _text(tool.description), _text(tool.parameters)) for tool in tools])


def _calls_json(calls: Sequence[ToolCall]) -> str:
    return _json([ToolCall(_text(call.name), _text(call.arguments)) for call in calls])


def _receipt_json(receipt: Receipt) -> str:
    return _json(replace(receipt, model=_text(receipt.model), effort=_text(receipt.effort)))


def _text(text: str) -> str:
    """Text as the file can hold it: half a character (a lone surrogate) becomes the replacement sign."""
    return _LONE_SURROGATE.sub("\ufffd", text)
