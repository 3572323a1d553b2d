"""Builds llama-cpp-python from its source archive, portable, and installs it into the environment.

    python3 scripts/build_llama.py [--backend cpu|metal|cuda|vulkan] [--python PATH] [--no-install]

Every build has all processor variants. vulkan and cuda add a plug-in that is loaded where its driver is there. vulkan
needs glslc, Vulkan's headers and SPIRV-Headers (VULKAN_SDK names the folder that has them in include, lib, bin and
share, where the system's are missing or too old); cuda needs nvcc (CUDACXX names it) and is compiled for the cards in
this machine, or for all kinds where there is none (CUDAARCHS chooses, as CMake has it).

A plain install of llama-cpp-python compiles for the processor it runs on and dies on another. The version and
the flags stand in pyproject.toml alone; the archive's hash stands in requirements/llama.txt. A wheel is kept
per version, flags, compiler settings and platform in the user's cache folder (or ALCOVE_BUILD_CACHE), so that
only the first run compiles: about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import tomllib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts import build_needs
from scripts.steps import ROOT, SetUpError, run, say

PACKAGE = "llama-cpp-python"
BACKENDS = ("cpu", "metal", "cuda", "vulkan")
LOG_NAME = "build.log"
# These decide what a compiler makes, so a wheel built under other values is another wheel.
COMPILER_VARIABLES = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "MACOSX_DEPLOYMENT_TARGET")
# These would add flags of their own; the flags live in pyproject.toml alone.
STRAY_VARIABLES = ("CMAKE_ARGS", "CMAKE_GENERATOR", "FORCE_CMAKE")
SECONDS_WITHOUT_WORD = 60.0
# What a build takes on two cores. Vulkan compiles its 150 programs for graphics cards, CUDA 150 files of templates.
DURATIONS = {
    "cpu": "about ten minutes",
    "metal": "about ten minutes",
    "vulkan": "about twenty minutes",
    "cuda": "an hour or two",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """One build of llama-cpp-python: everything that decides what comes out, and the key it is kept under."""

    version: str
    sha256: tuple[str, ...]
    backend: str
    flags: tuple[tuple[str, str], ...]
    system: str
    compiler: tuple[tuple[str, str], ...] = ()
    key: str = field(init=False)

    def __post_init__(self) -> None:
        parts = [self.version, self.sha256, self.flags, self.system, self.compiler]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
        object.__setattr__(self, "key", f"{self.version}-{self.backend}-{self.system}-{digest}")


def read_pyproject(root: Path = ROOT) -> dict[str, Any]:
    """The content of pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def pinned_version(pyproject: Mapping[str, Any]) -> str:
    """The version of llama-cpp-python among the program's dependencies."""
    for requirement in pyproject["project"]["dependencies"]:
        if match := re.fullmatch(rf"{PACKAGE}\s*==\s*([\w.]+)", requirement):
            return match[1]
    raise SetUpError(f"pyproject.toml does not pin {PACKAGE} to one version.")


def build_flags(pyproject: Mapping[str, Any], backend: str, system: str = sys.platform) -> dict[str, str]:
    """The build's settings: the table that uv reads too, with the system's and the backend's own on top.

    Tables of systems, and those inside a backend's table, are named after a `sys.platform` and count there alone.
    """
    tools = pyproject["tool"]
    own = tools["alcove"]
    flags = dict(tools["uv"]["config-settings-package"][PACKAGE])
    flags.update(own.get("llama-systems", {}).get(system, {}))
    backends = own["llama-backends"]
    if backend not in backends:
        raise SetUpError(f"There is no backend {backend}; there are {', '.join(backends)}.")
    for key, value in backends[backend].items():
        if isinstance(value, str):
            flags[key] = value
        elif key == system:
            flags.update(value)
    return flags


def archive_hashes(requirement: str, version: str) -> tuple[str, ...]:
    """The sha256 of the source archive, from the text of requirements/llama.txt of the same version."""
    if f"{PACKAGE}=={version}" not in requirement:
        raise SetUpError("requirements/llama.txt is of another version: run python3 scripts/lock.py.")
    return tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", requirement))


def system_name() -> str:
    """The platform that a wheel built here runs on, with the C library's version where that matters."""
    libc = "".join(platform.libc_ver()) if sys.platform.startswith("linux") else ""
    return re.sub(r"[^\w.]+", "_", f"{sysconfig.get_platform()}_{libc}".strip("_"))


def default_backend() -> str:
    """Metal where every machine has it, else the processor."""
    return "metal" if sys.platform == "darwin" and platform.machine() == "arm64" else "cpu"


def recipe(pyproject: Mapping[str, Any], backend: str) -> Recipe:
    """The build that pyproject.toml asks for on this machine."""
    version = pinned_version(pyproject)
    flags = build_flags(pyproject, backend)
    if backend == "cuda" and (architectures := os.environ.get("CUDAARCHS") or build_needs.card_architectures()):
        flags["cmake.define.CMAKE_CUDA_ARCHITECTURES"] = architectures
    requirement = (ROOT / "requirements" / "llama.txt").read_text(encoding="utf-8")
    return Recipe(
        version=version,
        sha256=archive_hashes(requirement, version),
        backend=backend,
        flags=tuple(sorted(flags.items())),
        system=system_name(),
        compiler=tuple((name, os.environ[name]) for name in COMPILER_VARIABLES if os.environ.get(name)),
    )


