"""What Alcove needs from a Linux system itself: Qt's libraries, a font, a compiler, Python's own `venv`.

What is missing is found by asking the dynamic loader, and installed by the system's package manager, as root
or through sudo, after saying which. Without either, the exact command is printed. The names for apt are
verified on Debian 12; those for dnf, pacman and zypper are the packages that hold the same files there.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.steps import SetUpError, run, say

MANAGERS = ("apt-get", "dnf", "pacman", "zypper")
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")


@dataclass(frozen=True, slots=True)
class Need:
    """Something the system must offer: its name, and the package that brings it, in the order of MANAGERS."""

    name: str
    packages: tuple[str, str, str, str]


# Every Qt program, shown or not. A need named lib*.so.* is a library.
QT = (
    Need("libGL.so.1", ("libgl1", "libglvnd-glx", "libglvnd", "libGL1")),
    Need("libEGL.so.1", ("libegl1", "libglvnd-egl", "libglvnd", "libEGL1")),
    Need("libglib-2.0.so.0", ("libglib2.0-0", "glib2", "glib2", "libglib-2_0-0")),
    Need("libfontconfig.so.1", ("libfontconfig1", "fontconfig", "fontconfig", "libfontconfig1")),
    Need("libdbus-1.so.3", ("libdbus-1-3", "dbus-libs", "dbus", "libdbus-1-3")),
    Need("libxkbcommon.so.0", ("libxkbcommon0", "libxkbcommon", "libxkbcommon", "libxkbcommon0")),
)
# llama.cpp, whose threads wait for each other by OpenMP's barriers.
ENGINE = (Need("libgomp.so.1", ("libgomp1", "libgomp", "gcc-libs", "libgomp1")),)
# A window on an X11 display (Wayland sessions have one too, and Qt falls back to it).
X11 = (
    Need("libxcb-cursor.so.0", ("libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor", "libxcb-cursor0")),
    Need("libxcb-icccm.so.4", ("libxcb-icccm4", "xcb-util-wm", "xcb-util-wm", "libxcb-icccm4")),
    Need("libxcb-image.so.0", ("libxcb-image0", "xcb-util-image", "xcb-util-image", "libxcb-image0")),
    Need("libxcb-keysyms.so.1", ("libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms", "libxcb-keysyms1")),
    Need("libxcb-randr.so.0", ("libxcb-randr0", "libxcb", "libxcb", "libxcb-randr0")),
    Need(
        "libxcb-render-util.so.0",
        ("libxcb-render-util0", "xcb-util-renderutil", "xcb-util-renderutil", "libxcb-render-util0"),
    ),
    Need("libxcb-shape.so.0", ("libxcb-shape0", "libxcb", "libxcb", "libxcb-shape0")),
    Need("libxcb-xkb.so.1", ("libxcb-xkb1", "libxcb", "libxcb", "libxcb-xkb1")),
    Need(
        "libxkbcommon-x11.so.0",
        ("libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11", "libxkbcommon-x11-0"),
    ),
    Need("libX11-xcb.so.1", ("libx11-xcb1", "libX11-xcb", "libx11", "libX11-xcb1")),
)
FONT = Need("a font", ("fonts-dejavu-core", "dejavu-sans-fonts", "ttf-dejavu", "dejavu-fonts"))
COMPILER = Need("a C++ compiler", ("g++", "gcc-c++", "gcc", "gcc-c++"))
VENV = Need("Python's venv module", ("python3-venv", "python3-libs", "python", "python3"))


def has_display() -> bool:
    """Whether a window could be shown, as far as the variables say."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def has_library(soname: str) -> bool:
    """Whether the dynamic loader finds the library: the same question that Qt will ask it."""
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def has_font() -> bool:
    """Whether any font is installed; without one Qt draws no letter."""
    folders = [Path(folder).expanduser() for folder in FONT_FOLDERS]
    return any(any(folder.rglob("*.[to]t[fc]")) for folder in folders)


