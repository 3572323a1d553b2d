"""The number of threads."""

from __future__ import annotations

import os
import sys

import psutil
import pytest

from app.engine import hardware


def test_a_tiny_model_gets_one_thread() -> None:
    assert hardware.threads_for(1_200_000) == 1


def test_a_large_model_gets_the_usable_cores() -> None:
    assert hardware.threads_for(12_000_000_000) == hardware.usable_cores() >= 1


@pytest.mark.parametrize(("physical", "expected"), [(None, 1), (1, 1), (64, None)])
def test_cores_are_bounded_by_what_is_known(
    monkeypatch: pytest.MonkeyPatch, physical: int | None, expected: int | None
) -> None:
    def count(logical: bool = True) -> int | None:
        return physical

    monkeypatch.setattr(psutil, "cpu_count", count)
    assert hardware.usable_cores() == (expected or (os.cpu_count() or 1))


@pytest.mark.skipif(sys.platform != "linux", reason="affinity can be set in Linux alone")
def test_affinity_limits_the_cores() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert hardware.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
