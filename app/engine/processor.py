"""Which processor this is: its name for people, and everything about it that decides which code it runs."""

import hashlib
import platform
import sys
from pathlib import Path


def processor_name(root: Path = Path("/")) -> str:
    """The maker's name of the processor, "" when the system does not tell. ``root`` is Linux's file system."""
    if sys.platform == "linux":
        return _first(_cpuinfo(root), "model name", "Model", "cpu", "machine", "uarch")
    if sys.platform == "darwin":
        return _mac_name()
    if sys.platform == "win32":
        return _windows_name()
    return platform.processor()


def processor_identity(root: Path = Path("/")) -> str:
    """A short text that is another one when the processor, or what the system lets it do, is another one."""
    parts = [sys.platform, platform.machine(), processor_name(root)]
    if sys.platform == "linux":
        info = _cpuinfo(root)
        # Arm has no names, but numbers for maker and part.
        parts += [info.get(key, "") for key in ("flags", "Features", "CPU implementer", "CPU part", "isa")]
    else:
        parts.append(platform.version())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _cpuinfo(root: Path) -> dict[str, str]:
    """/proc/cpuinfo; of a key that comes for every processor the first value."""
    try:
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    return found


def _first(values: dict[str, str], *keys: str) -> str:
    return next((" ".join(values[key].split()) for key in keys if values.get(key)), "")


def _mac_name() -> str:
    import ctypes

    buffer = ctypes.create_string_buffer(256)
    size = ctypes.c_size_t(len(buffer))
    name = b"machdep.cpu.brand_string"
    status = ctypes.CDLL(None).sysctlbyname(name, buffer, ctypes.byref(size), None, 0)
    return buffer.value.decode("utf-8", "replace").strip() if status == 0 else platform.processor()


def _windows_name() -> str:
    if sys.platform != "win32":
        raise RuntimeError("asked for on Windows only")
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
            value, _ = winreg.QueryValueEx(key, "ProcessorNameString")
    except OSError:
        return platform.processor()
    return str(value).strip()
