"""The settings file: what is kept, what is passed over, what is said."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import ErrorCode, UserError
from app.domain.setting import Kind, Value
from app.domain.settings import INSTRUCTIONS, SEED, SEND_KEY, SETTINGS, TEMPERATURE, TEXT_SIZE, THEME, TOP_K, Settings
from app.store.settings_file import SettingsFile
from tests.support.full_disk import no_file_beyond

EDITED = """\
# My settings
future = "kept"

[generation] # how it writes
temperature = 0.7 # calmer
wibble = [1, 2]
top_k = 40

[elsewhere]
key = 1979-05-27
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def loaded(path: Path) -> Settings:
    found = SettingsFile(path).load()
    assert found.problems == ()
    return found.settings


def test_no_file_is_all_defaults_and_makes_none(path: Path) -> None:
    assert loaded(path) == Settings()
    assert not path.exists()


def test_saved_and_loaded(path: Path) -> None:
    settings = Settings().with_value(TEMPERATURE, 0.3).with_value(THEME, "dark").with_value(SEED, 42)
    SettingsFile(path).save(settings)
    assert loaded(path) == settings


def test_only_what_differs_is_written(path: Path) -> None:
    SettingsFile(path).save(Settings().with_value(TEXT_SIZE, 150))
    assert path.read_text() == "[general]\ntext_size = 150\n"


def test_comments_and_unknown_keys_stay(path: Path) -> None:
    path.write_text(EDITED)
    settings = loaded(path)
    assert (settings.get(TEMPERATURE), settings.get(TOP_K)) == (0.7, 40)
    SettingsFile(path).save(settings.with_value(TEMPERATURE, 1.5).without(TOP_K).with_value(THEME, "light"))
    expected = EDITED.replace("temperature = 0.7", "temperature = 1.5").replace("top_k = 40\n", "")
    assert path.read_text() == expected + '\n[general]\ntheme = "light"\n'


def test_saving_nothing_new_changes_not_a_byte(path: Path) -> None:
    spelled = EDITED.replace("0.7", "7e-1").replace("40", "0x28") + "\n[general]\ntext_size = 100 # the default\n"
    path.write_text(spelled)
    SettingsFile(path).save(loaded(path))
    assert path.read_text() == spelled


@pytest.mark.parametrize(
    "text",
    ["generation.temperature = 0.2", "generation = {temperature = 0.2}", "[generation]\ntemperature = 2e-1"],
)
def test_every_spelling_is_understood_and_can_be_changed(path: Path, text: str) -> None:
    path.write_text(text)
    settings = loaded(path)
    assert settings == Settings().with_value(TEMPERATURE, 0.2)
    changed = settings.with_value(TEMPERATURE, 0.4).with_value(TOP_K, 5)
    SettingsFile(path).save(changed)
    assert loaded(path) == changed


@pytest.mark.parametrize(
    ("text", "key", "value", "default"),
    [
        ("[generation]\ntemperature = 9", "generation.temperature", "9", "1.0"),
        ("[generation]\ntemperature = nan", "generation.temperature", "nan", "1.0"),
        ("[generation]\ntemperature = 'hot'", "generation.temperature", "“hot”", "1.0"),
        ("[general]\ntheme = 'pink'", "general.theme", "“pink”", '"system"'),
        ("[general]\ntext_size = true", "general.text_size", "true", "100"),
        ("[general]\ntext_size = 1979-05-27", "general.text_size", "“1979-05-27”", "100"),
        ("[general.theme]\na = 1", "general.theme", "“{'a': 1}”", '"system"'),
    ],
)
def test_a_broken_value_is_passed_over_and_named(path: Path, text: str, key: str, value: str, default: str) -> None:
    path.write_text(text + "\n[chat]\neffort = 'high'\n")
    found = SettingsFile(path).load()
    assert found.settings.changed == {"chat.effort": "high"}
    [problem] = found.problems
    assert problem.code is ErrorCode.SETTING_IGNORED
    assert f"{key} = {value}," in problem.what
    assert f"so {default} is used" in problem.what
    assert path.exists()
    SettingsFile(path).save(found.settings)
    assert loaded(path) == found.settings


