"""Damaged chat databases: always opened, never overwritten, and what can be read is kept."""

import os
import random
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.conversation import Effort, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.store.chats import ChatStore
from app.store.database import Database
from app.store.migrations import migrate
from app.store.recovery import Recovered, recover

PAGE = 4096
CHAT_COLUMNS = "title, created, updated, date, effort, instructions, tools, model, leaf, deleted"
MESSAGE_COLUMNS = (
    "conversation, parent, created, role, content, reasoning, commentary, tool_calls, name, complete, receipt, pinned"
)
CHATS = 30
MESSAGES = 8


def filled(path: Path, chats: int = CHATS, *, words: int = 60) -> Path:
    store = ChatStore(path)
    with store.together():
        store.save_draft(None, "new")
        for chat in range(chats):
            info = store.create(date="2026-11-23", effort=Effort.LOW, instructions="", model="", title=f"chat {chat}")
            parent = None
            store.save_draft(info.id, f"draft {chat}")
            for number in range(MESSAGES):
                parent = store.append(info.id, parent, Message(Role.USER, f"{chat}.{number} " + "word " * words)).id
    store.close()
    return path


@pytest.fixture(scope="module")
def sound_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("sound") / "chats.sqlite3")


@pytest.fixture
def sound(sound_path: Path) -> bytes:
    return sound_path.read_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chats.sqlite3"


def usable(store: ChatStore) -> bool:
    """Whether the store takes a new chat."""
    info = store.create(date="2026-11-23", effort=Effort.LOW, instructions="", model="")
    node = store.append(info.id, None, Message(Role.USER, "new"))
    return store.conversation(info.id).nodes == (node,)


def other_program() -> bytes:
    raw = sqlite3.connect(":memory:")
    raw.execute("CREATE TABLE bookmarks (id)")
    data = bytes(raw.serialize())
    raw.close()
    return data


