"""Whether there is a display to open a window on: asked before Qt, which ends the whole process when there is none."""

import re
import socket
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

# ":0", "unix:0.0": the X server of this machine. Anything else names a host, and only Qt can tell.
_LOCAL_X = re.compile(r"(?:unix)?:(\d{1,5})(?:\.\d+)?")
_PROBE_S = 1.0


def reachable_platforms(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Qt's names of the window systems that the environment names and that answer; Linux only."""
    names: list[str] = []
    if _wayland_answers(environment):
        names.append("wayland")
    if _x_answers(environment.get("DISPLAY", "")):
        names.append("xcb")
    return tuple(names)


def has_display(environment: Mapping[str, str]) -> bool:
    """Whether a window can be opened. Other systems than Linux always have a display, or say so themselves."""
    return (
        not sys.platform.startswith("linux")
        or bool(environment.get("QT_QPA_PLATFORM"))
        or bool(reachable_platforms(environment))
    )


def patient_platforms(environment: Mapping[str, str]) -> str:
    """``QT_QPA_PLATFORM`` for a program that must run even when every display that answers refuses it."""
    if given := environment.get("QT_QPA_PLATFORM"):
        return given
    return ";".join((*reachable_platforms(environment), "offscreen"))


def _x_answers(display: str) -> bool:
    local = _LOCAL_X.fullmatch(display)
    if local is None:
        return bool(display)
    path = f"/tmp/.X11-unix/X{int(local[1])}"  # noqa: S108 - where X servers listen
    return _listens("\0" + path) or _listens(path)


def _wayland_answers(environment: Mapping[str, str]) -> bool:
    if environment.get("WAYLAND_SOCKET"):  # an open connection, which a look would use up
        return True
    name = environment.get("WAYLAND_DISPLAY")
    return bool(name) and _listens(str(Path(environment.get("XDG_RUNTIME_DIR", "/"), name)))


def _listens(address: str) -> bool:
    """Whether somebody takes connections at a socket of this machine."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(address)
        except OSError:
            return False
    return True
