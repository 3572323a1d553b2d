"""A control group with little memory, for a process that Linux shall end: skips where a test may make none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

ROOT = Path("/sys/fs/cgroup")


@contextmanager
def memory_limit(pid: int, more_bytes: int) -> Iterator[None]:
    """Let a process and its children take so many bytes more than this, and no more, without swapping."""
    group, limits = _place(f"alcove-test-{pid}")
    try:
        group.mkdir()
        for name in limits:
            with suppress(FileNotFoundError):  # a system without swap has no limit for it
                (group / name).write_text("0" if "swap" in name else str(more_bytes), encoding="ascii")
        (group / "cgroup.procs").write_text(str(pid), encoding="ascii")
    except OSError as error:
        with suppress(OSError):
            group.rmdir()
        pytest.skip(f"no group can be made here: {error}")
    try:
        yield
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
    finally:
        group.rmdir()


def _place(name: str) -> tuple[Path, tuple[str, ...]]:
    """The folder of a new group of this name, and its files of limits, in either version of Linux's groups."""
    lines = Path("/proc/self/cgroup").read_text(encoding="ascii").split()
    own = next((line.split(":", 2)[2] for line in lines if ":memory:" in line), None)
    if own is not None and (ROOT / "memory").is_dir():
        folder = ROOT / "memory" / own.lstrip("/")
        return folder / name, ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    own = next((line[3:] for line in lines if line.startswith("0::")), "/")
    return ROOT / own.lstrip("/") / name, ("memory.max", "memory.swap.max")
