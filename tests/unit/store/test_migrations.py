"""The schema's way forward: copies first, all or nothing, never a newer file."""

import hashlib
import sqlite3
import sys
from pathlib import Path

import apsw
import pytest

from app.domain.conversation import Effort, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.store.chats import ChatStore
from app.store.database import Database
from app.store.migrations import MIGRATIONS, Migration, migrate
from tests.support.full_disk import no_file_beyond

# Add the line that the failing test prints when a migration is released; never change one.
RELEASED = ["7aa2b995325342cd", "6c4fb305fc0bb5a5"]

COLOUR = Migration("a colour", "ALTER TABLE conversation ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue';")
BROKEN = Migration("broken", "DELETE FROM message; CREATE TABLE message (id);")
ORPHANING = Migration("orphaning", "DELETE FROM conversation;")
SHAPE = Migration(
    "a shape",
    "ALTER TABLE conversation ADD COLUMN shape TEXT; CREATE TABLE shape (id) STRICT;".replace("id)", "id INTEGER)"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of this program's schema, with one chat."""
    path = tmp_path / "chats.sqlite3"
    store = ChatStore(path)
    info = store.create(date="2026-11-23", effort=Effort.LOW, instructions="", model="", title="kept")
    store.append(info.id, None, Message(Role.USER, "hello"))
    store.close()
    return path


def fingerprints(folder: Path) -> dict[str, bytes]:
    return {file.name: hashlib.sha256(file.read_bytes()).digest() for file in folder.iterdir()}


def titles(path: Path, *migrations: Migration) -> list[str]:
    store = ChatStore(path, migrations=[*MIGRATIONS, *migrations])
    try:
        assert store.problems == ()
        assert [node.message.content for node in store.conversation(1).nodes] == ["hello"]
        return [info.title for info in store.conversations()]
    finally:
        store.close()


def test_released_migrations_never_change() -> None:
    sums = [hashlib.sha256(migration.sql.encode()).hexdigest()[: len(RELEASED[0])] for migration in MIGRATIONS]
    assert sums == RELEASED
    assert len({migration.name for migration in MIGRATIONS}) == len(MIGRATIONS)


def test_a_new_file_needs_no_copies(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite3"
    ChatStore(path, migrations=[*MIGRATIONS, COLOUR, SHAPE]).close()
    assert [file.name for file in tmp_path.iterdir()] == ["chats.sqlite3"]


def first_schema(path: Path) -> None:
    """A chat of two messages as the first version of the program stored it."""
    database = Database(path)
    migrate(database, MIGRATIONS[:1])
    database.script(
        """
        INSERT INTO conversation VALUES (1, 'old', 1, 2, '2026-11-01', 'low', '', '[]', '', NULL, NULL);
        INSERT INTO message VALUES (1, 1, NULL, 1, 'user', 'hello', '', '', '[]', '', 1, NULL);
        INSERT INTO message VALUES (2, 1, 1, 2, 'assistant', 'hi', '', '', '[]', '', 1, NULL);
        UPDATE conversation SET leaf = 2;
        """
    )
    database.close()


def test_chats_of_the_first_version_are_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite3"
    first_schema(path)
    store = ChatStore(path)
    assert store.problems == ()
    assert [(node.message.content, node.message.pinned) for node in store.conversation(1).path()] == [
        ("hello", False),
        ("hi", False),
    ]
    assert store.pin(2, True).message.pinned
    store.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["chats.sqlite3", "chats.sqlite3.before-2"]


def test_damaged_chats_of_the_first_version_are_saved(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite3"
    first_schema(path)
    with sqlite3.connect(path) as raw:
        [[index]] = raw.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'message_parent'").fetchall()
    raw.close()
    with path.open("r+b") as file:
        file.seek(4096 * (index - 1))
        file.write(b"\xa5" * 4096)
    store = ChatStore(path)
    assert [problem.code for problem in store.problems] == [ErrorCode.STORE_DAMAGED]
    assert [node.message for node in store.conversation(1).path()] == [
        Message(Role.USER, "hello"),
        Message(Role.ASSISTANT, "hi"),
    ]
    store.close()


def test_forward_with_a_copy_before_each(path: Path) -> None:
    assert titles(path, COLOUR, SHAPE) == ["kept"]
    assert titles(path, COLOUR, SHAPE) == ["kept"]
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "chats.sqlite3",
        "chats.sqlite3.before-3",
        "chats.sqlite3.before-4",
    ]
    # Each copy is a whole database of its time, which the older program opens.
    assert titles(path.with_name("chats.sqlite3.before-3")) == ["kept"]
    assert titles(path.with_name("chats.sqlite3.before-4"), COLOUR) == ["kept"]
    with apsw.Connection(str(path)) as raw:
        assert raw.execute("SELECT colour, shape FROM conversation").fetchall() == [("blue", None)]
        assert raw.execute("PRAGMA user_version").fetchall() == [(4,)]
    raw.close()


@pytest.mark.parametrize(("migration", "error"), [(BROKEN, apsw.SQLError), (ORPHANING, AssertionError)])
def test_one_that_fails_leaves_everything_as_it_was(path: Path, migration: Migration, error: type[Exception]) -> None:
    with pytest.raises(error):
        ChatStore(path, migrations=[*MIGRATIONS, migration])
    assert titles(path) == ["kept"]
    assert titles(path, COLOUR) == ["kept"]


def test_a_newer_file_is_refused_and_left_untouched(path: Path) -> None:
    assert titles(path, COLOUR) == ["kept"]
    before = fingerprints(path.parent)
    for _ in range(2):
        with pytest.raises(UserError) as caught:
            ChatStore(path)
        assert caught.value.code is ErrorCode.STORE_NEWER
        assert fingerprints(path.parent) == before
    assert titles(path, COLOUR) == ["kept"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_no_room_for_the_copy_leaves_everything_as_it_was(path: Path) -> None:
    with no_file_beyond(path.stat().st_size // 2), pytest.raises(UserError) as caught:
        ChatStore(path, migrations=[*MIGRATIONS, COLOUR])
    assert caught.value.code is ErrorCode.DISK_FULL
    assert [file.name for file in path.parent.iterdir()] == ["chats.sqlite3"]
    assert titles(path) == ["kept"]
