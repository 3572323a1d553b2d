"""How many cores of the processor are worth a thread each: physical ones, fast ones, and only those that are allowed.

Token by token all threads wait for the slowest, so a second thread on a core, or one on an economical core, costs more
than it gives.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable, Set
from pathlib import Path

# Of the fastest core's. By the kernel's own figure of a core's capacity, Arm's middle cores are above it and its small
# ones below; by clock speed alone, which says less, only clearly slower cores are left out.
_LEAST_CAPACITY = 0.6
_LEAST_FREQUENCY = 0.6

_RELATION_PROCESSOR_CORE = 0  # RelationProcessorCore, from winnt.h


def fast_cores(root: Path = Path("/")) -> int:
    """The number of such cores of this machine, at least 1. ``root`` is Linux's file system."""
    if sys.platform == "linux":
        return linux_cores(os.sched_getaffinity(0), root)
    if sys.platform == "darwin":
        return _mac_cores()
    if sys.platform == "win32":
        return _windows_cores()
    return os.cpu_count() or 1


# ---- Linux ----


def linux_cores(allowed: Set[int], root: Path = Path("/")) -> int:
    """The physical fast cores among the allowed processors, from /sys."""
    fast = _fast_processors(allowed, root)
    return max(1, len({_core_of(processor, root) for processor in fast}))


def parse_processors(text: str) -> frozenset[int]:
    """The kernel's list of processors, such as "0-3,8"; empty when it is none."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            return frozenset()
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _fast_processors(allowed: Set[int], root: Path) -> Set[int]:
    # Intel's hybrid processors: the kernel has one performance monitor for each kind of core.
    performance = allowed & parse_processors(_text(root / "sys/devices/cpu_core/cpus"))
    if performance and _text(root / "sys/devices/cpu_atom/cpus"):
        return performance
    for name, least in (("cpu_capacity", _LEAST_CAPACITY), ("cpufreq/cpuinfo_max_freq", _LEAST_FREQUENCY)):
        values = {processor: _number(_folder(processor, root) / name) for processor in allowed}
        if values and all(values.values()):
            best = max(values.values())
            fast = {processor for processor, value in values.items() if value >= least * best}
            if len(fast) < len(allowed):
                return fast
    return allowed


def _core_of(processor: int, root: Path) -> int:
    """The first processor of the core that this one is a thread of; itself where the kernel does not tell."""
    topology = _folder(processor, root) / "topology"
    for name in ("core_cpus_list", "thread_siblings_list"):  # the second is what old kernels call it
        if siblings := parse_processors(_text(topology / name)):
            return min(siblings)
    return processor


def _folder(processor: int, root: Path) -> Path:
    return root / f"sys/devices/system/cpu/cpu{processor}"


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if text.isdecimal() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


# ---- macOS ----


def _mac_cores() -> int:
    """Performance cores on Apple's chips, physical ones on Intel's."""
    return mac_sysctl_number("hw.perflevel0.physicalcpu") or mac_sysctl_number("hw.physicalcpu") or os.cpu_count() or 1


def mac_sysctl_number(name: str) -> int:
    """A 32-bit value of sysctl, 0 when there is none of this name."""
    value = ctypes.c_int32(0)
    size = ctypes.c_size_t(ctypes.sizeof(value))
    status = ctypes.CDLL(None).sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(size), None, 0)
    return value.value if status == 0 else 0


# ---- Windows ----


def _windows_cores() -> int:
    if sys.platform != "win32":
        raise RuntimeError("asked for on Windows only")
    import psutil

    query = ctypes.windll.kernel32.GetLogicalProcessorInformationEx
    size = ctypes.c_uint32(0)
    query(_RELATION_PROCESSOR_CORE, None, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    if not query(_RELATION_PROCESSOR_CORE, buffer, ctypes.byref(size)):
        return os.cpu_count() or 1
    return windows_cores(buffer.raw[: size.value], psutil.Process().cpu_affinity())


def windows_cores(records: bytes, allowed: Iterable[int]) -> int:
    """The cores of the highest efficiency class among the allowed processors of the first processor group.

    ``records`` are SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX of RelationProcessorCore, as a 64-bit Windows lays them out.
    Cores of other groups count as allowed: a program's affinity is about one group.
    """
    allowed_mask = sum(1 << processor for processor in set(allowed))
    classes: list[int] = []
    place = 0
    while place + 48 <= len(records):
        _, size = struct.unpack_from("<II", records, place)
        _, efficiency = struct.unpack_from("<BB", records, place + 8)
        mask, group = struct.unpack_from("<QH", records, place + 32)
        if group != 0 or mask & allowed_mask:
            classes.append(efficiency)
        place += max(size, 48)
    return max(1, sum(efficiency == max(classes) for efficiency in classes))
