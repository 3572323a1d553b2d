"""The chat store: what it keeps, in which order, and for whom."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from app.domain.conversation import Effort, Message, Role, Tool, ToolCall
from app.domain.errors import ErrorCode, UserError
from app.domain.generation import FinishReason, Receipt, Sampling, Timings, Usage
from app.domain.tree import ConversationInfo
from app.store.chats import ChatStore

HOLD = """
import sys
from pathlib import Path
from app.store.chats import ChatStore
store = ChatStore(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""
RECEIPT = Receipt(
    model="gpt-oss-20b",
    effort="high",
    sampling=Sampling(temperature=0.5, seed=7),
    finish_reason=FinishReason.TOOL_CALL,
    usage=Usage(100, 90, 20),
    timings=Timings(0.1, 0.2, 0.3, 0.4, 50.5),
    reasoning_s=1.5,
)
FULL = Message(
    Role.ASSISTANT,
    content="It is 12° — 日本 👍",
    reasoning="Let me look.",
    commentary="I ask the weather service.",
    tool_calls=(ToolCall("weather", '{"city": "Köln"}'), ToolCall("other", "not json")),
)
HOSTILE = "a\0b\r\n\x1b[31m<|end|> \u202e \ufeff '; DROP TABLE message; --"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chats.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[ChatStore]:
    ticks = count(1000)
    store = ChatStore(path, clock=lambda: float(next(ticks)))
    yield store
    store.close()


def new(store: ChatStore, title: str = "", **more: object) -> ConversationInfo:
    return store.create(
        date="2026-11-23",
        effort=Effort.MEDIUM,
        instructions="",
        model="demo",
        title=title,
        **more,  # type: ignore[arg-type]
    )


def user(text: str) -> Message:
    return Message(Role.USER, text)


def test_a_conversation_comes_back_whole(store: ChatStore, path: Path) -> None:
    tools = (Tool("weather", "The weather", '{"type": "object"}'), Tool("now"))
    info = store.create(
        date="2026-11-23", effort=Effort.HIGH, instructions="Be brief.\n" + HOSTILE, model="m", tools=tools, title="T"
    )
    question = store.append(info.id, None, user(HOSTILE))
    answer = store.append(info.id, question.id, Message(Role.ASSISTANT), complete=False)
    answer = store.save_answer(answer.id, FULL, complete=True, receipt=RECEIPT)
    result = store.append(info.id, answer.id, Message(Role.TOOL, "12", name="weather"))
    before = store.conversation(info.id)
    assert before.nodes == (question, answer, result)
    assert before.path() == (question, answer, result)
    assert (question.message, answer.message, answer.receipt) == (user(HOSTILE), FULL, RECEIPT)
    assert before.info.tools == tools
    store.close()
    again = ChatStore(path)
    assert again.conversation(info.id) == before
    assert again.conversations() == (before.info,)
    assert again.problems == ()
    again.close()
    store.__init__(path)  # type: ignore[misc]  # the fixture closes it


def test_half_a_character_is_kept_as_the_replacement_sign(store: ChatStore) -> None:
    broken, mended = "a\ud83d", "a\ufffd"
    info = store.create(
        date="",
        effort=Effort.LOW,
        instructions=broken,
        model=broken,
        tools=(Tool(broken, broken, broken),),
        title=broken,
    )
    assert (info.title, info.instructions, info.model, info.tools) == (
        mended,
        mended,
        mended,
        (Tool(mended, mended, mended),),
    )
    message = Message(Role.ASSISTANT, broken, broken, broken, (ToolCall(broken, broken),), broken)
    node = store.append(info.id, None, message)
    assert node.message == Message(Role.ASSISTANT, mended, mended, mended, (ToolCall(mended, mended),), mended)
    receipt = Receipt(broken, "low", Sampling(), FinishReason.STOP, Usage(), Timings())
    assert store.save_answer(node.id, message, complete=True, receipt=receipt).receipt is not None
    store.save_draft(None, broken)
    assert store.draft(None) == mended


def test_versions_are_siblings_and_the_leaf_can_be_chosen(store: ChatStore) -> None:
    info = new(store)
    first = store.append(info.id, None, user("one"))
    answers = [store.append(info.id, first.id, Message(Role.ASSISTANT, f"{n}")) for n in range(3)]
    edited = store.append(info.id, None, user("two"))
    conversation = store.conversation(info.id)
    assert conversation.leaf == edited.id
    assert conversation.siblings(answers[0].id) == tuple(answers)
    assert conversation.siblings(first.id) == (first, edited)
    store.select_leaf(info.id, answers[1].id)
    assert store.conversation(info.id).path() == (first, answers[1])
    store.select_leaf(info.id, None)
    assert store.conversation(info.id).path() == ()


def test_the_one_written_in_last_comes_first(store: ChatStore) -> None:
    one, two, three = (new(store, title) for title in ("one", "two", "three"))
    assert [info.title for info in store.conversations()] == ["three", "two", "one"]
    node = store.append(one.id, None, user("x"))
    assert [info.title for info in store.conversations()] == ["one", "three", "two"]
    store.append(two.id, None, user("x"))
    store.update(three.id, title="renamed")
    assert [info.title for info in store.conversations()] == ["two", "one", "renamed"]
    store.save_answer(node.id, user("y"), complete=False)
    assert [info.title for info in store.conversations()] == ["two", "one", "renamed"]
    store.save_answer(node.id, user("y"), complete=True)
    assert [info.title for info in store.conversations()] == ["one", "two", "renamed"]


def test_update_changes_only_what_is_given(store: ChatStore) -> None:
    info = new(store, "old")
    assert store.update(info.id) == info
    changed = store.update(info.id, title="new", effort=Effort.HIGH)
    assert (changed.title, changed.effort, changed.model, changed.updated) == ("new", Effort.HIGH, "demo", info.updated)
    changed = store.update(info.id, instructions="x", model="m")
    assert (changed.title, changed.instructions, changed.model) == ("new", "x", "m")
    assert store.update(info.id, title="").title == ""


def test_deleted_is_hidden_until_restored_or_purged(store: ChatStore, path: Path) -> None:
    kept, gone = new(store, "kept"), new(store, "gone")
    node = store.append(gone.id, None, user("a secret never to be found"))
    store.save_draft(gone.id, "another secret")
    before = store.conversation(gone.id)
    store.delete(gone.id)
    assert store.conversations() == (kept,)
    with pytest.raises(KeyError):
        store.conversation(gone.id)
    with pytest.raises(KeyError):
        store.append(gone.id, node.id, user("late"))
    with pytest.raises(KeyError):
        store.delete(gone.id)
    store.save_answer(node.id, node.message, complete=False)  # an answer that still streams is no error
    store.save_answer(node.id, node.message, complete=True)
    store.restore(gone.id)
    assert store.conversation(gone.id).nodes == before.nodes
    store.delete(gone.id)
    assert store.purge_deleted() == 1
    assert store.purge_deleted() == 0
    with pytest.raises(KeyError):
        store.restore(gone.id)
    with pytest.raises(KeyError):
        store.save_answer(node.id, node.message, complete=True)
    files = [file.read_bytes() for file in path.parent.iterdir()]
    assert len(files) == 2  # the database and its log
    assert not any(b"secret" in data for data in files)
    assert new(store).id > gone.id


def test_a_chat_longer_than_sqlites_trigger_depth_can_be_purged(store: ChatStore) -> None:
    info, parent = new(store), None
    with store.together():
        for number in range(1500):
            parent = store.append(info.id, parent, user(f"{number}")).id
    assert len(store.conversation(info.id).path()) == 1500
    store.delete(info.id)
    store.purge_deleted()
    assert store.conversations() == ()


def test_together_keeps_all_or_nothing(store: ChatStore) -> None:
    info = new(store)

    def half_wrong() -> None:
        with store.together():
            store.append(info.id, None, user("undone"))
            store.append(info.id, 99, user("no such parent"))

    with pytest.raises(KeyError):
        half_wrong()
    assert store.conversation(info.id).nodes == ()
    with store.together():
        first = store.append(info.id, None, user("kept"))
        store.append(info.id, first.id, user("kept too"))
    assert len(store.conversation(info.id).nodes) == 2


def test_drafts_are_kept_per_chat(store: ChatStore) -> None:
    one, two = new(store), new(store)
    assert store.draft(None) == store.draft(one.id) == ""
    store.save_draft(None, "new chat")
    store.save_draft(one.id, "first")
    store.save_draft(one.id, "first, longer")
    assert (store.draft(None), store.draft(one.id), store.draft(two.id)) == ("new chat", "first, longer", "")
    store.save_draft(None, "")
    store.save_draft(two.id, "")
    assert (store.draft(None), store.draft(one.id)) == ("", "first, longer")
    store.save_draft(99, "of a chat that is gone")
    assert store.draft(99) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        lambda s, c, n: s.conversation(99),
        lambda s, c, n: s.update(99, title="x"),
        lambda s, c, n: s.update(99),
        lambda s, c, n: s.delete(99),
        lambda s, c, n: s.restore(99),
        lambda s, c, n: s.append(99, None, user("x")),
        lambda s, c, n: s.append(c, 99, user("x")),
        lambda s, c, n: s.append(c, n, user("x")),
        lambda s, c, n: s.select_leaf(c, 99),
        lambda s, c, n: s.select_leaf(c, n),
        lambda s, c, n: s.select_leaf(99, None),
        lambda s, c, n: s.save_answer(99, user("x"), complete=True),
    ],
)
def test_an_id_that_is_not_there_is_a_key_error_and_changes_nothing(store: ChatStore, wrong: object) -> None:
    chat, other = new(store), new(store)
    stranger = store.append(other.id, None, user("of another chat"))
    before = (store.conversations(), store.conversation(chat.id), store.conversation(other.id))
    with pytest.raises(KeyError):
        wrong(store, chat.id, stranger.id)  # type: ignore[operator]
    assert (store.conversations(), store.conversation(chat.id), store.conversation(other.id)) == before