def cache_folder(environment: Mapping[str, str] = os.environ, system: str = sys.platform) -> Path:
    """Where built wheels are kept: `ALCOVE_BUILD_CACHE`, or the user's cache folder."""
    if folder := environment.get("ALCOVE_BUILD_CACHE"):
        return Path(folder)
    home = Path.home()
    if system == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local") / "alcove-build"
    if system == "darwin":
        return home / "Library" / "Caches" / "alcove-build"
    return Path(environment.get("XDG_CACHE_HOME") or home / ".cache") / "alcove-build"


def cached_wheel(wanted: Recipe) -> Path | None:
    """The wheel of this very recipe, if it was built before."""
    return next(iter(sorted((cache_folder() / wanted.key).glob("*.whl"))), None)


def requirement_line(wanted: Recipe) -> str:
    """The requirement that makes pip check the archive's hash and pass the settings on.

    Settings on pip's command line do not reach requirements from a file, so they stand in the line itself.
    """
    hashes = [f"--hash=sha256:{value}" for value in wanted.sha256]
    settings = [f'--config-settings="{key}={value}"' for key, value in wanted.flags]
    return " ".join([f"{PACKAGE}=={wanted.version}", *hashes, *settings]) + "\n"


def build_environment(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that the build sees: its own tools first, and no flags from elsewhere."""
    cleaned = {
        name: value
        for name, value in environment.items()
        if name not in STRAY_VARIABLES and not name.startswith("SKBUILD_")
    }
    tools = folder / ("Scripts" if os.name == "nt" else "bin")
    cleaned["PATH"] = os.pathsep.join([str(tools), cleaned.get("PATH", "")])
    cleaned["VIRTUAL_ENV"] = str(folder)
    return cleaned


@dataclass(slots=True)
class Progress:
    """Turns the build's lines into words for who waits: on a terminal one line that changes, else one a
    tenth.
    """

    stream: TextIO
    terminal: bool
    started: float
    done: int = 0
    total: int = 0
    spoken: float = 0.0
    tenth: int = -1

    def feed(self, line: str, now: float) -> None:
        """Look at one line of output; `now` is in seconds on the clock of `started`."""
        if match := re.search(r"\[(\d+)/(\d+)\]", line):
            self.done, self.total = int(match[1]), int(match[2])
            tenth = self.done * 10 // max(self.total, 1)
            if self.terminal or tenth > self.tenth:
                self.tenth = tenth
                self.show(now)

    def tick(self, now: float) -> None:
        """Called every second: shows that a long silence is not the end."""
        if self.terminal or now - self.spoken >= SECONDS_WITHOUT_WORD:
            self.show(now)

    def show(self, now: float) -> None:
        """Write where the build stands."""
        elapsed = now - self.started
        text = f"Compiling llama.cpp: {self.done} of {self.total}" if self.total else "Preparing to compile llama.cpp"
        text += f", {elapsed // 60:.0f}:{elapsed % 60:02.0f} gone"
        # The first files say little about the rest.
        if self.total and self.done * 20 > self.total:
            left = elapsed * (self.total - self.done) / self.done
            text += f", about {left // 60:.0f}:{left % 60:02.0f} to go"
        self.spoken = now
        self.stream.write(f"\r\033[K{text}" if self.terminal else f"{text}\n")
        self.stream.flush()

    def close(self) -> None:
        """End the changing line."""
        if self.terminal:
            self.stream.write("\n")
            self.stream.flush()


def compile_wheel(command: list[str], environment: Mapping[str, str], log: Path) -> None:
    """Run the build with its output in `log` and its progress on stderr.

    Raises SetUpError with the end of the output when it fails.
    """
    progress = Progress(sys.stderr, sys.stderr.isatty(), time.monotonic(), spoken=time.monotonic())
    last: deque[str] = deque(maxlen=40)
    lock = threading.Lock()
    over = threading.Event()

    def tick() -> None:
        while not over.wait(1.0):
            with lock:
                progress.tick(time.monotonic())

    ticker = threading.Thread(target=tick, name="build-progress")
    ticker.start()
    try:
        with (
            log.open("w", encoding="utf-8") as output,
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                text=True,
                errors="replace",
                # A group of its own: the compilers end with it.
                start_new_session=os.name != "nt",
            ) as process,
        ):
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    output.write(line)
                    last.append(line)
                    with lock:
                        progress.feed(line, time.monotonic())
            except BaseException:
                end_group(process)
                raise
    finally:
        over.set()
        ticker.join()
        progress.close()
    if process.returncode != 0:
        raise SetUpError(f"{''.join(last)}\nllama.cpp was not built. The whole output is in {log}.")


def end_group(process: subprocess.Popen[str]) -> None:
    """End an interrupted build with everything that it has started."""
    if os.name == "nt":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGTERM)


def ensure_wheel(wanted: Recipe, *, uv: Path, python: Path) -> Path:
    """The wheel of this recipe: from the cache, or built now and kept there.

    `uv` makes the throw-away environment of the build tools, with `python` in it. Raises SetUpError.
    """
    if wheel := cached_wheel(wanted):
        return wheel
    if sys.platform == "win32" and not has_visual_studio():
        raise SetUpError(
            "This Windows lacks a C++ compiler. Install the Visual Studio Build Tools with the workload "
            '"Desktop development with C++", then start again.'
        )
    build_needs.require(wanted.backend)
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    say(f"Building {PACKAGE} {wanted.version} ({wanted.backend}): {DURATIONS[wanted.backend]} on two cores, once")
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as temporary:
        work = Path(temporary)
        tools, tools_python = make_tools(work, uv=uv, python=python)
        line = work / "requirement.txt"
        line.write_text(requirement_line(wanted), encoding="utf-8")
        command = [str(tools_python), "-m", "pip", "wheel", "--verbose", "--no-deps", "--no-build-isolation"]
        # Without --no-cache-dir pip takes a wheel that was built with other flags.
        command += ["--no-cache-dir", "--no-binary", PACKAGE, "--disable-pip-version-check"]
        command += ["--wheel-dir", str(work / "out"), "--require-hashes", "-r", str(line)]
        # Inside, so that an interrupted build leaves nothing in the system's folder for temporary files.
        scratch = work / "tmp"
        scratch.mkdir()
        variables = build_environment(tools) | {"TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
        if wanted.backend == "cuda" and (nvcc := build_needs.find_nvcc()) is not None:
            variables["CUDACXX"] = str(nvcc)
        compile_wheel(command, variables, folder / LOG_NAME)
        built = next((work / "out").glob("*.whl"))
        (work / "out" / "recipe.json").write_text(json.dumps(describe(wanted), indent=1) + "\n", encoding="utf-8")
        keep(work / "out", folder / wanted.key)
    return folder / wanted.key / built.name


def make_tools(work: Path, *, uv: Path, python: Path) -> tuple[Path, Path]:
    """A throw-away environment with pip, CMake and Ninja at their pinned versions, and its interpreter."""
    tools = work / "tools"
    run([uv, "venv", "--quiet", "--no-project", "--python", python, tools])
    tools_python = tools / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    requirements = ROOT / "requirements" / "llama-build.txt"
    run([uv, "pip", "install", "--quiet", "--python", tools_python, "--require-hashes", "-r", requirements])
    return tools, tools_python


def keep(built: Path, place: Path, product: str = "*.whl") -> None:
    """Move a finished build to its place in one step; one that another run has put there meanwhile stays.

    ``product`` is the pattern of a file that shows that one is there.
    """
    try:
        built.rename(place)
    except OSError:
        if not any(place.glob(product)):
            raise


def describe(wanted: Recipe) -> dict[str, Any]:
    """The recipe for a person who looks into the cache."""
    return {
        "version": wanted.version,
        "backend": wanted.backend,
        "system": wanted.system,
        "flags": dict(wanted.flags),
        "compiler": dict(wanted.compiler),
    }


def has_visual_studio() -> bool:
    """Whether a compiler is on the path or Visual Studio's installer knows of one."""
    if shutil.which("cl") or shutil.which("clang-cl"):
        return True
    programs = os.environ.get("PROGRAMFILES(X86)", "")
    return (Path(programs) / "Microsoft Visual Studio" / "Installer" / "vswhere.exe").is_file()


def install_wheel(wheel: Path, *, uv: Path, python: Path) -> None:
    """Install the wheel without its dependencies, which the pinned requirements bring."""
    say(f"Installing {wheel.name}")
    # Without this project's settings, which forbid uv ready wheels of this package.
    command = [uv, "pip", "install", "--quiet", "--no-config", "--no-index", "--python", python]
    run([*command, "--no-deps", "--reinstall", wheel])


def main(argv: list[str] | None = None) -> int:
    # Imported here: the environment's module imports this one.
    from scripts import environment

    parser = argparse.ArgumentParser(description="Build llama-cpp-python with the flags in pyproject.toml.")
    parser.add_argument("--backend", choices=BACKENDS, default=default_backend(), help="default: %(default)s")
    parser.add_argument("--python", type=Path, default=environment.venv_python(), help="where to install it")
    parser.add_argument("--no-install", action="store_true", help="only build, and print the wheel's path")
    arguments = parser.parse_args(argv)
    try:
        if not environment.tool("uv").exists():
            raise SetUpError("There is no environment yet: run python3 scripts/run.py --setup-only.")
        wanted = recipe(read_pyproject(), arguments.backend)
        wheel = ensure_wheel(wanted, uv=environment.tool("uv"), python=arguments.python)
        if arguments.no_install:
            print(wheel)
        else:
            install_wheel(wheel, uv=environment.tool("uv"), python=arguments.python)
            if arguments.python == environment.venv_python():
                environment.write_stamp("llama", wanted.key)
                environment.write_stamp("backend", wanted.backend)
    except SetUpError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
