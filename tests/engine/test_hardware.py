"""The machine as a whole: memory, cores, battery."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from app.domain.hardware import Device, DeviceKind
from app.engine import hardware
from tests.support.file_tree import grow

linux = pytest.mark.skipif(sys.platform != "linux", reason="files of Linux")
CARD = Device("Vulkan0", "A card", DeviceKind.GRAPHICS, "Vulkan", 8 << 30, 7 << 30)


def group(**files: str) -> dict[str, str]:
    """A group of version 2 that the process is in."""
    return {
        "proc/self/cgroup": "0::/a\n",
        "proc/self/mountinfo": "1 2 0:3 / /sys/fs/cgroup rw - cgroup2 none rw\n",
    } | {f"sys/fs/cgroup/a/{name.replace('_', '.', 1)}": text for name, text in files.items()}


def test_a_tiny_model_gets_one_thread() -> None:
    assert hardware.threads_for(1_200_000) == 1


def test_a_large_model_gets_the_usable_cores() -> None:
    assert hardware.threads_for(12_000_000_000) == hardware.usable_cores() >= 1


@linux
def test_affinity_limits_the_cores() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert hardware.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@linux
@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", 4), ("800000 100000", 4), ("250000 100000", 2), ("50000 100000", 1)]
)
def test_a_quota_of_processor_time_limits_the_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2, 3})
    assert hardware.usable_cores(grow(tmp_path, group(cpu_max=quota))) == expected


def test_this_machine_is_known() -> None:
    found = hardware.look([CARD])
    assert found.system == sys.platform
    assert found.cores == hardware.usable_cores()
    assert 0 < found.free_ram_bytes <= found.ram_bytes <= psutil.virtual_memory().total
    assert found.devices == (CARD,)
    assert found.graphics == (CARD,)


@linux
def test_memory_without_limits_is_the_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=100, available=60))
    assert hardware.memory(tmp_path) == (100, 60)


@linux
@pytest.mark.parametrize(
    ("limit", "used", "expected"), [(80, 10, (80, 60)), (80, 50, (80, 30)), (300, 10, (100, 60)), (50, 0, (50, 50))]
)
def test_a_groups_limit_is_memorys_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: int, used: int, expected: tuple[int, int]
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=100, available=60))
    files = group(memory_max=str(limit), memory_current=str(used))
    assert hardware.memory(grow(tmp_path, files)) == expected


@pytest.mark.parametrize(("plugged", "expected"), [(True, False), (False, True), (None, None)])
def test_battery_or_mains(monkeypatch: pytest.MonkeyPatch, plugged: bool | None, expected: bool | None) -> None:
    monkeypatch.setattr(psutil, "sensors_battery", lambda: SimpleNamespace(power_plugged=plugged), raising=False)
    assert hardware.on_battery() is expected


def test_a_machine_without_a_battery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "sensors_battery", lambda: None, raising=False)
    assert hardware.on_battery() is None


def test_a_system_that_knows_no_batteries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(psutil, "sensors_battery", raising=False)
    assert hardware.on_battery() is None
