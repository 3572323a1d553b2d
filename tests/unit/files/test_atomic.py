"""Files that are written whole or not at all."""

import errno
import os
import sys
from pathlib import Path

import pytest

from app.domain.errors import ErrorCode, UserError
from app.files.atomic import aside_name, reason_of, set_aside, write_atomically
from tests.support.full_disk import no_file_beyond

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits and permissions")


def test_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"secret")
    assert (tmp_path / "a").stat().st_mode & 0o077 == 0


@posix
def test_a_full_disk_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    write_atomically(path, b"old")
    with no_file_beyond(1000), pytest.raises(UserError) as caught:
        write_atomically(path, b"x" * 5000)
    assert caught.value.code is ErrorCode.DISK_FULL
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_kill_left_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".a.toml.part").write_bytes(b"half of something longer")
    write_atomically(tmp_path / "a.toml", b"whole")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"whole"]


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        write_atomically(tmp_path / "none" / "a", b"x")
    assert caught.value.code is ErrorCode.PROFILE_UNWRITABLE


def test_a_folder_in_the_way_is_said_and_leaves_no_rubbish(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").touch()
    with pytest.raises(UserError) as caught:
        write_atomically(tmp_path / "a", b"x")
    assert caught.value.code is ErrorCode.PROFILE_UNWRITABLE
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_set_aside_takes_the_first_free_name(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    for number in (1, 2):
        path.write_text(f"{number}")
        assert set_aside(path) == tmp_path / f"a.toml.broken-{number}"
    assert (tmp_path / "a.toml.broken-1").read_text() == "1"
    assert aside_name(path, "damaged") == tmp_path / "a.toml.damaged-1"
    with pytest.raises(UserError) as caught:
        set_aside(path)
    assert caught.value.code is ErrorCode.PROFILE_UNWRITABLE


def test_reasons_are_plain() -> None:
    assert reason_of(OSError(errno.EACCES, os.strerror(errno.EACCES))) == os.strerror(errno.EACCES).lower()
    assert reason_of(OSError()) == "oserror"
