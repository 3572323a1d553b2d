"""Where a profile's files are."""

import sys
from pathlib import Path

import pytest

from app.domain.errors import ErrorCode, UserError
from app.files.atomic import set_aside
from app.store.chats import ChatStore
from app.store.paths import ProfilePaths


def test_everything_is_under_the_given_folder(tmp_path: Path) -> None:
    paths = ProfilePaths.locate(tmp_path / "profile")
    assert paths.settings_file == tmp_path / "profile/config/settings.toml"
    assert paths.chats_file == tmp_path / "profile/data/chats.sqlite3"
    assert paths.library_file == tmp_path / "profile/data/models.toml"
    assert paths.models_folder == tmp_path / "profile/models"
    assert paths.cache_folder == tmp_path / "profile/cache"
    assert paths.log_file == tmp_path / "profile/logs/alcove.log"
    assert paths.engine_log_file == tmp_path / "profile/logs/engine.log"


def test_looking_makes_nothing(tmp_path: Path) -> None:
    ProfilePaths.locate(tmp_path / "profile")
    assert not (tmp_path / "profile").exists()


def test_a_relative_folder_stays_where_it_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = ProfilePaths.locate(Path("here"))
    monkeypatch.chdir("/")
    assert paths.data_folder == tmp_path / "here/data"


@pytest.mark.skipif(sys.platform != "linux", reason="the places of freedesktop.org")
def test_the_places_of_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    paths = ProfilePaths.locate()
    assert paths.settings_file == tmp_path / "CONFIG/Alcove/settings.toml"
    assert paths.chats_file == tmp_path / "DATA/Alcove/chats.sqlite3"
    assert paths.models_folder == tmp_path / "DATA/Alcove/models"
    assert paths.cache_folder == tmp_path / "CACHE/Alcove"
    assert paths.log_folder == tmp_path / "STATE/Alcove/log"


def test_create_twice_and_for_this_user_alone(tmp_path: Path) -> None:
    paths = ProfilePaths.locate(tmp_path / "profile")
    paths.create()
    paths.create()
    assert all(folder.is_dir() for folder in paths.folders)
    if sys.platform != "win32":
        assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in paths.folders)
    assert not [file for folder in paths.folders for file in folder.iterdir()]


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text("not a folder")
    with pytest.raises(UserError) as caught:
        ProfilePaths.locate(tmp_path / "profile").create()
    assert caught.value.code is ErrorCode.PROFILE_UNWRITABLE


def test_a_home_that_is_not_known_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = ProfilePaths.locate(Path("~no-such-user-here/profile"))
    with pytest.raises(UserError) as caught:
        paths.create()
    assert caught.value.code is ErrorCode.PROFILE_UNWRITABLE
    assert "~no-such-user-here" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_users_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert ProfilePaths.locate(Path("~/profile")).data_folder == tmp_path / "profile/data"


def test_a_folder_with_an_endless_name_is_said(tmp_path: Path) -> None:
    paths = ProfilePaths.locate(tmp_path / ("x" * 5000))
    with pytest.raises(UserError) as caught:
        paths.create()
    assert caught.value.code is ErrorCode.PROFILE_UNWRITABLE
    with pytest.raises(UserError) as caught:
        ChatStore(paths.chats_file)
    assert caught.value.code is ErrorCode.PROFILE_UNWRITABLE
    with pytest.raises(UserError) as caught:
        set_aside(paths.library_file)
    assert caught.value.code is ErrorCode.PROFILE_UNWRITABLE
