"""How much of a machine's memory a model may have, and on which device it runs: the rules with their reasons."""

from dataclasses import dataclass
from typing import Final

from app.domain.errors import ErrorCode, UserError
from app.domain.hardware import Device, DeviceKind, Hardware
from app.domain.model_memory import Memory, maps_files, shares_memory
from app.domain.plan_words import GIB

AUTOMATIC: Final = ""
GRAPHICS: Final = "graphics"
PROCESSOR: Final = "processor"

_UNKNOWN: Final = 1 << 62

# What the system and its desktop need when everything else is closed; below it they swap. A freshly started Windows or
# macOS shows 3 to 4 GB in use, a Linux desktop 1.5 to 2, of which some can be dropped. This program is counted in.
_SYSTEM: Final = {"win32": 3 * GIB, "darwin": 3 * GIB}
_OTHER_SYSTEM: Final = 2 * GIB

# Left of what is free now: this program's own growth (the engine's process with a vocabulary of 200,000 takes some
# 200 MB) and other programs' in the next minutes.
_FREE_MARGIN: Final = 3 * GIB // 4

# Left free on a graphics card: kernels and scratch pools of the driver (200 to 400 MB, not in llama.cpp's figures), and
# what the desktop takes more of when windows are opened; on larger cards larger screens. llama.cpp's own fitting leaves
# 1 GB everywhere, which on a card of 6 GB costs the experts of two layers.
_CARD_MARGIN: Final = 3 * GIB // 4
_CARD_SHARE: Final = 16

# Metal's recommended working set leaves the system a third of the memory on older systems, a quarter or less on newer
# ones. What a device has of it cannot be swapped, so no more than two thirds are taken.
_SHARED_MARGIN: Final = GIB // 2

# Integrated graphics share the processor's memory and are bound by it: tokens come no faster, on many by half slower,
# and the weights must be copied for them where the processor could use the file. So they are used only on demand;
# except Apple's, those with an NVIDIA processor (CUDA), and those with a memory as wide as a card's.
_STRONG_SHARED: Final = ("8060S", "8050S")


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes a model may have: ``device`` on its device now, ``ram_now`` of main memory now, ``ram_most`` of it when all
    other programs are closed. ``shared``: the device's part is part of main memory.
    """

    device: int
    ram_now: int
    ram_most: int
    shared: bool

    def ram_needed(self, memory: Memory) -> int:
        """What ``memory`` takes of the main memory, file pages and a shared device's part too."""
        return memory.ram_bytes + (memory.device_bytes if self.shared else 0)

    def device_holds(self, memory: Memory) -> bool:
        """Whether the device's part fits on it."""
        return memory.device_bytes <= self.device

    def fits_now(self, memory: Memory) -> bool:
        """Whether it fits beside what runs now."""
        return self.device_holds(memory) and self.ram_needed(memory) <= self.ram_now

    def fits_alone(self, memory: Memory) -> bool:
        """Whether it fits when other programs are closed."""
        return self.device_holds(memory) and self.ram_needed(memory) <= self.ram_most


def system_bytes(hardware: Hardware) -> int:
    """What of the main memory is the system's."""
    return _SYSTEM.get(hardware.system, _OTHER_SYSTEM)


def room_of(hardware: Hardware, device: Device | None) -> Room:
    """The room for a model whose layers go to ``device``. A main memory of unknown size (0) counts as endless."""
    if hardware.ram_bytes:
        most = max(0, hardware.ram_bytes - system_bytes(hardware))
        now = min(most, max(0, hardware.free_ram_bytes - _FREE_MARGIN))
    else:
        most = now = _UNKNOWN
    if device is None:
        return Room(0, now, most, shared=False)
    if shares_memory(device):
        held = min(device.free_bytes - _SHARED_MARGIN, (hardware.ram_bytes or _UNKNOWN) * 2 // 3)
        return Room(max(0, held), now, most, shared=True)
    margin = max(_CARD_MARGIN, device.total_bytes // _CARD_SHARE)
    return Room(max(0, device.free_bytes - margin), now, most, shared=False)


def chosen_device(hardware: Hardware, wanted: str) -> Device | None:
    """The device for a model's layers, None for the processor. ``wanted`` is one of this module's words, or a name.

    One device is used, the one with the most free memory: with several, llama.cpp would keep a cache, compute buffers
    and a part of the layers on each, for which there is no estimate here. Raises ``UserError``, ``DEVICE_MISSING``.
    """
    if wanted == PROCESSOR:
        return None
    if wanted not in (AUTOMATIC, GRAPHICS):
        named = next((device for device in hardware.graphics if device.name == wanted), None)
        if named is None:
            raise UserError(ErrorCode.DEVICE_MISSING, name=f"device {wanted}")
        return named
    useful = [device for device in hardware.graphics if _helps(device)]
    if not useful and wanted == GRAPHICS:
        useful = list(hardware.graphics)
        if not useful:
            raise UserError(ErrorCode.DEVICE_MISSING, name="graphics card")
    return max(useful, key=lambda device: device.free_bytes, default=None)


def idle_cards(hardware: Hardware, used: Device) -> tuple[Device, ...]:
    """The graphics cards that have no part in a model on ``used``, though they would help."""
    return tuple(
        device
        for device in hardware.graphics
        if device.name != used.name and _helps(device) and not shares_memory(device)
    )


def _helps(device: Device) -> bool:
    return (
        device.kind is DeviceKind.GRAPHICS
        or maps_files(device)
        or device.backend.upper().startswith("CUDA")
        or any(name in device.description for name in _STRONG_SHARED)
    )
