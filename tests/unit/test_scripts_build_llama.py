"""scripts/build_llama.py: what it reads, the key a wheel is kept under, what it asks pip for, what it says."""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import build_llama
from scripts.build_llama import Progress, Recipe
from scripts.steps import SetUpError

SHA = "0" * 64
PYPROJECT: dict[str, Any] = {
    "project": {"dependencies": ["msgspec>=0.20", "llama-cpp-python==1.2.3"]},
    "tool": {
        "uv": {"config-settings-package": {"llama-cpp-python": {"cmake.define.A": "ON", "cmake.define.B": "OFF"}}},
        "alcove": {
            "llama-systems": {"win32": {"cmake.define.B": "MAYBE"}},
            "llama-backends": {
                "cpu": {"darwin": {"cmake.define.METAL": "OFF"}},
                "cuda": {"cmake.define.CUDA": "ON", "cmake.define.B": "ON"},
            },
        },
    },
}
RECIPE = Recipe(version="1.2.3", sha256=(SHA,), backend="cpu", flags=(("cmake.define.A", "ON"),), system="linux_x86_64")


def test_the_version_comes_from_the_dependencies() -> None:
    assert build_llama.pinned_version(PYPROJECT) == "1.2.3"


@pytest.mark.parametrize("requirement", ["llama-cpp-python>=1.2.3", "llama-cpp-python", "other==1.2.3"])
def test_a_version_that_is_not_pinned_is_refused(requirement: str) -> None:
    with pytest.raises(SetUpError, match="pin"):
        build_llama.pinned_version({"project": {"dependencies": [requirement]}})


@pytest.mark.parametrize(
    ("backend", "system", "expected"),
    [
        ("cpu", "linux", {"cmake.define.A": "ON", "cmake.define.B": "OFF"}),
        ("cpu", "darwin", {"cmake.define.A": "ON", "cmake.define.B": "OFF", "cmake.define.METAL": "OFF"}),
        ("cpu", "win32", {"cmake.define.A": "ON", "cmake.define.B": "MAYBE"}),
        ("cuda", "win32", {"cmake.define.A": "ON", "cmake.define.B": "ON", "cmake.define.CUDA": "ON"}),
        ("cuda", "linux", {"cmake.define.A": "ON", "cmake.define.B": "ON", "cmake.define.CUDA": "ON"}),
    ],
)
def test_a_backend_adds_its_flags(backend: str, system: str, expected: dict[str, str]) -> None:
    assert build_llama.build_flags(PYPROJECT, backend, system) == expected


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(SetUpError, match="no backend abacus; there are cpu, cuda"):
        build_llama.build_flags(PYPROJECT, "abacus")


@pytest.mark.parametrize("backend", build_llama.BACKENDS)
def test_this_project_has_every_backend_and_is_portable(backend: str) -> None:
    flags = build_llama.build_flags(build_llama.read_pyproject(), backend)
    assert flags["cmake.define.GGML_NATIVE"] == "OFF"
    assert flags["cmake.define.GGML_CPU_ALL_VARIANTS"] == "ON"
    assert flags["cmake.define.CMAKE_PLATFORM_NO_VERSIONED_SONAME"] == "ON"


def test_the_pinned_archive_is_of_the_version_in_pyproject() -> None:
    recipe = build_llama.recipe(build_llama.read_pyproject(), "cpu")
    # One hash, the source archive's: a ready wheel must not fit.
    assert len(recipe.sha256) == 1


def test_a_hash_of_another_version_is_refused() -> None:
    line = f"llama-cpp-python==1.2.3 \\\n    --hash=sha256:{SHA}\n"
    assert build_llama.archive_hashes(line, "1.2.3") == (SHA,)
    with pytest.raises(SetUpError, match="lock"):
        build_llama.archive_hashes(line, "1.2.4")


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1.2.4"},
        {"sha256": ("1" * 64,)},
        {"backend": "cuda"},
        {"flags": (("cmake.define.A", "OFF"),)},
        {"flags": (("cmake.define.A", "ON"), ("cmake.define.B", "ON"))},
        {"system": "linux_aarch64"},
        {"compiler": (("CFLAGS", "-march=native"),)},
    ],
    ids=str,
)
def test_whatever_changes_the_wheel_changes_its_key(change: dict[str, Any]) -> None:
    assert dataclasses.replace(RECIPE, **change).key != RECIPE.key


def test_the_key_is_the_same_each_time_and_a_file_name() -> None:
    assert dataclasses.replace(RECIPE).key == RECIPE.key
    assert Path(RECIPE.key).name == RECIPE.key
    assert RECIPE.key.startswith("1.2.3-cpu-linux_x86_64-")


def test_compiler_settings_of_the_environment_are_part_of_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXXFLAGS", "-O1")
    recipe = build_llama.recipe(build_llama.read_pyproject(), "cpu")
    assert ("CXXFLAGS", "-O1") in recipe.compiler


