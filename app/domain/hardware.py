"""What a machine has that matters for running a model: plain values, read by ``app/engine/hardware.py``."""

from dataclasses import dataclass
from enum import StrEnum


class DeviceKind(StrEnum):
    """What computes. ``INTEGRATED`` shares the main memory; ``GRAPHICS`` has its own."""

    PROCESSOR = "processor"
    GRAPHICS = "graphics"
    INTEGRATED = "integrated"
    ACCELERATOR = "accelerator"


@dataclass(frozen=True, slots=True)
class Device:
    """One device of a llama.cpp backend. ``name`` is llama.cpp's ("CUDA0"), ``description`` the maker's."""

    name: str
    description: str
    kind: DeviceKind
    backend: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Hardware:
    """A machine as it is now. Sizes in bytes.

    ``system`` is ``sys.platform``. ``cores`` are those that matter for decoding: physical ones, performance cores
    where there are two kinds, as far as affinity and cgroup limits let this process use them. ``ram_bytes`` and
    ``free_ram_bytes`` respect a cgroup's limit too. ``on_battery`` is None where the machine has no battery.
    ``processor`` names it, for people and to notice that it is another one.
    """

    system: str = ""
    processor: str = ""
    cores: int = 1
    ram_bytes: int = 0
    free_ram_bytes: int = 0
    devices: tuple[Device, ...] = ()
    on_battery: bool | None = None

    @property
    def graphics(self) -> tuple[Device, ...]:
        """The devices that a model's layers can be put on, best first as llama.cpp lists them."""
        return tuple(d for d in self.devices if d.kind in (DeviceKind.GRAPHICS, DeviceKind.INTEGRATED))