def test_another_thread_is_a_bug(store: ChatStore) -> None:
    raised: list[BaseException] = []

    def call() -> None:
        try:
            store.conversations()
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert "belongs to the thread" in str(raised[0])


def test_columns_changed_by_hand_do_not_close_the_chat(store: ChatStore, path: Path) -> None:
    info = new(store, tools=(Tool("t"),))
    node = store.append(info.id, None, FULL)
    store.save_answer(node.id, FULL, complete=True, receipt=RECEIPT)
    store.close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE conversation SET tools = 'x', effort = 'extreme'")
        raw.execute("""UPDATE message SET tool_calls = '[{"name": 3}]', receipt = '[]'""")
    raw.close()
    store.__init__(path)  # type: ignore[misc]
    conversation = store.conversation(info.id)
    assert (conversation.info.tools, conversation.info.effort) == ((), Effort.MEDIUM)
    assert conversation.nodes[0].message.tool_calls == ()
    assert conversation.nodes[0].message.content == FULL.content
    assert conversation.nodes[0].receipt is None


def test_two_programs_never_have_one_store(path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError) as caught:
            ChatStore(path, wait_s=0.1)
        assert caught.value.code is ErrorCode.STORE_LOCKED
    finally:
        holder.stdin.close()
        holder.wait()
        holder.stdout.close()
    store = ChatStore(path)
    assert store.problems == ()
    store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_only_the_user_can_read_the_chats(store: ChatStore, path: Path) -> None:
    new(store)
    assert all(file.stat().st_mode & 0o077 == 0 for file in path.parent.iterdir())


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        ChatStore(tmp_path / "none" / "chats.sqlite3")
    assert caught.value.code is ErrorCode.PROFILE_UNWRITABLE


def test_a_folder_in_the_files_place_is_said(path: Path) -> None:
    path.mkdir()
    with pytest.raises(UserError) as caught:
        ChatStore(path)
    assert caught.value.code is ErrorCode.PROFILE_UNWRITABLE
    assert str(path) in str(caught.value)
    assert caught.value.values["reason"]


def test_what_the_promises_rest_on_is_switched_on(store: ChatStore) -> None:
    database = store._database
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "locking_mode": "exclusive",
        "trusted_schema": 0,
        "cell_size_check": 1,
        "application_id": 0x416C6343,
    }
    assert {name: database.row(f"PRAGMA {name}") for name in wanted} == {n: (value,) for n, value in wanted.items()}
