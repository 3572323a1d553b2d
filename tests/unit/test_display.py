"""A display is one that answers, not one that the environment remembers."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.display import has_display, patient_platforms, reachable_platforms

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")


@pytest.fixture
def x_number() -> Iterator[int]:
    """The number of an X display that takes connections."""
    number = 10_000 + os.getpid() % 50_000
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(f"\0/tmp/.X11-unix/X{number}")
        server.listen()
        yield number


@pytest.fixture
def wayland(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The socket of a Wayland compositor that takes connections."""
    monkeypatch.chdir(tmp_path)  # a socket's whole path may be too long to bind
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind("wayland-7")
        server.listen()
        yield Path("wayland-7")


@pytest.mark.parametrize("spelled", [":{}", ":{}.0", "unix:{}"])
def test_an_x_server_that_answers(x_number: int, spelled: str) -> None:
    environment = {"DISPLAY": spelled.format(x_number)}
    assert reachable_platforms(environment) == ("xcb",)
    assert has_display(environment)
    assert patient_platforms(environment) == "xcb;offscreen"


def test_a_wayland_compositor_that_answers(wayland: Path, x_number: int) -> None:
    environment = {"WAYLAND_DISPLAY": wayland.name, "XDG_RUNTIME_DIR": "."}
    assert reachable_platforms(environment) == ("wayland",)
    assert reachable_platforms({**environment, "DISPLAY": f":{x_number}"}) == ("wayland", "xcb")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"DISPLAY": "", "WAYLAND_DISPLAY": ""},
        {"DISPLAY": ":9973"},
        {"DISPLAY": ":99999"},
        {"WAYLAND_DISPLAY": "wayland-77", "XDG_RUNTIME_DIR": "/nowhere"},
        {"WAYLAND_DISPLAY": "w" * 5000},
    ],
    ids=lambda environment: str(environment)[:60],
)
def test_no_display(environment: dict[str, str]) -> None:
    assert reachable_platforms(environment) == ()
    assert not has_display(environment)
    assert patient_platforms(environment) == "offscreen"


def test_what_only_qt_can_tell_is_believed() -> None:
    assert reachable_platforms({"DISPLAY": "far.example:0"}) == ("xcb",)
    assert reachable_platforms({"WAYLAND_SOCKET": "5"}) == ("wayland",)
    assert has_display({"QT_QPA_PLATFORM": "minimal"})
    assert patient_platforms({"QT_QPA_PLATFORM": "minimal", "DISPLAY": "far.example:0"}) == "minimal"
