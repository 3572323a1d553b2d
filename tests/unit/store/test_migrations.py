"""The schema's way forward: copies first, all or nothing, never a newer file."""

import hashlib
import sys
from pathlib import Path

import apsw
import pytest

from app.domain.conversation import Effort, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.store.chats import ChatStore
from app.store.migrations import MIGRATIONS, Migration
from tests.support.full_disk import no_file_beyond

# Add the line that the failing test prints when a migration is released; never change one.
RELEASED = ["7aa2b995325342cd"]

COLOUR = Migration("a colour", "ALTER TABLE conversation ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue';")
BROKEN = Migration("broken", "DELETE FROM message; CREATE TABLE message (id);")
ORPHANING = Migration("orphaning", "DELETE FROM conversation;")
SHAPE = Migration(
    "a shape",
    "ALTER TABLE conversation ADD COLUMN shape TEXT; CREATE TABLE shape (id) STRICT;".replace("id)", "id INTEGER)"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of the first schema, with one chat."""
    path = tmp_path / "chats.sqlite3"
    store = ChatStore(path, migrations=MIGRATIONS[:1])
    info = store.create(date="2026-11-23", effort=Effort.LOW, instructions="", model="", title="kept")
    store.append(info.id, None, Message(Role.USER, "hello"))
    store.close()
    return path


def fingerprints(folder: Path) -> dict[str, bytes]:
    return {file.name: hashlib.sha256(file.read_bytes()).digest() for file in folder.iterdir()}


def titles(path: Path, *migrations: Migration) -> list[str]:
    store = ChatStore(path, migrations=[*MIGRATIONS[:1], *migrations])
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
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "chats.sqlite3",
        "chats.sqlite3.before-2",
        "chats.sqlite3.before-3",
    ]


def test_forward_with_a_copy_before_each(path: Path) -> None:
    assert titles(path, COLOUR, SHAPE) == ["kept"]
    assert titles(path, COLOUR, SHAPE) == ["kept"]
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "chats.sqlite3",
        "chats.sqlite3.before-2",
        "chats.sqlite3.before-3",
    ]
    # Each copy is a whole database of its time, which the older program opens.
    assert titles(path.with_name("chats.sqlite3.before-2")) == ["kept"]
    assert titles(path.with_name("chats.sqlite3.before-3"), COLOUR) == ["kept"]
    with apsw.Connection(str(path)) as raw:
        assert raw.execute("SELECT colour, shape FROM conversation").fetchall() == [("blue", None)]
        assert raw.execute("PRAGMA user_version").fetchall() == [(3,)]
    raw.close()


@pytest.mark.parametrize(("migration", "error"), [(BROKEN, apsw.SQLError), (ORPHANING, AssertionError)])
def test_one_that_fails_leaves_everything_as_it_was(path: Path, migration: Migration, error: type[Exception]) -> None:
    with pytest.raises(error):
        ChatStore(path, migrations=[*MIGRATIONS[:1], migration])
    assert titles(path) == ["kept"]
    assert titles(path, COLOUR) == ["kept"]


def test_a_newer_file_is_refused_and_left_untouched(path: Path) -> None:
    assert titles(path, COLOUR) == ["kept"]
    before = fingerprints(path.parent)
    for _ in range(2):
        with pytest.raises(UserError) as caught:
            ChatStore(path, migrations=MIGRATIONS[:1])
        assert caught.value.code is ErrorCode.STORE_NEWER
        assert fingerprints(path.parent) == before
    assert titles(path, COLOUR) == ["kept"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_no_room_for_the_copy_leaves_everything_as_it_was(path: Path) -> None:
    with no_file_beyond(path.stat().st_size // 2), pytest.raises(UserError) as caught:
        ChatStore(path, migrations=[*MIGRATIONS[:1], COLOUR])
    assert caught.value.code is ErrorCode.DISK_FULL
    assert [file.name for file in path.parent.iterdir()] == ["chats.sqlite3"]
    assert titles(path) == ["kept"]
