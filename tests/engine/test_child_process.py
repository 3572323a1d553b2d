"""What a child's process is given: a log of the wanted level, and threads that sleep soon."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.engine import DEMO, started


def logged(path: Path, level: str, model: Path) -> str:
    """The log of a child that loads a file, or fails to."""
    with started(path, log_level=level) as engine:
        if model == DEMO:
            engine.load(model)
        else:
            engine.failure(model)
    return path.read_text(encoding="utf-8")


def test_the_log_holds_what_its_level_says(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.gguf"
    assert "llama_model_loader" in logged(tmp_path / "debug.log", "debug", DEMO)
    info = logged(tmp_path / "info.log", "info", DEMO)
    assert "backends: " in info
    assert "llama_model_loader" not in info
    warning = logged(tmp_path / "warning.log", "warning", nothing)
    assert "WARNING" in warning
    assert "backends: " not in warning
    assert logged(tmp_path / "error.log", "error", nothing) == ""


def test_what_llama_says_of_a_failure_is_logged_at_every_level(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(DEMO.read_bytes().replace(b"output_norm.weight", b"output_nerm.weight"))
    assert "output_norm.weight" in logged(tmp_path / "error.log", "error", broken)


@pytest.mark.skipif(sys.platform != "linux", reason="GNU's OpenMP is used in Linux alone")
@pytest.mark.parametrize(
    ("given", "used"),
    [({}, "100000"), ({"GOMP_SPINCOUNT": "77"}, "77"), ({"OMP_WAIT_POLICY": "passive"}, "0")],
    ids=["ours", "theirs", "policy"],
)
def test_threads_that_wait_for_each_other_sleep_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], used: str
) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_DISPLAY_ENV", "verbose")  # OpenMP says on stderr, which is the log, what it has read
    with started(tmp_path / "engine.log"):
        pass
    text = (tmp_path / "engine.log").read_text(encoding="utf-8")
    if "OPENMP DISPLAY ENVIRONMENT BEGIN" not in text:
        pytest.skip("this llama.cpp is built without OpenMP")
    assert f"GOMP_SPINCOUNT = '{used}'" in text
