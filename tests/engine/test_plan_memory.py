"""The file of what was learned about loading: it helps, and never stands in the way."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.hardware import Device, DeviceKind, Hardware
from app.domain.load_plan import LoadPlan
from app.engine import plan_memory
from app.engine.load_attempts import Failure, Lesson
from app.engine.plan_memory import MOST_LESSONS, PlanMemory, machine_key, model_key

LESSON = Lesson(LoadPlan(context=8192), (Failure(LoadPlan(context=32768, gpu_layers=25), True, 5, 6),))
CARD = Device("CUDA0", "A card", DeviceKind.GRAPHICS, "CUDA", 12 << 30, 11 << 30)
MACHINE = Hardware("linux", "A processor", 8, 32 << 30, 24 << 30, (CARD,))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the memory is."""
    return tmp_path / "plans.json"


def test_what_is_remembered_is_there_after_a_restart(file: Path) -> None:
    PlanMemory(file).remember("m", "here", LESSON)
    assert PlanMemory(file).recall("m", "here") == LESSON
    assert PlanMemory(file).recall("m", "elsewhere") == Lesson()
    assert PlanMemory(file).recall("n", "here") == Lesson()


def test_newer_lessons_take_the_place_of_older_ones(file: Path) -> None:
    memory = PlanMemory(file)
    memory.remember("m", "here", LESSON)
    memory.remember("m", "here", Lesson(LoadPlan(context=4096)))
    assert memory.recall("m", "here") == Lesson(LoadPlan(context=4096))
    memory.forget("m", "here")
    assert memory.recall("m", "here") == Lesson()


def test_there_is_a_bound(file: Path) -> None:
    memory = PlanMemory(file)
    for number in range(MOST_LESSONS + 3):
        memory.remember(f"m{number}", "here", LESSON)
    assert memory.recall("m2", "here") == Lesson()
    assert memory.recall("m3", "here") == LESSON


@given(
    st.binary(max_size=200) | st.sampled_from((b"[" * 5000, b'[{"model": 1}]', b"{}", b'[{"model":"m","machine":"h"}]'))
)
def test_a_damaged_file_is_no_memory(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.mktemp("damaged") / "plans.json"
    file.write_bytes(data)
    assert PlanMemory(file).recall("m", "h") == Lesson()
    PlanMemory(file).remember("m", "h", LESSON)
    assert PlanMemory(file).recall("m", "h") == LESSON


def test_a_folder_that_is_not_there_is_no_trouble(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    PlanMemory(tmp_path / "missing" / "plans.json").remember("m", "h", LESSON)
    assert "is not kept" in caplog.text
    PlanMemory(None).remember("m", "h", LESSON)
    assert PlanMemory(None).recall("m", "h") == Lesson()


def test_a_machine_is_known_by_what_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    known = machine_key(MACHINE, ("cpu-haswell", "cuda"))
    busy = replace(MACHINE, free_ram_bytes=1, on_battery=True, ram_bytes=MACHINE.ram_bytes - 4096)
    busy = replace(busy, devices=(replace(CARD, free_bytes=1),))
    assert machine_key(busy, ("cuda", "cpu-haswell")) == known
    others = [
        machine_key(replace(MACHINE, processor="Another"), ("cpu-haswell", "cuda")),
        machine_key(replace(MACHINE, ram_bytes=64 << 30), ("cpu-haswell", "cuda")),
        machine_key(replace(MACHINE, devices=()), ("cpu-haswell", "cuda")),
        machine_key(replace(MACHINE, devices=(replace(CARD, description="B"),)), ("cpu-haswell", "cuda")),
        machine_key(MACHINE, ("cpu-haswell", "vulkan")),
    ]
    monkeypatch.setattr(plan_memory, "llama_version", lambda: "0.0")
    others.append(machine_key(MACHINE, ("cpu-haswell", "cuda")))
    assert known not in others
    assert len(set(others)) == len(others)


def test_another_file_in_a_models_place_is_another_model(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"one")
    before = model_key(file)
    assert model_key(file) == before
    os.utime(file, ns=(1, 1))
    touched = model_key(file)
    file.write_bytes(b"three")
    assert len({before, touched, model_key(file)}) == 3
    with pytest.raises(OSError, match="No such file"):
        model_key(tmp_path / "n.gguf")
