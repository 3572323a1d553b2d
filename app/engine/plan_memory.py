"""What was learned about loading models, in a small file: per model file and machine."""

import dataclasses
import hashlib
import importlib.metadata
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from app.domain.errors import UserError
from app.domain.hardware import Device, Hardware
from app.engine.load_attempts import Lesson
from app.files.atomic import write_atomically

PLAN_VERSION = 2
"""Raised when plans are made or carried out differently: what was learned before counts no more."""

MOST_LESSONS = 64
MOST_BYTES = 1024 * 1024
_ROUND_BYTES = 256 * 1024 * 1024  # a system keeps a little more or less for itself at every start

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    model: str
    machine: str
    lesson: Lesson


class PlanMemory:
    """The file. It only saves time: one that cannot be read is empty, one that cannot be written stays as it is."""

    def __init__(self, file: Path | None) -> None:
        """None remembers nothing."""
        self._file = file

    def recall(self, model: str, machine: str) -> Lesson:
        """What is known of this model on this machine."""
        found = (entry.lesson for entry in self._entries() if (entry.model, entry.machine) == (model, machine))
        return next(found, Lesson())

    def remember(self, model: str, machine: str, lesson: Lesson) -> None:
        """Keep this in place of what was known; the oldest goes when there is too much."""
        self._replace(model, machine, [] if lesson == Lesson() else [_Entry(model, machine, lesson)])

    def forget(self, model: str, machine: str) -> None:
        """Know nothing of it: everything may be tried again."""
        self._replace(model, machine, [])

    def _replace(self, model: str, machine: str, new: list[_Entry]) -> None:
        if self._file is None:
            return
        others = [entry for entry in self._entries() if (entry.model, entry.machine) != (model, machine)]
        try:
            write_atomically(self._file, msgspec.json.format(msgspec.json.encode([*others, *new][-MOST_LESSONS:])))
        except UserError as error:
            log.warning("what was learned about loading is not kept: %s", error)

    def _entries(self) -> list[_Entry]:
        if self._file is None:
            return []
        try:
            with self._file.open("rb") as file:
                return msgspec.json.decode(file.read(MOST_BYTES), type=list[_Entry])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            log.warning("what was learned about loading cannot be read: %s", type(error).__name__)
            return []


def model_key(*files: Path) -> str:
    """Names a model by its files and their state: another file in its place is another model. Raises OSError."""
    states = ((path.name, path.stat()) for path in files)
    return "|".join(f"{name}:{status.st_size}:{status.st_mtime_ns}" for name, status in states)


def machine_key(hardware: Hardware, backends: Sequence[str]) -> str:
    """Names what a plan's fate depends on: processor, memory, devices with their drivers, llama.cpp and this program.

    How much is free at the moment is no part of it.
    """
    parts = (
        PLAN_VERSION,
        llama_version(),
        sorted(backends),
        hardware.system,
        hardware.processor,
        round(hardware.ram_bytes / _ROUND_BYTES),
        [_identity(device) for device in hardware.devices],
    )
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


def _identity(device: Device) -> dict[str, object]:
    """All of a device but what changes by itself."""
    known = dataclasses.asdict(device)
    del known["free_bytes"]
    known["total_bytes"] = round(device.total_bytes / _ROUND_BYTES)
    return known


def llama_version() -> str:
    """The version of llama.cpp's binding that is installed, "" when that is not known."""
    try:
        return importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        return ""
