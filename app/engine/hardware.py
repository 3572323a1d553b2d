"""What of this machine matters for running a model."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.domain.hardware import Device, DeviceKind, Hardware
from app.engine.cgroups import read_limits
from app.engine.cores import fast_cores
from app.engine.processor import processor_name

# Below this, starting and joining threads costs more than they compute: on 1 MB of weights, one thread decoded several
# times as fast as two.
TINY_MODEL_BYTES = 50 * 1024 * 1024


def usable_cores(root: Path = Path("/")) -> int:
    """Fast physical cores this process may keep busy, at least 1. ``root`` is Linux's file system."""
    cores = fast_cores(root)
    quota = read_limits(root).processors
    # A thread over the quota is stopped for a while, and the others wait for it: rounded down.
    return cores if quota is None else max(1, min(cores, int(quota)))


def threads_for(weight_bytes: int) -> int:
    """How many threads decode a model of this size fastest."""
    return 1 if weight_bytes < TINY_MODEL_BYTES else usable_cores()


def look(devices: Sequence[Device], root: Path = Path("/")) -> Hardware:
    """The machine as it is now, with the devices of the backends that are loaded."""
    ram_bytes, free_ram_bytes = memory(root)
    # The processor's backend calls all memory free.
    seen = tuple(
        replace(device, total_bytes=ram_bytes, free_bytes=free_ram_bytes)
        if device.kind is DeviceKind.PROCESSOR
        else device
        for device in devices
    )
    return Hardware(
        system=sys.platform,
        processor=processor_name(root),
        cores=usable_cores(root),
        ram_bytes=ram_bytes,
        free_ram_bytes=free_ram_bytes,
        devices=seen,
        on_battery=on_battery(),
    )


def memory(root: Path = Path("/")) -> tuple[int, int]:
    """(all, free) main memory in bytes that this process may use."""
    import psutil  # 40 ms

    system = psutil.virtual_memory()
    limits = read_limits(root)
    total, free = system.total, system.available
    if limits.memory_bytes is not None:
        total = min(total, limits.memory_bytes)
    if limits.free_bytes is not None:
        free = min(free, limits.free_bytes)
    return total, min(total, free)


def free_memory() -> int:
    """Main memory in bytes that this process may use and nobody does."""
    return memory()[1]


def on_battery() -> bool | None:
    """Whether the machine runs on its battery; None without one, and when it is not known."""
    import psutil

    read = getattr(psutil, "sensors_battery", None)  # not on every system
    battery = read() if read is not None else None
    if battery is None or battery.power_plugged is None:
        return None
    return not battery.power_plugged
