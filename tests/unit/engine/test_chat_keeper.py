"""When a chat's memory is written, and when it is brought back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.engine import chat_keeper
from app.engine.chat_keeper import GUESSED_SPEED, ChatKeeper
from app.engine.memory_image import MemoryImage
from app.engine.snapshot_file import SnapshotKey
from app.engine.snapshots import SnapshotFolder

KEY = SnapshotKey("ggml", 1, 2)
A, B = list(range(1000)), list(range(5000, 6000))


class PlainMemory:
    """What the keeper knows of a sequence's memory, without llama.cpp."""

    def __init__(self) -> None:
        self.size = 10_000
        self.tokens: list[int] = []
        self.exports = 0
        self.broken = False

    @property
    def image_bytes(self) -> int:
        return 10 * len(self.tokens)

    def export(self) -> MemoryImage:
        self.exports += 1
        if self.broken:
            raise MemoryError
        return MemoryImage(tuple(self.tokens), ((0, len(self.tokens)),), bytes(10 * len(self.tokens)))

    def adopt(self, image: MemoryImage) -> bool:
        assert len(image.tokens) <= self.size
        self.tokens[:] = image.tokens
        return True


class SlowFolder(SnapshotFolder):
    """Writes when it is told that it may; fails as often as it is told to."""

    def __init__(self, folder: Path, space: int) -> None:
        super().__init__(folder, space)
        self.may = threading.Event()
        self.may.set()
        self.failures: list[Exception] = []
        self.written: list[str] = []

    def write(self, chat: str, key: SnapshotKey, image: MemoryImage) -> int:
        assert self.may.wait(30)
        self.written.append(chat)
        if self.failures:
            raise self.failures.pop()
        return super().write(chat, key, image)


class Desk:
    """A keeper with what it works on."""

    def __init__(
        self, folder: Path, *, space: int = 10**6, least_s: float = 1.0, free: Callable[[], int] = lambda: 10**9
    ) -> None:
        self.memory: Any = PlainMemory()
        self.path = folder
        self.folder = SlowFolder(folder, space)
        self.keeper = ChatKeeper(self.folder, KEY, self.memory, least_s, free)

    def read(self, chat: str, tokens: list[int], given_up: Callable[[], bool] = lambda: False) -> list[int]:
        """A prompt is read; what was in memory of it before."""
        self.keeper.enter(chat, tokens, given_up)
        before = (
            list(self.memory.tokens) if self.memory.tokens[: len(tokens)] == tokens[: len(self.memory.tokens)] else []
        )
        self.memory.tokens[:] = tokens
        return before

    def written(self) -> None:
        """Wait until the keeper's thread has done all that it had to do."""
        done = threading.Event()
        self.keeper._tasks.put(done.set)
        assert done.wait(30)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.folder.may.set()
    desk.keeper.close()


def test_coming_back_before_the_file_is_written(desk: Desk) -> None:
    desk.folder.may.clear()
    desk.read("a", A)
    desk.read("b", B)
    assert desk.read("a", [*A, 7, 8, 9]) == A


def test_a_chat_that_is_left_while_another_is_written_is_kept_too(desk: Desk) -> None:
    desk.folder.may.clear()
    for chat, tokens in (("a", A), ("b", B), ("c", A)):
        desk.read(chat, tokens)
        desk.keeper.leave()
    desk.folder.may.set()
    desk.keeper.close()
    assert all(desk.folder.peek(chat, KEY) for chat in "abc")


@pytest.mark.parametrize(("free", "most"), [(10**9, 2), (3 * 10 * len(A), 1)])
def test_few_memories_wait_for_the_disk(free: int, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_keeper, "WAIT_S", 0.01)
    desk = Desk(tmp_path, free=lambda: free)
    desk.folder.may.clear()
    for chat, tokens in (("a", A), ("b", B), ("c", A), ("d", B)):
        desk.read(chat, tokens)
        desk.keeper.leave()
        desk.keeper.leave()  # nothing is new since
    assert desk.memory.exports == most
    desk.folder.may.set()
    desk.keeper.close()


@pytest.mark.timeout(60)
def test_in_little_memory_the_next_chat_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_keeper, "WAIT_S", 600.0)

    def free() -> int:
        if desk.memory.exports:
            desk.folder.may.set()  # the disk goes on when the second one comes
        return 0

    desk = Desk(tmp_path, free=free)
    desk.folder.may.clear()
    desk.read("a", A)
    desk.read("b", B)
    desk.read("c", A)
    desk.keeper.close()
    assert all(desk.folder.peek(chat, KEY) for chat in "abc")


