"""Builds llama-bench and llama-server, which the benchmarks compare Alcove with.

    .venv/bin/python scripts/build_peers.py [--jobs N]

Both come from the llama.cpp that llama-cpp-python's own source archive carries, with the flags of the installed
wheel. Only the programs themselves are built: they run on the wheel's libllama and ggml and on the processor variant
that the engine has chosen (`assemble`), so that a ratio compares Alcove with llama.cpp and not two builds of it. The
result lies beside the wheels in the build cache, under the same key; only the first run compiles, some minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts import build_llama
from scripts.build_llama import Recipe
from scripts.steps import SetUpError, run, say

PROGRAMS = ("llama-bench", "llama-server")
LOG_NAME = "build-peers.log"

# What differs from the wheel's build. The processor's parts and other backends are the wheel's own, linked in by
# `assemble`; the server's web pages are not in the archive and would be downloaded.
OWN_FLAGS = {
    "BUILD_SHARED_LIBS": "ON",
    "CMAKE_BUILD_WITH_INSTALL_RPATH": "ON",
    "CMAKE_INSTALL_RPATH": "@loader_path" if sys.platform == "darwin" else "$ORIGIN",
    "GGML_BLAS": "OFF",
    "GGML_CPU": "OFF",
    "GGML_CPU_ALL_VARIANTS": "OFF",
    "GGML_CUDA": "OFF",
    "GGML_METAL": "OFF",
    "GGML_VULKAN": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_BUILD_COMMON": "ON",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_SERVER": "ON",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_TOOLS": "ON",
    "LLAMA_BUILD_UI": "OFF",
    "LLAMA_USE_PREBUILT_UI": "OFF",
}


def program(folder: Path, name: str) -> Path:
    """The path of a program in a folder."""
    return folder / (f"{name}.exe" if os.name == "nt" else name)


def cmake_flags(wheel: Recipe) -> dict[str, str]:
    """The wheel's own CMake settings with those above on top; where it would be installed does not matter."""
    flags: dict[str, str] = {}
    for key, value in wheel.flags:
        if key == "cmake.build-type":
            flags["CMAKE_BUILD_TYPE"] = value
        elif key.startswith("cmake.define.CMAKE_INSTALL_"):
            continue
        elif key.startswith("cmake.define."):
            flags[key.removeprefix("cmake.define.")] = value
    return flags | OWN_FLAGS


def peers_folder(wheel: Recipe) -> Path:
    """Where the programs of this wheel's build are kept."""
    digest = hashlib.sha256(json.dumps(sorted(cmake_flags(wheel).items())).encode()).hexdigest()[:8]
    return build_llama.cache_folder() / f"{wheel.key}-peers-{digest}"


def ensure_peers(wheel: Recipe, *, uv: Path, python: Path, jobs: int = 0) -> Path:
    """The folder of the programs that belong to this wheel: from the cache, or built now and kept there.

    ``jobs`` compilers run at once, 0 for as many as there are cores. Raises SetUpError.
    """
    place = peers_folder(wheel)
    if all(program(place, name).exists() for name in PROGRAMS):
        return place
    cache = build_llama.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    say(f"Building {' and '.join(PROGRAMS)} of {build_llama.PACKAGE} {wheel.version}: some minutes, once")
    with tempfile.TemporaryDirectory(prefix="peers-", dir=cache) as temporary:
        work = Path(temporary)
        tools, tools_python = build_llama.make_tools(work, uv=uv, python=python)
        source = unpack(fetch_archive(wheel, work, tools_python))
        variables = build_llama.build_environment(tools)
        build = work / "build"
        settings = [f"-D{name}={value}" for name, value in sorted(cmake_flags(wheel).items())]
        cmake = str(tools / ("Scripts/cmake.exe" if os.name == "nt" else "bin/cmake"))
        log = cache / LOG_NAME
        build_llama.compile_wheel(
            [cmake, "-G", "Ninja", "-S", str(source), "-B", str(build), *settings], variables, log
        )
        command = [cmake, "--build", str(build), "--target", *PROGRAMS, "--parallel"]
        build_llama.compile_wheel([*command, *([str(jobs)] if jobs else [])], variables, log)
        out = work / "out"
        out.mkdir()
        for file in (build / "bin").iterdir():
            if is_own(file.name):
                shutil.move(file, out / file.name)
        build_llama.keep(out, place, f"{PROGRAMS[-1]}*")
    return place


def fetch_archive(wheel: Recipe, work: Path, tools_python: Path) -> Path:
    """Download the source archive, checked against its hash, as the wheel's build does."""
    line = work / "requirement.txt"
    line.write_text(build_llama.requirement_line(wheel), encoding="utf-8")
    command = [tools_python, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation"]
    command += ["--no-binary", build_llama.PACKAGE, "--disable-pip-version-check"]
    run([*command, "--dest", work / "archive", "--require-hashes", "-r", line])
    return next((work / "archive").glob("*.tar.gz"))


def unpack(archive: Path) -> Path:
    """Unpack the archive beside itself; returns the folder of llama.cpp in it."""
    with tarfile.open(archive) as packed:
        packed.extractall(archive.parent, filter="data")
    found = next(archive.parent.glob("*/vendor/llama.cpp/CMakeLists.txt"), None)
    if found is None:
        raise SetUpError("The source archive of llama-cpp-python has no llama.cpp where it used to be.")
    return found.parent


def is_own(name: str) -> bool:
    """Whether a built file belongs to the programs; libllama and ggml are taken from the wheel."""
    stem = name.removeprefix("lib")
    return not stem.startswith("ggml") and not stem.startswith("llama.")


def assemble(peers: Path, libraries: Path, variant: str, folder: Path) -> Path:
    """Make ``folder`` the place that the programs run in: their own files, the wheel's ``libraries``, and of its
    processor variants the named one alone ("" for a build without variants), because ggml loads the one it scores
    best from the folder of the program. Returns the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in peers.iterdir():
        # Hard links or copies: a program that is a symbolic link would look beside its target.
        place(file, folder / file.name, symbolic=False)
    for file in libraries.iterdir():
        name = file.name.removeprefix("lib").partition(".")[0]
        if name.startswith("ggml-cpu-") and name != f"ggml-cpu-{variant}":
            continue
        if name == "llama" or name.startswith("ggml"):
            place(file, folder / file.name, symbolic=os.name != "nt")
    return folder


def place(file: Path, target: Path, *, symbolic: bool) -> None:
    """Link a file, or copy it where that is not possible."""
    try:
        if symbolic:
            target.symlink_to(file)
        else:
            target.hardlink_to(file)
    except OSError:
        shutil.copy2(file, target)


def main(argv: list[str] | None = None) -> int:
    from scripts import environment

    parser = argparse.ArgumentParser(description="Build llama-bench and llama-server for the benchmarks.")
    parser.add_argument("--jobs", type=int, default=0, help="compilers at once (default: one for each core)")
    arguments = parser.parse_args(argv)
    try:
        if not environment.tool("uv").exists():
            raise SetUpError("There is no environment yet: run python3 scripts/run.py --setup-only.")
        wheel = build_llama.recipe(build_llama.read_pyproject(), build_llama.default_backend())
        print(ensure_peers(wheel, uv=environment.tool("uv"), python=environment.venv_python(), jobs=arguments.jobs))
    except SetUpError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
