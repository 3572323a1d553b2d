"""The settings as a TOML file that people may edit, with their comments and unknown keys kept."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Item

from app.domain.errors import ErrorCode, UserError
from app.domain.setting import Kind, Setting, Value
from app.domain.settings import SETTINGS, Settings
from app.files.atomic import reason_of, set_aside, write_atomically

_LARGEST = 4_000_000
_Table = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings as read, and what was wrong with the file, for the user."""

    settings: Settings
    problems: tuple[UserError, ...] = ()


class SettingsFile:
    """Reads and writes ``settings.toml``. A missing file is all defaults; only what differs from them is written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> LoadedSettings:
        """The settings; never fails. A broken value falls back to its default, a broken file is set aside."""
        try:
            document = self._read()
        except UserError as problem:
            return LoadedSettings(Settings(), (problem,))
        except _NotTomlError:
            return LoadedSettings(Settings(), (self._set_aside(),))
        settings = Settings()
        problems: list[UserError] = []
        for setting in SETTINGS:
            found = _find(document, setting)
            if found is None:
                continue
            try:
                settings = settings.with_value(setting, found)
            except UserError as error:
                problems.append(
                    UserError(
                        ErrorCode.SETTING_IGNORED,
                        key=setting.key,
                        value=error.values["value"],
                        default=_spelled(setting),
                        expected=setting.expected,
                    )
                )
        return LoadedSettings(settings, tuple(problems))

    def save(self, settings: Settings) -> None:
        """Write the settings into the file, whole or not at all.

        What stands in the file and is no setting of this version stays. Raises ``UserError``: ``DISK_FULL``,
        ``PROFILE_UNWRITABLE`` or ``FILE_UNREADABLE``; the file is then as it was.
        """
        try:
            document = self._read()
        except _NotTomlError:
            self._set_aside()
            document = tomlkit.document()
        for setting in SETTINGS:
            _put(document, setting, settings.get(setting))
        text = tomlkit.dumps(document)
        write_atomically(self._path, text.encode())

    def _read(self) -> tomlkit.TOMLDocument:
        try:
            with self._path.open("rb") as file:
                data = file.read(_LARGEST + 1)
        except FileNotFoundError:
            return tomlkit.document()
        except OSError as error:
            reason = reason_of(error)
            raise UserError(ErrorCode.FILE_UNREADABLE, path=str(self._path), reason=reason) from error
        if len(data) > _LARGEST:
            raise _NotTomlError
        try:
            return tomlkit.parse(data.decode("utf-8-sig"))
        except (UnicodeDecodeError, TOMLKitError, RecursionError, ValueError) as error:
            raise _NotTomlError from error

    def _set_aside(self) -> UserError:
        """Move the broken file away; what went wrong, for the user, be it that it cannot be moved."""
        try:
            return UserError(ErrorCode.SETTINGS_BROKEN, aside=str(set_aside(self._path)))
        except UserError as error:
            return error


class _NotTomlError(Exception):
    """The file is not TOML. Not for the user: it is set aside and said so."""


def _find(document: Mapping[str, Any], setting: Setting[Value]) -> object | None:
    """What the file says about a setting; None when it says nothing."""
    table, _, name = setting.key.partition(".")
    section = document.get(table)
    if not isinstance(section, Mapping):
        return None
    found = cast("Mapping[str, object]", section).get(name)
    return found.unwrap() if isinstance(found, Item) else found


def _put(document: _Table, setting: Setting[Value], value: Value) -> None:
    """Make the file say ``value``, touching nothing when it does so already."""
    found = _find(document, setting)
    if found == value and type(found) is type(value):
        return
    table, _, name = setting.key.partition(".")
    section = document.get(table)
    if value == setting.default:
        if found is not None and isinstance(section, MutableMapping):
            del cast("_Table", section)[name]
        return
    if not isinstance(section, MutableMapping):
        document[table] = tomlkit.table()
        section = document[table]
    cast("_Table", section)[name] = _written(setting, value)


def _written(setting: Setting[Value], value: Value) -> Item:
    """A value as it stands in the file; several lines are kept as such where TOML can hold them readably."""
    if setting.kind is Kind.TEXT and isinstance(value, str):
        readable = "\n" in value and "\\" not in value and '"""' not in value and not value.endswith('"')
        return tomlkit.string(value, multiline=readable)
    return tomlkit.item(value)


def _spelled(setting: Setting[Value]) -> str:
    """The default, as the settings file spells it."""
    return tomlkit.item(setting.default).as_string()