def opened(path: Path) -> tuple[ChatStore | None, ErrorCode | None]:
    try:
        return ChatStore(path), None
    except UserError as error:
        return None, error.code


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no database at all": lambda data: b"These are my holiday pictures." * 100,
    "another program's": lambda data: other_program(),
    "zeros": lambda data: bytes(len(data)),
    "header gone": lambda data: bytes(100) + data[100:],
    "first page gone": lambda data: bytes(PAGE) + data[PAGE:],
    "half of it": lambda data: data[: len(data) // 2],
    "cut within a page": lambda data: data[: PAGE * 5 + 77],
    "a page in the middle": lambda data: data[: PAGE * 9] + b"\xa5" * PAGE + data[PAGE * 10 :],
    "pages exchanged": lambda data: (
        data[: PAGE * 13] + data[PAGE * 14 : PAGE * 15] + data[PAGE * 13 : PAGE * 14] + data[PAGE * 15 :]
    ),
    "a column by another name": lambda data: data.replace(b"reasoning TEXT", b"seasoning TEXT"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_set_aside_and_said(path: Path, sound: bytes, name: str) -> None:
    damaged = DAMAGES[name](sound)
    path.write_bytes(damaged)
    store = ChatStore(path)
    [problem] = store.problems
    aside = path.with_name("chats.sqlite3.damaged-1")
    assert problem.code is ErrorCode.STORE_DAMAGED
    assert str(aside) in problem.remedy
    assert aside.read_bytes() == damaged
    assert usable(store)
    store.close()
    again = ChatStore(path)
    assert again.problems == ()
    again.close()


def leaves(data: bytes) -> list[int]:
    """The pages that hold rows (SQLite's file format: a table's leaf begins with 0x0D); the schema is on the first."""
    return [page for page in range(1, len(data) // PAGE) if data[page * PAGE] == 0x0D]


def test_a_lost_page_costs_only_what_was_on_it(tmp_path: Path, sound: bytes) -> None:
    assert len(leaves(sound)) > 15
    for lost in leaves(sound):
        path = tmp_path / f"{lost}.sqlite3"
        path.write_bytes(sound[: PAGE * lost] + b"\xa5" * PAGE + sound[PAGE * (lost + 1) :])
        store = ChatStore(path)
        [problem] = store.problems
        texts = [node.message.content for info in store.conversations() for node in store.conversation(info.id).path()]
        assert CHATS * MESSAGES - PAGE // 300 <= len(texts) <= CHATS * MESSAGES
        assert problem.values["chats"] == f"{CHATS}"
        assert problem.values["messages"] == f"{len(texts)}"
        assert all(text.endswith("word " * 60) for text in texts)
        store.close()


def test_an_empty_file_is_a_new_store(path: Path) -> None:
    path.touch()
    store = ChatStore(path)
    assert store.problems == ()
    assert usable(store)
    store.close()


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), pieces=st.integers(1, 4), length=st.sampled_from([1, 8, 100, PAGE]))
def test_no_damage_stops_the_store_from_opening(
    tmp_path_factory: pytest.TempPathFactory, sound_path: Path, seed: int, pieces: int, length: int
) -> None:
    chance = random.Random(seed)
    data = bytearray(sound_path.read_bytes())
    for _ in range(pieces):
        start = chance.randrange(len(data) - length)
        data[start : start + length] = chance.randbytes(length)
    path = tmp_path_factory.mktemp("damage") / "chats.sqlite3"
    path.write_bytes(data)
    store, refusal = opened(path)
    if store is None:
        # The bytes that say which schema it is may be the ones that were hit.
        assert refusal is ErrorCode.STORE_NEWER
        assert path.read_bytes() == bytes(data)
        return
    if store.problems:
        assert path.with_name("chats.sqlite3.damaged-1").read_bytes() == bytes(data)
    for info in store.conversations():
        assert store.conversation(info.id).info == info
    assert usable(store)
    store.close()


def test_the_log_goes_aside_with_the_file(path: Path, sound: bytes) -> None:
    path.write_bytes(bytes(PAGE) + sound[PAGE:])
    log = path.with_name("chats.sqlite3-wal")
    log.write_bytes(b"not a log")
    store = ChatStore(path)
    assert len(store.problems) == 1
    assert path.with_name("chats.sqlite3.damaged-1-wal").read_bytes() == b"not a log"
    store.close()


def test_damage_while_running_is_said_and_mended_at_the_next_start(path: Path) -> None:
    filled(path, 400, words=400)
    store = ChatStore(path)
    with path.open("r+b") as file:
        file.seek(PAGE * 4)
        file.write(os.urandom(path.stat().st_size - PAGE * 4))
        file.flush()
        with pytest.raises(UserError) as caught:
            [store.conversation(info.id) for info in store.conversations()]
    assert caught.value.code is ErrorCode.STORE_UNREADABLE
    store.close()
    again = ChatStore(path)
    assert [problem.code for problem in again.problems] == [ErrorCode.STORE_DAMAGED]
    assert usable(again)
    again.close()


def test_what_lost_its_place_finds_another(tmp_path: Path) -> None:
    damaged = filled(tmp_path / "damaged.sqlite3", 3)
    with sqlite3.connect(damaged) as raw:
        raw.execute("DELETE FROM conversation WHERE id = 2")
        raw.execute("DELETE FROM message WHERE id IN (3, 9, 24)")  # the third, a first one, a leaf
    raw.close()
    target = tmp_path / "chats.sqlite3"
    database = Database(target)
    migrate(database)
    assert recover(damaged, database) == Recovered(conversations=3, messages=3 * MESSAGES - 3)
    database.close()
    store = ChatStore(target)
    lengths = {info.id: len(store.conversation(info.id).path()) for info in store.conversations()}
    assert lengths == {1: MESSAGES - 1, 2: MESSAGES - 1, 3: MESSAGES - 1}
    assert store.conversation(1).node(4).parent == 2
    assert store.conversation(2).node(10).parent is None
    assert store.conversation(2).info.title == ""
    assert store.conversation(2).info.date
    assert (store.draft(None), store.draft(1), store.draft(3)) == ("new", "draft 0", "draft 2")
    store.close()


def test_pins_are_saved(tmp_path: Path) -> None:
    damaged = filled(tmp_path / "damaged.sqlite3", 1)
    store = ChatStore(damaged)
    store.pin(3, True)
    store.close()
    target = tmp_path / "chats.sqlite3"
    database = Database(target)
    migrate(database)
    recover(damaged, database)
    database.close()
    store = ChatStore(target)
    assert [node.id for node in store.conversation(1).nodes if node.message.pinned] == [3]
    store.close()


def test_chats_with_large_numbers_come_back(path: Path) -> None:
    store = ChatStore(path)
    for table in ("conversation", "message"):
        store._database.insert("INSERT INTO sqlite_sequence VALUES (?, 200000)", [table])
    store.close()
    filled(path, 40)
    with sqlite3.connect(path) as raw:
        [[draft]] = raw.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'draft'").fetchall()
        [[low, high]] = raw.execute("SELECT min(id), max(id) FROM conversation").fetchall()
        assert (low, high) == (200_001, 200_040)
    raw.close()
    with path.open("r+b") as file:
        file.seek(PAGE * (draft - 1))
        file.write(b"\xa5")
    store = ChatStore(path)
    [problem] = store.problems
    assert problem.values["chats"] == "40"
    assert problem.values["messages"] == str(40 * MESSAGES)
    assert [len(store.conversation(info.id).path()) for info in store.conversations()] == [MESSAGES] * 40
    store.close()


def test_a_lost_page_among_large_numbers_costs_only_what_was_on_it(tmp_path: Path) -> None:
    path = tmp_path / "large.sqlite3"
    store = ChatStore(path)
    for table in ("conversation", "message"):
        store._database.insert("INSERT INTO sqlite_sequence VALUES (?, 3000000000)", [table])
    store.close()
    data = filled(path, 3).read_bytes()
    for lost in leaves(data)[1:3]:
        path.write_bytes(data[: PAGE * lost] + b"\xa5" * PAGE + data[PAGE * (lost + 1) :])
        store = ChatStore(path)
        [problem] = store.problems
        assert 3 * MESSAGES - PAGE // 300 <= int(problem.values["messages"]) <= 3 * MESSAGES
        store.close()


cells = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 4),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
)


