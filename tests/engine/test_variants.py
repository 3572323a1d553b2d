"""The choice of the processor's variant: what dies or hangs is left out, and what works is remembered."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.engine import variants
from app.engine.client import EngineClient
from app.engine.protocol import Hello
from app.engine.variants import FILE_NAME, ProcessorVariants, library_folder
from tests.support import trial_children
from tests.support.backend_libraries import compile_library, copy_libraries, needs_compiler
from tests.support.engine import DEMO


def chooser(folder: Path | None, entry: variants.Entry = trial_children.all_fine) -> ProcessorVariants:
    """With a stand-in child."""
    return ProcessorVariants(folder, DEMO, entry=entry)


# ---- real libraries ----


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of llama.cpp's libraries that children load in place of the installed ones."""
    return copy_libraries(tmp_path, monkeypatch)


def spoil(library: Path, body: str) -> None:
    """Put a variant into the folder that calls itself the best one."""
    compile_library(library, "ggml-cpu-wrong", body)


def test_the_best_real_variant_works_and_is_what_an_engine_child_loads(tmp_path: Path) -> None:
    name = ProcessorVariants(tmp_path, DEMO).choose()
    assert name
    assert json.loads((tmp_path / FILE_NAME).read_text())["variant"] == name
    assert first_backend(name) == f"cpu-{name}"


def first_backend(variant: str) -> str:
    """What an engine child that is told to load this variant has loaded."""
    client = EngineClient(cpu_variant=variant)
    client.start()
    try:
        report = client.receive(60)
        assert isinstance(report, Hello)
        return report.backends[0]
    finally:
        client.close()


@needs_compiler
def test_a_variant_that_dies_of_an_illegal_instruction_is_left_out(
    library: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(library, "__builtin_trap();")
    name = ProcessorVariants(tmp_path, DEMO).choose()
    assert name not in ("", "wrong")
    assert any("wrong does not work here: signal SIG" in message for message in caplog.messages)
    assert first_backend(name) == f"cpu-{name}"


@needs_compiler
def test_a_variant_that_hangs_is_left_out(library: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spoil(library, "for (;;) pause();")
    name = ProcessorVariants(tmp_path, DEMO, patience_s=3).choose()
    assert name not in ("", "wrong")
    assert any("wrong does not work here: it hangs" in message for message in caplog.messages)


@needs_compiler
def test_a_variant_that_llama_cpp_does_not_take_is_left_out(library: Path, tmp_path: Path) -> None:
    spoil(library, "")
    assert ProcessorVariants(tmp_path, DEMO).choose() not in ("", "wrong")


@needs_compiler
def test_the_lowest_variant_is_enough(library: Path, tmp_path: Path) -> None:
    spoil(library, "__builtin_trap();")
    for path in library.glob("libggml-cpu-*.so"):
        if path.name not in ("libggml-cpu-wrong.so", "libggml-cpu-x64.so", "libggml-cpu-armv8.0_1.so"):
            path.unlink()
    assert ProcessorVariants(tmp_path, DEMO).choose() in ("x64", "armv8.0_1")


@needs_compiler
def test_nothing_is_chosen_where_nothing_works(library: Path, tmp_path: Path) -> None:
    for path in library.glob("libggml-cpu-*.so"):
        path.unlink()
    spoil(library, "__builtin_trap();")
    assert ProcessorVariants(tmp_path, DEMO).choose() == ""
    assert not (tmp_path / FILE_NAME).exists()


def test_the_model_that_is_tried_with_is_missing(tmp_path: Path) -> None:
    assert ProcessorVariants(tmp_path, tmp_path / "none.gguf").choose() == ""


# ---- stand-ins ----


def test_it_goes_down_until_one_works(tmp_path: Path) -> None:
    assert chooser(tmp_path, trial_children.only_plain).choose() == "plain"


def test_the_result_is_remembered_by_the_next_start(tmp_path: Path) -> None:
    assert chooser(tmp_path, trial_children.only_plain).choose() == "plain"
    assert chooser(tmp_path, trial_children.never_tried).choose() == "plain"


def test_it_is_tried_once_even_where_nothing_can_be_kept(tmp_path: Path) -> None:
    for folder in (None, tmp_path / "not there"):
        chosen = chooser(folder)
        assert [chosen.choose(), chosen.choose()] == ["best", "best"]
    assert list(tmp_path.iterdir()) == []


def other_alcove(patch: pytest.MonkeyPatch, _folder: Path) -> None:
    patch.setattr(variants, "__version__", "99.9")


def other_processor(patch: pytest.MonkeyPatch, _folder: Path) -> None:
    patch.setattr(variants, "processor_identity", lambda: "another")


def other_libraries(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("LLAMA_CPP_LIB_PATH", str(folder))


def no_libraries(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("LLAMA_CPP_LIB_PATH", str(folder / "none"))


@pytest.mark.parametrize("change", [other_alcove, other_processor, other_libraries, no_libraries])
def test_whatever_decides_is_part_of_what_is_remembered(
    change: Callable[[pytest.MonkeyPatch, Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chooser(tmp_path).choose() == "best"
    change(monkeypatch, tmp_path)
    assert chooser(tmp_path, trial_children.never_tried).choose() == "tried again"


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"key": 1, "variant": "best"}', b"\xff\xfe", b"[" * 10_000])
def test_a_damaged_memory_is_tried_again(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(damage)
    assert chooser(tmp_path, trial_children.never_tried).choose() == "tried again"


@pytest.mark.parametrize("entry", [trial_children.none_left, trial_children.garbage])
def test_without_any_that_works_the_choice_is_the_engines(entry: variants.Entry, tmp_path: Path) -> None:
    assert chooser(tmp_path, entry).choose() == ""
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="waits for the child at a named pipe of POSIX")
def test_closing_ends_a_trial(tmp_path: Path) -> None:
    model = tmp_path / "model.gguf"
    model.touch()
    os.mkfifo(model.with_suffix(".fifo"))
    chosen = ProcessorVariants(tmp_path, model, entry=trial_children.hangs)
    result: list[str] = []
    thread = threading.Thread(target=lambda: result.append(chosen.choose()))
    thread.start()
    model.with_suffix(".fifo").read_bytes()  # the trial has begun
    chosen.close()
    thread.join(30)
    assert result == [""]
    assert not (tmp_path / FILE_NAME).exists()


def test_after_closing_nothing_is_tried(tmp_path: Path) -> None:
    chosen = chooser(tmp_path)
    chosen.close()
    assert chosen.choose() == ""


def test_two_threads_try_once(tmp_path: Path) -> None:
    chosen = chooser(tmp_path)
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(chosen.choose())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == ["best", "best"]


def test_llama_cpp_that_is_not_installed_has_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLAMA_CPP_LIB_PATH", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert library_folder() is None
