"""A disk that fills up for real in the middle of saving."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.conversation import Effort, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.store.chats import ChatStore
from app.store.paths import ProfilePaths
from tests.support.full_disk import can_mount, fill, no_file_beyond, small_disk

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits and mounts")
needs_mount = pytest.mark.skipif(not can_mount(), reason="mounting needs root")

TEXT = "Nothing that was committed is lost. " * 30


@pytest.fixture(params=["limit", pytest.param("disk", marks=needs_mount)])
def full_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, contextlib.ExitStack]]:
    """A folder whose disk has about 1.5 MB left, and what gives space when it is closed."""
    with contextlib.ExitStack() as outer:
        folder = tmp_path / "profile"
        space = contextlib.ExitStack()
        if request.param == "limit":
            folder.mkdir()
            space.enter_context(no_file_beyond(1_500_000))
        else:
            outer.enter_context(small_disk(folder, 4_000_000))
            (folder / "other").write_bytes(bytes(2_400_000))
            space.callback((folder / "other").unlink)
        outer.enter_context(space)
        yield folder, space


def test_nothing_committed_is_lost_and_it_goes_on_when_there_is_space(
    full_disk: tuple[Path, contextlib.ExitStack],
) -> None:
    folder, space = full_disk
    store = ChatStore(folder / "chats.sqlite3")
    info = store.create(date="2026-11-23", effort=Effort.LOW, instructions="", model="")
    answer = store.append(info.id, None, Message(Role.ASSISTANT), complete=False)
    kept, grown, parent = [answer.id], "", answer.id

    def go_on() -> None:
        nonlocal parent, grown
        for number in range(10_000):
            parent = store.append(info.id, parent, Message(Role.USER, f"{number} {TEXT}")).id
            kept.append(parent)
            store.save_answer(answer.id, Message(Role.ASSISTANT, f"{number} {TEXT}"), complete=False)
            grown = f"{number} {TEXT}"

    with pytest.raises(UserError) as caught:
        go_on()
    assert caught.value.code is ErrorCode.DISK_FULL
    assert len(kept) > 20

    for _ in range(3):  # while it stays full, every try fails in the same way and the chats can be read
        with pytest.raises(UserError) as caught:
            store.append(info.id, parent, Message(Role.USER, "x" * 500_000))
        assert caught.value.code is ErrorCode.DISK_FULL
        assert [node.id for node in store.conversation(info.id).nodes] == kept
        assert store.conversation(info.id).node(answer.id).message.content == grown

    space.close()
    kept.append(store.append(info.id, parent, Message(Role.USER, TEXT)).id)
    store.close()
    again = ChatStore(folder / "chats.sqlite3")
    assert again.problems == ()
    assert [node.id for node in again.conversation(info.id).nodes] == kept
    again.close()


@needs_mount
def test_a_full_disk_lets_old_chats_be_read(tmp_path: Path) -> None:
    with small_disk(tmp_path / "profile", 4_000_000) as folder:
        store = ChatStore(folder / "chats.sqlite3")
        info = store.create(date="2026-11-23", effort=Effort.LOW, instructions="", model="", title="old")
        store.append(info.id, None, Message(Role.USER, TEXT))
        store.close()
        fill(folder)
        store = ChatStore(folder / "chats.sqlite3")
        assert store.problems == ()
        assert store.conversation(info.id).path()[0].message.content == TEXT
        with pytest.raises(UserError) as caught:
            store.append(info.id, None, Message(Role.USER, TEXT))
        assert caught.value.code is ErrorCode.DISK_FULL
        store.close()


@needs_mount
def test_a_new_profile_on_a_full_disk_is_said(tmp_path: Path) -> None:
    with small_disk(tmp_path / "profile", 1_000_000) as folder:
        fill(folder)
        with pytest.raises(UserError) as caught:
            ChatStore(folder / "chats.sqlite3")
        assert caught.value.code is ErrorCode.DISK_FULL


@needs_mount
def test_no_room_for_the_folders_is_said(tmp_path: Path) -> None:
    with small_disk(tmp_path / "profile", 1_000_000, files=4) as folder:
        with pytest.raises(UserError) as caught:
            ProfilePaths.locate(folder / "deeper").create()
        assert caught.value.code is ErrorCode.DISK_FULL


@pytest.mark.skipif(sys.platform != "linux", reason="finds the file in /proc")
def test_a_write_that_fails_for_another_reason_is_no_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite3"
    store = ChatStore(path)
    info = store.create(date="2026-11-23", effort=Effort.LOW, instructions="", model="")
    log = str(path) + "-wal"
    [handle] = [int(number) for number in os.listdir("/proc/self/fd") if links_to(number) == log]  # noqa: PTH208
    kept = os.dup(handle)
    blind = os.open(log, os.O_RDONLY)
    try:
        os.dup2(blind, handle)
        with pytest.raises(UserError) as caught:
            store.append(info.id, None, Message(Role.USER, TEXT))
    finally:
        os.dup2(kept, handle)
        os.close(kept)
        os.close(blind)
    assert caught.value.code is ErrorCode.PROFILE_UNWRITABLE
    assert caught.value.values["reason"] == os.strerror(errno.EBADF).lower()
    node = store.append(info.id, None, Message(Role.USER, TEXT))
    assert store.conversation(info.id).nodes == (node,)
    store.close()


def links_to(number: str) -> str:
    """The file that an open descriptor of this process stands for; "" when it was closed meanwhile."""
    try:
        return str(Path("/proc/self/fd", number).readlink())
    except OSError:
        return ""