@settings(max_examples=60)
@given(
    chats=st.lists(st.tuples(*[cells] * 10), max_size=3),
    messages=st.lists(st.tuples(*[cells] * 12), max_size=4),
    drafts=st.lists(st.tuples(cells, cells), max_size=2),
)
def test_no_cell_stops_the_recovery(
    tmp_path_factory: pytest.TempPathFactory,
    chats: list[tuple[object, ...]],
    messages: list[tuple[object, ...]],
    drafts: list[tuple[object, object]],
) -> None:
    folder = tmp_path_factory.mktemp("cells")
    damaged, target = folder / "damaged.sqlite3", folder / "chats.sqlite3"
    with sqlite3.connect(damaged) as raw:
        raw.executescript(
            f"CREATE TABLE conversation (id INTEGER PRIMARY KEY, {CHAT_COLUMNS});"
            f"CREATE TABLE message (id INTEGER PRIMARY KEY, {MESSAGE_COLUMNS});"
            "CREATE TABLE draft (conversation, text);"
        )
        raw.executemany(f"INSERT INTO conversation ({CHAT_COLUMNS}) VALUES ({','.join('?' * 10)})", chats)
        raw.executemany(f"INSERT INTO message ({MESSAGE_COLUMNS}) VALUES ({','.join('?' * 12)})", messages)
        raw.executemany("INSERT INTO draft VALUES (?, ?)", drafts)
    raw.close()
    database = Database(target)
    migrate(database)
    recovered = recover(damaged, database)
    assert recovered.conversations >= len(chats)
    numbers = range(1, len(chats) + 1)
    # A message that says nothing of the chat it is from has no place to go.
    assert recovered.messages >= sum(message[0] in numbers for message in messages if isinstance(message[0], int))
    assert database.is_sound()
    database.close()
    store = ChatStore(target)
    for info in store.conversations():
        assert all(datetime.fromtimestamp(moment, tz=UTC) for moment in (info.created, info.updated))
        store.conversation(info.id)
    assert usable(store)
    store.close()


def test_a_damaged_file_that_another_program_holds_is_not_taken_away(path: Path, sound: bytes) -> None:
    path.write_bytes(sound)
    holder = Database(path)
    with pytest.raises(UserError) as caught:
        ChatStore(path, wait_s=0.05)
    assert caught.value.code is ErrorCode.STORE_LOCKED
    holder.close()
    assert [file.name for file in path.parent.iterdir()] == ["chats.sqlite3"]