def test_a_table_that_is_none_is_replaced_when_needed(path: Path) -> None:
    path.write_text("general = 3\ngeneration = 4\n")
    assert loaded(path) == Settings()
    settings = Settings().with_value(SEND_KEY, "ctrl+enter")
    SettingsFile(path).save(settings)
    assert loaded(path) == settings
    assert "generation = 4" in path.read_text()


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\x00",
        b"[general",
        b"a = 1\na = 2",
        b"a = " + b"[" * 5000,
        b"\0" * 100,
        b"a = 9999-99-99",
        b"# " + b"x" * 4_000_001,
    ],
    ids=["bytes", "open", "twice", "deep", "zeros", "date", "huge"],
)
def test_a_broken_file_is_set_aside_and_said(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    found = SettingsFile(path).load()
    assert found.settings == Settings()
    [problem] = found.problems
    aside = path.with_name("settings.toml.broken-1")
    assert problem.code is ErrorCode.SETTINGS_BROKEN
    assert str(aside) in problem.what
    assert aside.read_bytes() == data
    assert not path.exists()


def test_a_file_that_breaks_while_running_is_set_aside_on_saving(path: Path) -> None:
    file = SettingsFile(path)
    file.save(Settings().with_value(TEXT_SIZE, 150))
    path.write_text("[general")
    file.save(Settings().with_value(TEXT_SIZE, 180))
    assert loaded(path).get(TEXT_SIZE) == 180
    assert path.with_name("settings.toml.broken-1").read_text() == "[general"


def test_a_folder_in_its_place_is_said_and_left(path: Path) -> None:
    path.mkdir()
    found = SettingsFile(path).load()
    assert found.settings == Settings()
    assert [problem.code for problem in found.problems] == [ErrorCode.FILE_UNREADABLE]
    with pytest.raises(UserError) as caught:
        SettingsFile(path).save(Settings().with_value(TEXT_SIZE, 150))
    assert caught.value.code is ErrorCode.FILE_UNREADABLE
    assert path.is_dir()


def test_a_byte_order_mark_is_no_trouble(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf[general]\r\ntext_size = 150\r\n")
    assert loaded(path).get(TEXT_SIZE) == 150


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_a_full_disk_keeps_the_old_settings(path: Path) -> None:
    old = Settings().with_value(TEXT_SIZE, 150)
    SettingsFile(path).save(old)
    with no_file_beyond(1024), pytest.raises(UserError) as caught:
        SettingsFile(path).save(old.with_value(INSTRUCTIONS, "x" * 50_000))
    assert caught.value.code is ErrorCode.DISK_FULL
    assert loaded(path) == old
    assert list(path.parent.iterdir()) == [path]


_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.sampled_from("\t\n\n\"\\'#= "))
_VALUES = st.fixed_dictionaries(
    {},
    optional={
        setting.key: _TEXTS if setting.kind is Kind.TEXT else st.sampled_from([c.value for c in setting.choices])
        for setting in SETTINGS
        if setting.kind in {Kind.TEXT, Kind.CHOICE}
    }
    | {"generation.temperature": st.floats(0, 2), "generation.seed": st.integers(0, 2**31 - 1)},
)


@given(st.lists(_VALUES, min_size=1, max_size=3))
def test_whatever_is_saved_comes_back(tmp_path_factory: pytest.TempPathFactory, rounds: list[dict[str, Value]]) -> None:
    path = tmp_path_factory.mktemp("settings") / "settings.toml"
    by_key = {setting.key: setting for setting in SETTINGS}
    for values in rounds:
        settings = Settings()
        for key, value in values.items():
            settings = settings.with_value(by_key[key], value)
        SettingsFile(path).save(settings)
        assert loaded(path) == settings


@given(st.binary(max_size=200) | st.text("[]=\"'\n.#{},general_theme0-9:TZ", max_size=80).map(str.encode))
def test_no_bytes_are_too_strange(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("settings") / "settings.toml"
    path.write_bytes(data)
    file = SettingsFile(path)
    settings = file.load().settings.with_value(TEXT_SIZE, 130)
    file.save(settings)
    assert loaded(path) == settings
