"""A recovery that is ended at any moment, by a kill or a full disk, loses nothing and is done at the next start."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.conversation import Effort, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.store.chats import ChatStore
from tests.support.full_disk import no_file_beyond

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes and limits")

CHATS = 3
PAGE = 4096


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Three chats of three messages whose drafts cannot be read."""
    path = tmp_path / "damaged.sqlite3"
    store = ChatStore(path)
    for _ in range(CHATS):
        info = store.create(date="2026-11-23", effort=Effort.LOW, instructions="", model="")
        parent = None
        for number in range(3):
            parent = store.append(info.id, parent, Message(Role.USER, f"{number} " + "word " * 300)).id
    root = store._database.number("SELECT rootpage FROM sqlite_schema WHERE name = 'draft'")
    store.close()
    with path.open("r+b") as file:
        file.seek(PAGE * (root - 1))
        file.write(b"\xa5")
    return path


def all_is_there(path: Path) -> tuple[ErrorCode, ...]:
    """Open the store as the next start does; the codes of what it says."""
    store = ChatStore(path)
    paths = [store.conversation(info.id).path() for info in store.conversations()]
    assert [[node.message.content[0] for node in nodes] for nodes in paths] == [["0", "1", "2"]] * CHATS
    for problem in store.problems:
        assert (problem.values["chats"], problem.values["messages"]) == (f"{CHATS}", f"{CHATS * 3}")
        assert problem.values["aside"] == f"{path}.damaged-1"
    codes = tuple(problem.code for problem in store.problems)
    store.close()
    return codes


def opened(path: Path) -> ErrorCode:
    """What opening the store says or is refused for."""
    try:
        store = ChatStore(path)
    except UserError as error:
        return error.code
    [problem] = store.problems
    store.close()
    return problem.code


def test_killed_at_every_touch_of_the_disk(damaged: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kills"
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "tests.unit.store.killed_recovery", str(damaged), str(folder)], check=True)
    kills = sorted(folder.iterdir(), key=lambda place: int(place.name))
    assert len(kills) > 50
    told: list[bool] = []
    for place in kills:
        path = place / "chats.sqlite3"
        told.append(all_is_there(path) == (ErrorCode.STORE_DAMAGED,))
        assert path.with_name("chats.sqlite3.damaged-1").read_bytes() == damaged.read_bytes()
        assert path.with_name("chats.sqlite3.damaged-1-wal").read_bytes() == b"not a log"
        assert {file.name for file in place.iterdir()} == {
            path.name,
            f"{path.name}.damaged-1",
            f"{path.name}.damaged-1-wal",
        }
        assert all_is_there(path) == ()
    # Told until the recovered file is in its place, and never again.
    assert told == sorted(told, reverse=True)
    assert told[0]
    assert not told[-1]


def test_a_disk_that_is_full_at_any_moment(damaged: Path, tmp_path: Path) -> None:
    path = tmp_path / "profile" / "chats.sqlite3"
    path.parent.mkdir()
    data = damaged.read_bytes()
    path.write_bytes(data)
    refused = 0
    for limit in range(0, 20 * len(data), 3 * PAGE // 2):
        with no_file_beyond(limit):
            code = opened(path)
        if code is ErrorCode.STORE_DAMAGED:
            break
        assert code is ErrorCode.DISK_FULL
        assert path.read_bytes() == data
        assert [file.name for file in path.parent.iterdir()] == [path.name]
        refused += 1
    assert refused > 5
    assert all_is_there(path) == ()


def test_leftovers_of_no_recovery_are_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite3"
    path.with_name("chats.sqlite3.recovered").write_bytes(b"not of ours")
    store = ChatStore(path)
    assert store.problems == ()
    assert store.conversations() == ()
    store.close()
