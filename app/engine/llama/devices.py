"""What the loaded backends compute on: ggml's device API (ggml-backend.h)."""

import ctypes
import platform
import sys
from typing import Any

from app.domain.hardware import Device, DeviceKind
from app.engine.llama.library import ggml

# ggml_backend_dev_type. What stands for several devices at once is left out.
_KINDS = {
    0: DeviceKind.PROCESSOR,
    1: DeviceKind.GRAPHICS,
    2: DeviceKind.INTEGRATED,
    3: DeviceKind.ACCELERATOR,
}


class DeviceProperties(ctypes.Structure):
    """``ggml_backend_dev_props``; the capabilities at its end are five bools."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("description", ctypes.c_char_p),
        ("memory_free", ctypes.c_size_t),
        ("memory_total", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("device_id", ctypes.c_char_p),
        ("capabilities", ctypes.c_bool * 5),
    )


ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
ggml.ggml_backend_dev_get_props.argtypes = [ctypes.c_void_p, ctypes.POINTER(DeviceProperties)]
ggml.ggml_backend_dev_get_props.restype = None
ggml.ggml_backend_dev_backend_reg.argtypes = [ctypes.c_void_p]
ggml.ggml_backend_dev_backend_reg.restype = ctypes.c_void_p
ggml.ggml_backend_reg_name.argtypes = [ctypes.c_void_p]
ggml.ggml_backend_reg_name.restype = ctypes.c_char_p


def devices() -> tuple[Device, ...]:
    """All devices with their memory as it is now, in llama.cpp's order. A card that two backends see counts once.

    Apple's working set, which is what Metal may use of the main memory, is the size of its device.
    """
    found: list[Device] = []
    known: set[bytes] = set()
    for index in range(ggml.ggml_backend_dev_count()):
        handle = ggml.ggml_backend_dev_get(index)
        properties = DeviceProperties()
        ggml.ggml_backend_dev_get_props(handle, ctypes.byref(properties))
        kind = _KINDS.get(properties.type)
        bus_id = properties.device_id or b""  # of PCI devices
        if kind is None or bus_id in known:
            continue
        if bus_id:
            known.add(bus_id)
        backend = _text(ggml.ggml_backend_reg_name(ggml.ggml_backend_dev_backend_reg(handle)))
        if kind is DeviceKind.GRAPHICS and _shares_memory(backend):
            kind = DeviceKind.INTEGRATED
        name, description = _text(properties.name), _text(properties.description)
        total, free = properties.memory_total, properties.memory_free
        found.append(Device(name, description, kind, backend, total, min(free, total)))
    return tuple(found)


def _shares_memory(backend: str) -> bool:
    """Metal calls all its devices graphics cards; those of Apple's own chips have the main memory."""
    return sys.platform == "darwin" and platform.machine() == "arm64" and backend in ("MTL", "Metal")


def _text(value: Any) -> str:
    return " ".join((value or b"").decode("utf-8", "replace").split())
