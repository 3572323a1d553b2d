"""The library of models as the panes see it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.domain.errors import ErrorCode
from app.domain.settings import CURRENT_MODEL
from app.hub.library import DEMO_ID, Library
from app.resources import DEMO_MODEL
from app.services.job_thread import JobThread
from app.services.model_service import ModelService
from app.services.settings_service import SettingsService
from app.store.paths import ProfilePaths


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """A model that is not the built-in one."""
    file = tmp_path / "other.gguf"
    file.write_bytes(DEMO_MODEL.read_bytes())
    return file


def test_at_first_there_is_the_demo_alone(models: ModelService) -> None:
    assert [model.id for model in models.models()] == [DEMO_ID]
    assert models.current().builtin
    models.forget(DEMO_ID)
    assert len(models.models()) == 1


def test_a_file_is_added_chosen_and_remembered(
    qtbot: QtBot,
    paths: ProfilePaths,
    settings: SettingsService,
    models: ModelService,
    files: JobThread[None],
    model_file: Path,
) -> None:
    with qtbot.waitSignals([models.models_changed, models.current_changed]):
        models.add_file(model_file)
    added = models.models()[1]
    assert models.current() == added
    assert added.path == model_file
    assert settings.settings.get(CURRENT_MODEL) == added.id
    again = ModelService(Library(paths.library_file, DEMO_MODEL), settings, files)
    assert again.current() == added
    with qtbot.waitSignal(models.current_changed) as changed:
        models.select(DEMO_ID)
    assert changed.args is not None
    assert changed.args[0].builtin
    assert settings.settings.get(CURRENT_MODEL) == ""


def test_forgetting_the_chosen_model_leaves_the_demo(qtbot: QtBot, models: ModelService, model_file: Path) -> None:
    with qtbot.waitSignal(models.current_changed):
        models.add_file(model_file)
    with qtbot.waitSignals([models.models_changed, models.current_changed]):
        models.forget(models.current().id)
    assert models.current().id == DEMO_ID
    assert len(models.models()) == 1
    assert model_file.exists()


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, ErrorCode.FILE_NOT_FOUND), (b"hello", ErrorCode.NOT_A_GGUF), (b"GGUF\x03\0\0\0", ErrorCode.GGUF_TRUNCATED)],
)
def test_a_bad_file_is_refused_in_words(
    qtbot: QtBot, models: ModelService, tmp_path: Path, content: bytes | None, code: ErrorCode
) -> None:
    file = tmp_path / "bad.gguf"
    if content is not None:
        file.write_bytes(content)
    with qtbot.waitSignal(models.problem) as problem:
        models.add_file(file)
    assert problem.args is not None
    assert problem.args[0].code is code
    assert models.current().id == DEMO_ID


def test_a_broken_list_is_said(
    qtbot: QtBot, paths: ProfilePaths, settings: SettingsService, files: JobThread[None]
) -> None:
    paths.library_file.write_text("models = 7")
    service = ModelService(Library(paths.library_file, DEMO_MODEL), settings, files)
    with qtbot.waitSignal(service.problem) as problem:
        pass
    assert problem.args is not None
    assert problem.args[0].code is ErrorCode.LIBRARY_BROKEN
