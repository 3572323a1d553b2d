"""The schema of the chat database, as the steps that made it.

To change it, append a ``Migration`` to ``MIGRATIONS``; never touch one that was released. The schema's version is
the number of migrations that ran. Before each one a file that was there is copied to ``chats.sqlite3.before-N``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.errors import ErrorCode, UserError
from app.store.database import APPLICATION_ID, Database


@dataclass(frozen=True, slots=True)
class Migration:
    """One step; ``sql`` is any number of statements, which are kept together or not at all."""

    name: str
    sql: str


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        "conversations, messages and drafts",
        """
        -- Ids are never used twice, so that nothing that remembers one can meet a stranger.
        CREATE TABLE conversation (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            title TEXT NOT NULL,
            created REAL NOT NULL,
            updated REAL NOT NULL,
            date TEXT NOT NULL,
            effort TEXT NOT NULL,
            instructions TEXT NOT NULL,
            tools TEXT NOT NULL,
            model TEXT NOT NULL,
            leaf INTEGER,
            deleted REAL,
            FOREIGN KEY (id, leaf) REFERENCES message (conversation, id)
        ) STRICT;
        CREATE INDEX conversation_updated ON conversation (updated, id) WHERE deleted IS NULL;

        CREATE TABLE message (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            conversation INTEGER NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
            parent INTEGER,
            created REAL NOT NULL,
            role TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'tool')),
            content TEXT NOT NULL,
            reasoning TEXT NOT NULL,
            commentary TEXT NOT NULL,
            tool_calls TEXT NOT NULL,
            name TEXT NOT NULL,
            complete INTEGER NOT NULL,
            receipt TEXT,
            UNIQUE (conversation, id),
            -- No cascade: SQLite bounds its depth, and a chat may be longer than that.
            FOREIGN KEY (conversation, parent) REFERENCES message (conversation, id)
        ) STRICT;
        CREATE INDEX message_parent ON message (conversation, parent);

        -- What stands unsent in the message box of a chat; of the chat that is not begun yet when NULL.
        CREATE TABLE draft (
            conversation INTEGER REFERENCES conversation (id) ON DELETE CASCADE,
            text TEXT NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX draft_one ON draft (ifnull(conversation, 0));
        CREATE INDEX draft_conversation ON draft (conversation);
        """,
    ),
    Migration("pinned messages", "ALTER TABLE message ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0"),
)


def migrate(database: Database, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the schema up to date, one migration at a time.

    Raises ``UserError(STORE_NEWER)`` before anything is touched when the file knows more migrations than we do.
    """
    version = database.version
    if version > len(migrations):
        raise UserError(ErrorCode.STORE_NEWER, path=str(database.path))
    database.prepare_writing()
    new = database.is_empty
    for number in range(version + 1, len(migrations) + 1):
        if not new:
            database.copy_to(database.path.with_name(f"{database.path.name}.before-{number}"))
        # A table that is rebuilt is gone for a moment: references are checked at the end instead.
        database.script("PRAGMA foreign_keys = OFF")
        with database.transaction():
            database.script(migrations[number - 1].sql)
            assert not database.rows("PRAGMA foreign_key_check"), migrations[number - 1].name
            database.script(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};")
        database.script("PRAGMA foreign_keys = ON")
