"""Models in several files, in the real child."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from app.domain.errors import ErrorCode
from app.domain.hardware import Hardware
from app.domain.load_plan import LoadPlan
from app.engine.model_loading import ModelLoading, Target
from app.engine.plan_memory import PlanMemory, model_key
from app.engine.protocol import Failed, Load, Loaded
from app.engine.snapshot_file import snapshot_key
from tests.support.engine import DEMO, QUESTION, Engine, dialogue
from tests.support.model_parts import split_model

MACHINE = Hardware("linux", "A processor", 2, 16 << 30, 12 << 30)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The demo in three files."""
    return split_model(DEMO, tmp_path_factory.mktemp("parts"), 3)


def plan_of(path: Path) -> ModelLoading:
    """What is planned for a model."""
    loading = ModelLoading(Target(str(path), "A model"), PlanMemory(None))
    loading.begin(MACHINE, ())
    return loading


def test_it_answers_as_the_model_in_one_file(demo: Engine, parts: list[Path]) -> None:
    whole = demo.load()
    said = demo.ask(dialogue(QUESTION)).text
    demo.client.send(plan_of(parts[0]).load(demo.new_id()))
    loaded = demo.expect(Loaded)
    assert (loaded.name, loaded.architecture) == (whole.name, whole.architecture)
    assert demo.ask(dialogue(QUESTION)).text == said
    assert said[-1]


def test_it_is_planned_as_the_model_in_one_file(parts: list[Path]) -> None:
    assert plan_of(parts[0]).plan == plan_of(DEMO).plan
    assert plan_of(parts[0]).explanation == plan_of(DEMO).explanation


@pytest.mark.parametrize(
    ("chosen", "lost", "code"),
    [(0, 1, ErrorCode.MODEL_PART_MISSING), (0, 2, ErrorCode.MODEL_PART_MISSING), (1, 0, ErrorCode.MODEL_PART_MISSING)],
)
def test_a_missing_part_is_named(
    demo: Engine, parts: list[Path], tmp_path: Path, chosen: int, lost: int, code: ErrorCode
) -> None:
    here = [Path(shutil.copy(part, tmp_path)) for part in parts]
    here[lost].unlink()
    demo.client.send(Load(demo.new_id(), str(here[chosen]), LoadPlan()))
    failed = demo.expect(Failed)
    assert failed.code == code
    assert failed.values["path"] == str(here[lost])


def test_a_later_part_and_a_cut_one(demo: Engine, parts: list[Path], tmp_path: Path) -> None:
    assert demo.failure(parts[1]) is ErrorCode.NOT_THE_FIRST_PART
    here = [Path(shutil.copy(part, tmp_path)) for part in parts]
    os.truncate(here[2], here[2].stat().st_size - 100)
    demo.client.send(Load(demo.new_id(), str(here[0])))
    failed = demo.expect(Failed)
    assert (failed.code, failed.values["path"]) == (ErrorCode.GGUF_TRUNCATED, str(here[2]))
    demo.load()


@pytest.mark.parametrize("changed", [0, 2])
def test_with_another_part_it_is_another_model(parts: list[Path], tmp_path: Path, changed: int) -> None:
    here = tuple(Path(shutil.copy(part, tmp_path)) for part in parts)
    before = snapshot_key("an engine", here, LoadPlan(), ()), model_key(*here)
    assert (snapshot_key("an engine", here, LoadPlan(), ()), model_key(*here)) == before
    os.utime(here[changed], ns=(1, 1))
    assert snapshot_key("an engine", here, LoadPlan(), ()) != before[0]
    assert model_key(*here) != before[1]
