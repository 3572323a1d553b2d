"""What Linux's control groups leave this process of memory and processor time: versions 1 and 2, and both at once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# Version 1 has no word for "no limit", only a number that no machine reaches.
_UNLIMITED = 1 << 60


@dataclass(frozen=True, slots=True)
class CgroupLimits:
    """What the process's own group and all groups around it allow; None where nothing limits it.

    ``memory_bytes`` is the tightest limit, ``free_bytes`` what the fullest group has left (files that are only cached
    count as free, as they do in the kernel's own figure), ``processors`` the processor time per time.
    """

    memory_bytes: int | None = None
    free_bytes: int | None = None
    processors: float | None = None


def read_limits(root: Path = Path("/")) -> CgroupLimits:
    """The limits of this process; ``root`` is the file system's. What cannot be read does not limit."""
    memory: list[int] = []
    free: list[int] = []
    processors: list[float] = []
    for version, folder in _groups(root, "memory"):
        limit, left = _memory_2(folder) if version == 2 else _memory_1(folder)
        if limit is not None:
            memory.append(limit)
        if left is not None:
            free.append(left)
    for version, folder in _groups(root, "cpu"):
        quota = _processors_2(folder) if version == 2 else _processors_1(folder)
        if quota is not None:
            processors.append(quota)
    return CgroupLimits(min(memory, default=None), min(free, default=None), min(processors, default=None))


def _groups(root: Path, controller: str) -> Iterator[tuple[int, Path]]:
    """Version and folder of the process's group that has this controller and of each one around it."""
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        version = 2 if number == "0" and not controllers else 1
        if version == 1 and controller not in controllers.split(","):
            continue
        for mount_root, mount_point in _mounts(root, version, controller):
            yield from ((version, folder) for folder in _upwards(root, mount_point, mount_root, path))


def _mounts(root: Path, version: int, controller: str) -> Iterator[tuple[str, str]]:
    """(which group is mounted, where) of every mount of the hierarchy. See proc_pid_mountinfo(5)."""
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        mount, kind = before.split(" "), after.split(" ")
        if len(mount) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup2" if version == 2 else kind[0] == "cgroup" and controller in kind[2].split(","):
            yield _unescape(mount[3]), _unescape(mount[4])


def _upwards(root: Path, mount_point: str, mount_root: str, path: str) -> Iterator[Path]:
    """The folders from the process's group up to the mount."""
    top = root / mount_point.lstrip("/")
    group = PurePosixPath(path)
    # In a container the mount may show only the container's part of the tree; a group outside of it is not in reach.
    inside = group.is_relative_to(mount_root) and ".." not in group.parts
    folder = top / group.relative_to(mount_root) if inside else top
    while folder != top:
        yield folder
        folder = folder.parent
    yield top


def _memory_2(folder: Path) -> tuple[int | None, int | None]:
    # Over memory.high a process is not ended, but slowed to a crawl.
    limits = [limit for name in ("memory.max", "memory.high") if (limit := _number(folder / name)) is not None]
    if not limits:
        return None, None
    used = _number(folder / "memory.current")
    return min(limits), _left(min(limits), used, folder, "active_file", "inactive_file")


def _memory_1(folder: Path) -> tuple[int | None, int | None]:
    limit = _number(folder / "memory.limit_in_bytes")
    if limit is None or limit >= _UNLIMITED:
        return None, None
    used = _number(folder / "memory.usage_in_bytes")
    return limit, _left(limit, used, folder, "total_active_file", "total_inactive_file")


def _left(limit: int, used: int | None, folder: Path, *cached: str) -> int | None:
    if used is None:
        return None
    for line in _lines(folder / "memory.stat"):
        name, _, value = line.partition(" ")
        if name in cached and value.isdecimal():
            used -= int(value)
    return max(0, limit - max(0, used))


def _processors_2(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    return _share(quota, period)


def _processors_1(folder: Path) -> float | None:
    return _share(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _share(quota: str, period: str) -> float | None:
    """Microseconds of processor time in each period; "max" and -1 stand for no limit."""
    if quota.isdecimal() and period.isdecimal() and int(period):
        return int(quota) / int(period)
    return None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    return "\n".join(_lines(path)).strip()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _unescape(field: str) -> str:
    """Spaces in mount points are written as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