@pytest.mark.timeout(60)
def test_nobody_who_stops_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_keeper, "WAIT_S", 600.0)
    desk = Desk(tmp_path, free=lambda: 0)
    desk.folder.may.clear()
    desk.read("a", A)
    desk.read("b", B)
    desk.read("c", A, given_up=lambda: True)
    assert desk.memory.exports == 1
    desk.folder.may.set()
    desk.keeper.close()


def test_a_deleted_chat_that_waits_for_the_disk_is_never_written(desk: Desk) -> None:
    desk.folder.may.clear()
    desk.read("a", A)
    desk.read("b", B)
    desk.read("c", A)
    desk.keeper.forget("b")
    desk.folder.may.set()
    desk.keeper.close()
    assert desk.folder.written == ["a", "c"]


@pytest.mark.parametrize("written", [True, False])
def test_what_is_longer_than_the_models_memory_is_not_brought_back(desk: Desk, *, written: bool) -> None:
    desk.read("a", A)
    if not written:
        desk.folder.may.clear()
    desk.read("b", A[:100])
    desk.memory.size = len(A) - 1
    assert desk.read("a", A[:900]) == A[:100]


def test_what_is_too_large_is_never_copied(tmp_path: Path) -> None:
    desk = Desk(tmp_path, space=5000)
    desk.read("a", A)
    assert desk.keeper.leave() == 0
    desk.keeper.close()
    assert desk.memory.exports == 0


def test_less_space_counts_at_once(desk: Desk) -> None:
    for chat, tokens in (("a", A), ("b", B)):
        desk.read(chat, tokens)
        assert desk.keeper.leave()
        desk.written()
    desk.keeper.keep_within(desk.memory.image_bytes * 3 // 2)
    desk.written()
    assert [chat for chat in "ab" if desk.folder.peek(chat, KEY)] == ["b"]
    desk.keeper.keep_within(0)
    assert desk.keeper.leave() == 0
    desk.keeper.close()
    assert list(desk.path.iterdir()) == []


def test_what_is_being_written_when_its_space_goes_does_not_stay(desk: Desk) -> None:
    desk.folder.may.clear()
    desk.read("a", A)
    assert desk.keeper.leave()
    desk.keeper.keep_within(0)
    desk.folder.may.set()
    desk.keeper.close()
    assert list(desk.path.iterdir()) == []


def test_what_had_no_space_is_kept_once_it_has(tmp_path: Path) -> None:
    desk = Desk(tmp_path, space=0)
    desk.read("a", A)
    assert desk.keeper.leave() == 0
    desk.keeper.keep_within(10**6)
    assert desk.keeper.leave()
    desk.keeper.keep_within(0)
    desk.keeper.keep_within(10**6)
    desk.keeper.close()  # which writes it once more
    assert desk.folder.peek("a", KEY) == tuple(A)


def test_no_memory_for_a_copy_costs_the_copy_alone(desk: Desk) -> None:
    desk.read("a", A)
    desk.memory.broken = True
    desk.read("b", B)
    desk.memory.broken = False
    desk.keeper.leave()
    desk.keeper.close()
    assert desk.folder.peek("b", KEY)
    assert not desk.folder.peek("a", KEY)


def test_a_failed_write_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.write_bytes(b"in the way")
    desk = Desk(folder)
    desk.read("a", A)
    assert desk.keeper.leave()
    desk.keeper.close()  # which waits for the first
    assert desk.memory.exports == 2


@pytest.mark.timeout(30)
@pytest.mark.parametrize("error", [MemoryError(), ZeroDivisionError()], ids=repr)
def test_whatever_fails_in_writing_is_logged_and_holds_nothing_up(
    desk: Desk, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    desk.folder.failures.append(error)
    desk.read("a", A)
    desk.keeper.leave()
    desk.keeper.close()  # waits for it, and tries again
    assert desk.folder.peek("a", KEY) == tuple(A)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_speed_decides(tmp_path: Path) -> None:
    desk = Desk(tmp_path, least_s=len(A) / GUESSED_SPEED + 1)
    desk.read("a", A)
    assert desk.keeper.leave() == 0
    desk.keeper.measured(10, 1000.0)  # too few to say anything
    assert desk.keeper.leave() == 0
    desk.keeper.measured(100, 100.0)
    assert desk.keeper.leave() > 0
    desk.keeper.close()


def test_a_deleted_chat_is_not_written_again(desk: Desk) -> None:
    desk.read("a", A)
    desk.keeper.leave()
    desk.keeper.forget("a")
    desk.keeper.close()
    assert not desk.folder.peek("a", KEY)
