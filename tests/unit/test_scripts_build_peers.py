"""scripts/build_peers.py: which flags the programs are built with, where they are kept, and what they run on."""

from __future__ import annotations

import dataclasses
import os
import tarfile
from pathlib import Path

import pytest

from scripts import build_peers
from scripts.build_llama import Recipe
from scripts.steps import SetUpError

WHEEL = Recipe(
    version="1.2.3",
    sha256=("0" * 64,),
    backend="cpu",
    flags=(
        ("cmake.build-type", "Release"),
        ("cmake.define.CMAKE_INSTALL_LIBDIR", "llama_cpp/lib"),
        ("cmake.define.GGML_CPU_ALL_VARIANTS", "ON"),
        ("cmake.define.GGML_OPENMP", "ON"),
        ("wheel.exclude", "x"),
    ),
    system="linux_x86_64",
)


def test_the_programs_are_built_with_the_wheels_flags_and_without_parts_of_their_own() -> None:
    flags = build_peers.cmake_flags(WHEEL)
    assert flags["CMAKE_BUILD_TYPE"] == "Release"
    assert flags["GGML_OPENMP"] == "ON"
    assert flags["GGML_CPU"] == flags["GGML_CPU_ALL_VARIANTS"] == "OFF"
    assert flags["LLAMA_USE_PREBUILT_UI"] == "OFF"  # would be downloaded
    assert "CMAKE_INSTALL_LIBDIR" not in flags
    assert "wheel.exclude" not in flags


def test_another_wheel_has_other_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ALCOVE_BUILD_CACHE", str(tmp_path))
    place = build_peers.peers_folder(WHEEL)
    assert place.parent == tmp_path
    assert place.name.startswith(WHEEL.key)
    other = dataclasses.replace(WHEEL, flags=(("cmake.define.GGML_OPENMP", "OFF"),))
    assert build_peers.peers_folder(other) != place


def test_programs_that_are_there_are_not_built_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ALCOVE_BUILD_CACHE", str(tmp_path))
    place = build_peers.peers_folder(WHEEL)
    place.mkdir()
    for name in build_peers.PROGRAMS:
        build_peers.program(place, name).touch()
    nowhere = tmp_path / "nowhere"
    assert build_peers.ensure_peers(WHEEL, uv=nowhere, python=nowhere) == place


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("llama-bench", True),
        ("llama-server.exe", True),
        ("libllama-common.so", True),
        ("libmtmd.so", True),
        ("libllama.so", False),
        ("llama.dll", False),
        ("libggml-base.so", False),
        ("ggml.dll", False),
    ],
)
def test_libllama_and_ggml_are_the_wheels(name: str, own: bool) -> None:
    assert build_peers.is_own(name) is own


def test_the_folder_has_one_variant_and_programs_that_are_no_symbolic_links(tmp_path: Path) -> None:
    peers, wheel = tmp_path / "peers", tmp_path / "lib"
    files = {
        peers: ("llama-bench", "libllama-common.so"),
        wheel: (
            "libllama.so",
            "libggml.so",
            "libggml-base.so",
            "libggml-cpu-x64.so",
            "libggml-cpu-zen4.so",
            "other.so",
        ),
    }
    for folder, names in files.items():
        folder.mkdir()
        for name in names:
            (folder / name).write_text(name, encoding="ascii")
    run = build_peers.assemble(peers, wheel, "x64", tmp_path / "run")
    assert sorted(file.name for file in run.iterdir()) == [
        "libggml-base.so",
        "libggml-cpu-x64.so",
        "libggml.so",
        "libllama-common.so",
        "libllama.so",
        "llama-bench",
    ]
    # A program looks for its backends beside its real path.
    assert not (run / "llama-bench").is_symlink()
    assert (run / "libllama.so").read_text(encoding="ascii") == "libllama.so"


@pytest.mark.skipif(os.name == "nt", reason="links of both kinds need rights there")
def test_what_cannot_be_linked_is_copied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(_self: Path, _target: Path) -> None:
        raise OSError("another file system")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    file = tmp_path / "a"
    file.write_text("x", encoding="ascii")
    build_peers.place(file, tmp_path / "b", symbolic=False)
    assert (tmp_path / "b").read_text(encoding="ascii") == "x"


def test_llama_cpp_is_found_in_the_archive(tmp_path: Path) -> None:
    archive = pack(tmp_path, "llama_cpp_python-1/vendor/llama.cpp/CMakeLists.txt")
    assert build_peers.unpack(archive) == archive.parent / "llama_cpp_python-1" / "vendor" / "llama.cpp"


def test_an_archive_without_llama_cpp_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="has no llama"):
        build_peers.unpack(pack(tmp_path, "llama_cpp_python-1/README.md"))


def pack(folder: Path, name: str) -> Path:
    """A source archive with one file."""
    source = folder / "source"
    source.touch()
    place = folder / "archive"
    place.mkdir()
    archive = place / "x.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(source, name)
    return archive
