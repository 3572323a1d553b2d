"""Which cores count: trees of Linux's /sys, and the records that Windows gives."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import pytest

from app.engine.cores import linux_cores, parse_processors, windows_cores
from tests.support.file_tree import grow


def processors(count: int, threads: int = 1, *, key: str = "core_cpus_list") -> dict[str, str]:
    """Processors whose neighbours are threads of one core, as Intel numbers hybrid ones."""
    files: dict[str, str] = {}
    for number in range(count):
        first = number - number % threads
        siblings = f"{first}-{first + threads - 1}" if threads > 1 else str(first)
        files[f"sys/devices/system/cpu/cpu{number}/topology/{key}"] = siblings + "\n"
    return files


def each(name: str, values: Iterable[int]) -> dict[str, str]:
    """A file of each processor."""
    return {f"sys/devices/system/cpu/cpu{number}/{name}": f"{value}\n" for number, value in enumerate(values)}


# 6 fast cores with 2 threads each, then 8 economical ones.
HYBRID = processors(12, 2) | {
    f"sys/devices/system/cpu/cpu{number}/topology/core_cpus_list": f"{number}\n" for number in range(12, 20)
}
KINDS = {"sys/devices/cpu_core/cpus": "0-11\n", "sys/devices/cpu_atom/cpus": "12-19\n"}

TREES: dict[str, tuple[dict[str, str], set[int], int]] = {
    "nothing is known": ({}, {0, 1, 2, 3}, 4),
    "one thread a core": (processors(4), {0, 1, 2, 3}, 4),
    "two threads a core": (processors(8, 2), set(range(8)), 4),
    "two threads a core, old kernel": (processors(8, 2, key="thread_siblings_list"), set(range(8)), 4),
    "affinity leaves one thread of each of two cores": (processors(8, 2), {1, 2}, 2),
    "affinity leaves both threads of one core": (processors(8, 2), {2, 3}, 1),
    "no processor is allowed": (processors(8, 2), set(), 1),
    "Intel, hybrid": (HYBRID | KINDS, set(range(20)), 6),
    "Intel, hybrid, affinity leaves some of both": (HYBRID | KINDS, {0, 1, 2, 12, 13}, 2),
    "Intel, hybrid, affinity leaves the economical ones": (HYBRID | KINDS, {12, 13, 14}, 3),
    "Intel, one kind": (processors(4) | {"sys/devices/cpu_core/cpus": "0-3\n"}, {0, 1, 2, 3}, 4),
    "Arm, two kinds": (processors(8) | each("cpu_capacity", [1024] * 4 + [446] * 4), set(range(8)), 4),
    "Arm, three kinds: the middle ones count": (
        processors(8) | each("cpu_capacity", [300] * 4 + [870] * 3 + [1024]),
        set(range(8)),
        4,
    ),
    "capacity of one kind says nothing, clocks do": (
        processors(4) | each("cpu_capacity", [1024] * 4) | each("cpufreq/cpuinfo_max_freq", [4000, 4000, 2000, 2000]),
        {0, 1, 2, 3},
        2,
    ),
    "favoured cores are no kind of their own": (
        processors(4) | each("cpufreq/cpuinfo_max_freq", [5200, 5000, 4900, 4900]),
        {0, 1, 2, 3},
        4,
    ),
    "not every processor tells its clock": (
        processors(4) | each("cpufreq/cpuinfo_max_freq", [4000, 4000]),
        {0, 1, 2, 3},
        4,
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_cores_of_a_tree(name: str, tmp_path: Path) -> None:
    files, allowed, expected = TREES[name]
    assert linux_cores(allowed, grow(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", {0}),
        ("0-3\n", {0, 1, 2, 3}),
        ("0-1,4,6-7", {0, 1, 4, 6, 7}),
        ("", set()),
        ("x", set()),
        ("1-", {1}),
        ("0-y", set()),
    ],
)
def test_lists_of_processors(text: str, expected: set[int]) -> None:
    assert parse_processors(text) == expected


def record(efficiency: int, mask: int, group: int = 0) -> bytes:
    """A SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX of one core."""
    return struct.pack("<IIBB20sHQH6s", 0, 48, 0, efficiency, b"", 1, mask, group, b"")


@pytest.mark.parametrize(
    ("records", "allowed", "expected"),
    [
        ([record(0, 0b11), record(0, 0b1100)], range(4), 2),
        ([record(1, 0b11), record(1, 0b1100), record(0, 0b10000), record(0, 0b100000)], range(6), 2),
        ([record(1, 0b11), record(0, 0b100), record(0, 0b1000)], [2, 3], 2),
        ([record(0, 0b11), record(0, 0b11, group=1)], [0, 1], 2),
        ([], [0], 1),
        ([record(0, 0b1), b"\0" * 20], [0], 1),
    ],
    ids=["one kind", "two kinds", "affinity leaves the economical ones", "two groups", "nothing", "cut short"],
)
def test_windows_records(records: list[bytes], allowed: Iterable[int], expected: int) -> None:
    assert windows_cores(b"".join(records), allowed) == expected
