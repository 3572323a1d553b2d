"""The backends and devices of a real engine child: what is there, and what is left out without a word."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from app.domain.errors import ErrorCode
from app.domain.hardware import DeviceKind
from app.engine.client import EngineClient
from app.engine.protocol import HardwareFound, Hello, Probe
from tests.support.backend_libraries import compile_library, copy_libraries, needs_compiler
from tests.support.engine import PATIENCE_S, Engine


def test_the_child_says_what_the_machine_has() -> None:
    with Engine().start() as engine:
        hello = engine.expect(Hello)
        found = hello.hardware
        assert hello.backends[0].startswith("cpu")
        assert (found.system, found.cores >= 1) == (sys.platform, True)
        assert 0 < found.free_ram_bytes <= found.ram_bytes <= psutil.virtual_memory().total
        processor = next(device for device in found.devices if device.kind is DeviceKind.PROCESSOR)
        assert (processor.name, processor.backend) == ("CPU", "CPU")
        assert (processor.total_bytes, processor.free_bytes) == (found.ram_bytes, found.free_ram_bytes)
        assert processor.description == found.processor or not found.processor


def test_a_probe_looks_again() -> None:
    with Engine().start() as engine:
        hello = engine.expect(Hello)
        probe = Probe(engine.new_id())
        engine.client.send(probe)
        answer = engine.expect(HardwareFound)
        assert answer.request_id == probe.request_id
        assert answer.hardware.ram_bytes == hello.hardware.ram_bytes
        assert [device.name for device in answer.hardware.devices] == [d.name for d in hello.hardware.devices]


# ---- plug-ins ----

NO_DRIVER = {
    "its driver's library is not there": ("", ("-Wl,--no-as-needed", "-L.", "-lno-such-driver")),
    "it finds no driver": ("", ()),
}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of llama.cpp's libraries that the children load."""
    return copy_libraries(tmp_path, monkeypatch)


@needs_compiler
@pytest.mark.parametrize("case", NO_DRIVER)
def test_a_plug_in_without_its_driver_is_left_out_silently(
    case: str, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, options = NO_DRIVER[case]
    monkeypatch.chdir(tmp_path)
    if options:  # something to link with, which is gone afterwards
        compile_library(tmp_path, "no-such-driver", "")
    compile_library(library, "ggml-vulkan", body, *options)
    (tmp_path / "libno-such-driver.so").unlink(missing_ok=True)
    silent_child("vulkan", tmp_path / "engine.log")


def test_a_file_that_is_no_library_is_left_out_silently(library: Path, tmp_path: Path) -> None:
    suffix = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    (library / f"libggml-cuda{suffix}").write_text("no library")
    silent_child("cuda", tmp_path / "engine.log")


def silent_child(plug_in: str, log: Path) -> None:
    """A child that does not load this plug-in and says nothing of it, at the level that a user has."""
    with Engine(log, log_level="warning").start() as engine:
        hello = engine.expect(Hello)
        assert plug_in not in hello.backends
        engine.load()
    assert log.read_text() == ""


@needs_compiler
def test_a_driver_that_ends_the_child_can_be_left_alone(library: Path) -> None:
    compile_library(library, "ggml-vulkan", "__builtin_trap();")
    with Engine().start() as engine:
        assert engine.lost(PATIENCE_S).code is ErrorCode.ENGINE_START_FAILED
    client = EngineClient(graphics=False)
    client.start()
    try:
        report = client.receive(PATIENCE_S)
        assert isinstance(report, Hello)
        assert len(report.backends) == 1
    finally:
        client.close()
