"""Chats' memories in files: written whole, checked before use, bounded in space."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine import snapshots
from app.engine.memory_image import MemoryImage, WindowImage
from app.engine.snapshot_file import (
    SnapshotError,
    SnapshotKey,
    peek_snapshot,
    read_snapshot,
    snapshot_bytes,
    write_snapshot,
)
from app.engine.snapshots import SnapshotFolder
from tests.support.full_disk import no_file_beyond

KEY = SnapshotKey("ggml 0.25.3", 1234, 5678, ("f16", "flash"))
IMAGE = MemoryImage(
    tokens=tuple(range(1000)),
    batches=((0, 512), (512, 488)),
    state=bytes(range(256)) * 40,
    windows=(WindowImage(512, b"window one" * 9), WindowImage(1000, b"window two" * 7)),
)


def same(left: MemoryImage, right: MemoryImage) -> bool:
    return (left.tokens, left.batches, bytes(left.state)) == (right.tokens, right.batches, bytes(right.state)) and [
        (window.length, bytes(window.state)) for window in left.windows
    ] == [(window.length, bytes(window.state)) for window in right.windows]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "chat.memory"
    size = write_snapshot(path, KEY, IMAGE)
    assert size == path.stat().st_size
    assert size >= snapshot_bytes(IMAGE)
    assert list(peek_snapshot(path).tokens) == list(IMAGE.tokens)
    assert peek_snapshot(path).key == KEY
    assert same(read_snapshot(path, KEY), IMAGE)
    assert [entry.name for entry in tmp_path.iterdir()] == ["chat.memory"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path / "memories", 10**6)
    assert folder.write("1", KEY, IMAGE)
    assert (tmp_path / "memories").stat().st_mode & 0o777 == 0o700
    (path,) = (tmp_path / "memories").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "chat.memory"
    small = MemoryImage((1, 2, 3), ((0, 3),), b"state", (WindowImage(3, b"w"),))
    write_snapshot(path, KEY, small)
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(SnapshotError):
            read_snapshot(path, KEY)
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(SnapshotError):
            read_snapshot(path, KEY)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_nonsense_is_one_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("nonsense") / "chat.memory"
    for content in (data, b"ALCOVEM1" + data, b"ALCOVEM1" + len(data).to_bytes(4, "little") + data):
        path.write_bytes(content)
        with pytest.raises(SnapshotError):
            peek_snapshot(path)
        with pytest.raises(SnapshotError):
            read_snapshot(path, KEY)


@pytest.mark.parametrize("tokens", [-1, 10**6, 10**15, 10**19])
def test_a_header_that_lies_is_removed(tmp_path: Path, tokens: int) -> None:
    folder = SnapshotFolder(tmp_path, 10**6)
    folder.write("1", KEY, IMAGE)
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    length = int.from_bytes(data[8:12], "little")
    header = data[12 : 12 + length].replace(b'"tokens":1000', b'"tokens":%d' % tokens)
    path.write_bytes(data[:8] + len(header).to_bytes(4, "little") + header + data[12 + length :])
    assert not folder.peek("1", KEY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, engine="ggml 0.25.4"),
        replace(KEY, model_bytes=1235),
        replace(KEY, model_time=5679),
        replace(KEY, settings=("q8_0", "flash")),
    ],
)
def test_a_stale_one_is_ignored_and_removed(tmp_path: Path, other: SnapshotKey) -> None:
    folder = SnapshotFolder(tmp_path, 10**6)
    folder.write("1", KEY, IMAGE)
    assert folder.read("1", other) is None
    assert list(tmp_path.iterdir()) == []
    folder.write("1", KEY, IMAGE)
    assert not folder.peek("1", other)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_one_is_ignored_and_removed(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path, 10**6)
    folder.write("1", KEY, IMAGE)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[-40] ^= 4
    path.write_bytes(data)
    assert list(folder.peek("1", KEY)) == list(IMAGE.tokens)  # only a promise
    assert folder.read("1", KEY) is None
    assert list(tmp_path.iterdir()) == []


def test_least_recently_used_goes_first(tmp_path: Path) -> None:
    room = 3 * (snapshot_bytes(IMAGE) + 1000)
    folder = SnapshotFolder(tmp_path, room)
    for number, chat in enumerate("abc"):
        folder.write(chat, KEY, IMAGE)
        newest = max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (number, number))
    assert folder.read("a", KEY) is not None  # used now
    folder.write("d", KEY, IMAGE)
    assert [chat for chat in "abcd" if folder.peek(chat, KEY)] == ["a", "c", "d"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= room


def test_replacing_ones_own_needs_no_other_to_go(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path, 2 * (snapshot_bytes(IMAGE) + 1000))
    for chat in "abab":
        folder.write(chat, KEY, IMAGE)
    assert all(folder.peek(chat, KEY) for chat in "ab")


def test_one_larger_than_the_space_is_not_kept(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path / "none", snapshot_bytes(IMAGE) - 1)
    assert folder.write("1", KEY, IMAGE) == 0
    assert not (tmp_path / "none").exists()


def test_one_that_is_written_while_its_space_goes_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = SnapshotFolder(tmp_path, 10**6)

    def write(path: Path, key: SnapshotKey, image: MemoryImage) -> int:
        folder.space_bytes = 0
        return write_snapshot(path, key, image)

    monkeypatch.setattr(snapshots, "write_snapshot", write)
    assert folder.write("1", KEY, IMAGE) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="limits on file sizes are POSIX's")
def test_a_full_disk_costs_nothing_but_the_snapshot(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path, 10**9)
    with no_file_beyond(4096):
        assert folder.write("1", KEY, replace(IMAGE, state=bytes(1 << 20))) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_was_left_half_written_goes_with_its_chat(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path, 10**6)
    parts = []
    for chat in "12":
        folder.write(chat, KEY, IMAGE)
        (path,) = tmp_path.glob("*.memory")
        parts.append(path.rename(path.with_name(f".{path.name}.part")))  # as when the process was killed then
    folder.forget("1")
    assert list(tmp_path.iterdir()) == [parts[1]]


def test_forgetting(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path, 10**6)
    for chat in ("1", "2", "../../etc/passwd", "\udcff"):
        assert folder.write(chat, KEY, IMAGE)
    folder.forget("1")
    folder.forget("never there")
    assert not folder.peek("1", KEY)
    assert folder.peek("../../etc/passwd", KEY)
    assert {path.parent for path in tmp_path.rglob("*")} == {tmp_path}
    (tmp_path / ".x.memory.part").write_bytes(b"half")
    folder.sweep()
    assert not (tmp_path / ".x.memory.part").exists()
    (tmp_path / ".x.memory.part").write_bytes(b"half")
    (tmp_path / "somebody else's").write_bytes(b"")
    folder.forget_all()
    assert [path.name for path in tmp_path.iterdir()] == ["somebody else's"]