def has_compiler() -> bool:
    """Whether there is a compiler for C and one for C++."""
    c = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    cpp = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    return bool(c and cpp)


def has_venv() -> bool:
    """Whether an environment can be made: by uv, or by `venv` with `ensurepip` (apart on Debian)."""
    return shutil.which("uv") is not None or importlib.util.find_spec("ensurepip") is not None


def missing_needs(
    *,
    venv: bool,
    compiler: bool,
    display: bool,
    library: Callable[[str], bool] = has_library,
    font: Callable[[], bool] = has_font,
) -> list[Need]:
    """What this Linux lacks; `venv` and `compiler` say whether those are needed at all."""
    missing = [need for need in (*QT, *ENGINE, *(X11 if display else ())) if not library(need.name)]
    if not font():
        missing.append(FONT)
    if compiler and not has_compiler():
        missing.append(COMPILER)
    if venv and not has_venv():
        missing.append(VENV)
    return missing


def package_manager(which: Callable[[str], str | None] = shutil.which) -> str | None:
    """The first package manager that this system has."""
    return next((name for name in MANAGERS if which(name)), None)


def packages_for(needs: Sequence[Need], manager: str) -> list[str]:
    """The packages that bring what is needed, each once, in order."""
    index = MANAGERS.index(manager)
    return list(dict.fromkeys(need.packages[index] for need in needs))


def install_commands(manager: str, packages: Sequence[str]) -> list[list[str]]:
    """The commands that install the packages without a question."""
    match manager:
        case "apt-get":
            quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
            return [[*quiet, "update"], [*quiet, "install", "-y", "--no-install-recommends", *packages]]
        case "dnf":
            return [["dnf", "install", "-y", *packages]]
        case "pacman":
            return [["pacman", "-S", "--needed", "--noconfirm", *packages]]
        case _:
            return [["zypper", "--non-interactive", "install", "--no-recommends", *packages]]


def as_root() -> list[str] | None:
    """What to put before a command to run it as root: nothing, sudo, or None when there is no way.

    sudo counts when it needs no password or when there is somebody to type it.
    """
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    if sys.stdin.isatty():
        return ["sudo"]
    quiet = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if quiet.returncode == 0 else None


def install_missing(*, venv: bool, compiler: bool) -> None:
    """Install what the system lacks, after saying which.

    Raises SetUpError with the exact command where it must be run by hand.
    """
    if sys.platform == "darwin":
        require_mac_compiler(compiler)
    if not sys.platform.startswith("linux"):
        return
    needs = missing_needs(venv=venv, compiler=compiler, display=has_display())
    if not needs:
        return
    names = ", ".join(need.name for need in needs)
    manager = package_manager()
    if manager is None:
        raise SetUpError(f"This system lacks {names}. Install them and start this again.")
    commands = install_commands(manager, packages_for(needs, manager))
    shown = " && ".join(shlex.join(command) for command in commands)
    prefix = as_root()
    if prefix is None:
        by_hand = " && ".join(shlex.join(["sudo", *command]) for command in commands)
        raise SetUpError(f"This system lacks {names}. Run this, then start again:\n\n    {by_hand}\n")
    say(f"This system lacks {names}. Installing them (about a minute): {shown}")
    for command in commands:
        run([*prefix, *command])
    importlib.invalidate_caches()
    still = missing_needs(venv=venv, compiler=compiler, display=has_display())
    if still:
        raise SetUpError(f"After installing, this system still lacks {', '.join(need.name for need in still)}.")


def require_mac_compiler(needed: bool) -> None:
    """Say how to get Apple's compiler. A stand-in at /usr/bin/c++ exists without it, so ask xcode-select."""
    if needed and subprocess.run(["xcode-select", "-p"], capture_output=True, check=False).returncode != 0:
        raise SetUpError(
            "This Mac lacks Apple's command line tools, which compile llama.cpp. "
            "Run this, then start again:\n\n"
            "    xcode-select --install\n"
        )