@pytest.mark.parametrize(
    ("environment", "system", "expected"),
    [
        ({"ALCOVE_BUILD_CACHE": "kept"}, "linux", Path("kept")),
        ({"XDG_CACHE_HOME": "caches"}, "linux", Path("caches/alcove-build")),
        ({}, "linux", Path.home() / ".cache/alcove-build"),
        ({}, "darwin", Path.home() / "Library/Caches/alcove-build"),
        ({"LOCALAPPDATA": "local"}, "win32", Path("local/alcove-build")),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(environment: dict[str, str], system: str, expected: Path) -> None:
    assert build_llama.cache_folder(environment, system) == expected


def test_only_a_wheel_of_the_same_recipe_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ALCOVE_BUILD_CACHE", str(tmp_path))
    wheel = tmp_path / RECIPE.key / "llama_cpp_python-1.2.3-py3-none-any.whl"
    assert build_llama.cached_wheel(RECIPE) is None
    wheel.parent.mkdir()
    wheel.touch()
    assert build_llama.cached_wheel(RECIPE) == wheel
    assert build_llama.cached_wheel(dataclasses.replace(RECIPE, flags=())) is None


def test_pip_is_asked_for_the_hash_and_given_the_flags() -> None:
    assert build_llama.requirement_line(RECIPE) == (
        f'llama-cpp-python==1.2.3 --hash=sha256:{SHA} --config-settings="cmake.define.A=ON"\n'
    )


def test_no_flags_come_from_elsewhere(tmp_path: Path) -> None:
    environment = {"PATH": "p", "CMAKE_ARGS": "-DX=1", "SKBUILD_CMAKE_ARGS": "-DX=1", "CC": "gcc", "HOME": "h"}
    cleaned = build_llama.build_environment(tmp_path, environment)
    assert set(cleaned) == {"PATH", "CC", "HOME", "VIRTUAL_ENV"}
    assert cleaned["PATH"].endswith("p")
    assert cleaned["PATH"].startswith(str(tmp_path))


def spoken(terminal: bool, lines: list[tuple[float, str]]) -> str:
    """What is shown for lines of output, each with its second."""
    stream = io.StringIO()
    progress = Progress(stream, terminal, started=0.0)
    for now, line in lines:
        progress.feed(line, now)
    progress.close()
    return stream.getvalue()


def test_without_a_terminal_each_tenth_is_said_once() -> None:
    lines = [(float(n), f"  [{n}/100] /usr/bin/c++ -DX -c x.cpp") for n in range(1, 101)]
    shown = spoken(False, lines).splitlines()
    assert len(shown) == 11
    assert shown[5] == "Compiling llama.cpp: 50 of 100, 0:50 gone, about 0:50 to go"
    assert shown[-1] == "Compiling llama.cpp: 100 of 100, 1:40 gone, about 0:00 to go"


def test_on_a_terminal_one_line_changes() -> None:
    shown = spoken(True, [(1.0, "[1/4] cc"), (2.0, "note"), (130.0, "[2/4] cc")])
    assert shown.split("\r\033[K") == [
        "",
        "Compiling llama.cpp: 1 of 4, 0:01 gone, about 0:03 to go",
        "Compiling llama.cpp: 2 of 4, 2:10 gone, about 2:10 to go\n",
    ]


def test_a_long_silence_shows_life() -> None:
    stream = io.StringIO()
    progress = Progress(stream, False, started=0.0)
    for second in range(130):
        progress.tick(float(second))
    assert stream.getvalue().splitlines() == [
        "Preparing to compile llama.cpp, 1:00 gone",
        "Preparing to compile llama.cpp, 2:00 gone",
    ]


def test_a_build_that_fails_shows_the_end_of_its_output(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('[1/2] cc'); print('no such header'); raise SystemExit(3)"]
    log = tmp_path / "build.log"
    with pytest.raises(SetUpError, match=r"(?s)no such header.*build\.log"):
        build_llama.compile_wheel(command, {}, log)
    assert log.read_text() == "[1/2] cc\nno such header\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a group of processes is POSIX's")
def test_an_interrupted_build_ends_what_it_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # The guard against leaked processes, which every test runs under, is the judge.
    def interrupt(_progress: Progress, _line: str, _now: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "feed", interrupt)
    compiler = "print(1, flush=True); import time; time.sleep(600)"
    pip = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {compiler!r}])"
    command = [sys.executable, "-c", pip]
    with pytest.raises(KeyboardInterrupt):
        build_llama.compile_wheel(command, {}, tmp_path / "build.log")


def test_a_finished_build_gets_to_its_place_whole(tmp_path: Path) -> None:
    built = tmp_path / "out"
    built.mkdir()
    (built / "new.whl").touch()
    build_llama.keep(built, tmp_path / "key")
    assert [path.name for path in (tmp_path / "key").iterdir()] == ["new.whl"]


def test_a_build_that_comes_second_leaves_the_first_in_place(tmp_path: Path) -> None:
    built, place = tmp_path / "out", tmp_path / "key"
    for folder, name in ((built, "second.whl"), (place, "first.whl")):
        folder.mkdir()
        (folder / name).touch()
    build_llama.keep(built, place)
    assert [path.name for path in place.iterdir()] == ["first.whl"]


def test_a_place_that_cannot_be_taken_is_an_error(tmp_path: Path) -> None:
    built, place = tmp_path / "out", tmp_path / "key"
    for folder in (built, place):
        folder.mkdir()
        (folder / "something").touch()
    with pytest.raises(OSError, match="key"):
        build_llama.keep(built, place)
