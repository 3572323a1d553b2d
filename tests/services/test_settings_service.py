"""Settings: checked, told, saved in the background, never lost by a full disk."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from app.domain.errors import ErrorCode, UserError
from app.domain.setting import Group
from app.domain.settings import CURRENT_MODEL, EFFORT, SEED, TEMPERATURE, Settings
from app.services.job_thread import JobThread
from app.services.settings_service import SettingsService
from app.store.paths import ProfilePaths
from app.store.settings_file import SettingsFile


def on_disk(paths: ProfilePaths) -> Settings:
    return SettingsFile(paths.settings_file).load().settings


def test_a_change_is_told_and_saved(qtbot: QtBot, paths: ProfilePaths, settings: SettingsService) -> None:
    with qtbot.waitSignal(settings.changed) as changed:
        settings.set_value(TEMPERATURE.key, 0.5)
    assert changed.args == [TEMPERATURE.key]
    assert settings.value(TEMPERATURE.key) == 0.5
    qtbot.waitUntil(lambda: on_disk(paths).get(TEMPERATURE) == 0.5)
    with qtbot.assertNotEmitted(settings.changed):
        settings.set_value(TEMPERATURE.key, 0.5)


def test_a_wrong_value_is_refused(settings: SettingsService) -> None:
    with pytest.raises(UserError) as refused:
        settings.set_value(TEMPERATURE.key, 7)
    assert refused.value.code is ErrorCode.SETTING_INVALID
    assert settings.settings == Settings()
    with pytest.raises(KeyError):
        settings.set_value("generation.wisdom", 1)


def test_a_group_goes_back_to_its_defaults(qtbot: QtBot, paths: ProfilePaths, settings: SettingsService) -> None:
    settings.set_value(TEMPERATURE.key, 0.5)
    settings.set_value(SEED.key, 7)
    settings.set_value(EFFORT.key, "high")
    settings.set_value(CURRENT_MODEL.key, "abc")
    told: list[str] = []
    settings.changed.connect(told.append)
    settings.reset_group(Group.GENERATION)
    settings.reset_group(Group.MODELS)
    assert sorted(told) == [SEED.key, TEMPERATURE.key]
    settings.reset(EFFORT.key)
    assert settings.settings.changed == {CURRENT_MODEL.key: "abc"}
    qtbot.waitUntil(lambda: on_disk(paths) == settings.settings)


def test_many_changes_end_in_the_last_one(
    paths: ProfilePaths, files: JobThread[None], settings: SettingsService
) -> None:
    for number in range(200):
        settings.set_value(SEED.key, number)
    settings.close()
    files.close()
    assert on_disk(paths).get(SEED) == 199


def test_a_file_with_mistakes_is_said(qtbot: QtBot, paths: ProfilePaths, files: JobThread[None]) -> None:
    paths.settings_file.write_text("[generation]\ntemperature = 12\n")
    file = SettingsFile(paths.settings_file)
    service = SettingsService(file.load(), file, files)
    with qtbot.waitSignal(service.problem) as problem:
        pass
    assert problem.args is not None
    assert problem.args[0].code is ErrorCode.SETTING_IGNORED


class FullDisk(SettingsFile):
    full = True

    def save(self, settings: Settings) -> None:
        if self.full:
            raise UserError(ErrorCode.DISK_FULL, path="/")
        super().save(settings)


def test_a_value_that_cannot_be_saved_holds_and_is_saved_with_the_next(
    qtbot: QtBot, paths: ProfilePaths, files: JobThread[None]
) -> None:
    file = FullDisk(paths.settings_file)
    service = SettingsService(file.load(), file, files)
    with qtbot.waitSignal(service.problem) as problem:
        service.set_value(SEED.key, 7)
    assert problem.args is not None
    assert problem.args[0].code is ErrorCode.DISK_FULL
    assert service.settings.get(SEED) == 7
    file.full = False
    service.set_value(EFFORT.key, "low")
    qtbot.waitUntil(lambda: on_disk(paths) == service.settings)
    assert on_disk(paths).get(SEED) == 7
