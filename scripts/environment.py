"""The environment in `.venv`: made when missing, brought up to date when something it depends on has changed.

Standard library only: these lines run before anything is installed. All words go to stderr, because the
program that is started afterwards may have its answer alone on stdout.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts import build_llama, build_needs, system_packages
from scripts.steps import ROOT, run, say

VENV = ROOT / ".venv"
REQUIREMENTS = ROOT / "requirements"
STAMP = VENV / "alcove-setup.json"

# The files whose packages each kind of environment holds. The program's own is part of the developer's.
RUNTIME = ("build.txt", "runtime.txt")
DEVELOPMENT = (*RUNTIME, "development.txt")
# What else decides about the environment.
TOOLS = ("uv.txt", "llama.txt")


def tool(name: str) -> Path:
    """The path of a program inside the environment, whether or not it is there yet."""
    if os.name == "nt":
        return VENV / "Scripts" / f"{name}.exe"
    return VENV / "bin" / name


def venv_python() -> Path:
    """The environment's own interpreter."""
    return tool("python")


def fingerprint(files: Iterable[Path], pyproject: Mapping[str, Any], interpreter: str, extras: Sequence[str]) -> str:
    """What the environment depends on, as one hash: a stamp that differs means that something has to be done.

    Of pyproject.toml only the tables count that decide what is installed; a change of a lint rule does not.
    """
    tools: Mapping[str, Any] = pyproject.get("tool", {})
    tables = {
        "project": pyproject.get("project", {}),
        "build-system": pyproject.get("build-system", {}),
        "hatch": tools.get("hatch", {}),
        "uv": tools.get("uv", {}),
        "alcove": tools.get("alcove", {}),
    }
    digest = hashlib.sha256(json.dumps(tables, sort_keys=True).encode())
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    digest.update(json.dumps([interpreter, *extras]).encode())
    return digest.hexdigest()


def interpreter_version(venv: Path = VENV) -> str:
    """The Python version of the environment, from its `pyvenv.cfg`; empty when there is none."""
    try:
        lines = (venv / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return next((v.strip() for k, v in values.items() if k.strip() in ("version", "version_info")), "")


def read_stamps() -> dict[str, str]:
    """The fingerprints of what was set up successfully before."""
    try:
        stamps = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in stamps.items()} if isinstance(stamps, dict) else {}


def write_stamp(kind: str, value: str) -> None:
    """Remember that `kind` is set up; the file is replaced whole, so there is never half a stamp."""
    stamps = read_stamps() | {kind: value}
    part = STAMP.with_suffix(".part")
    part.write_text(json.dumps(stamps, indent=1) + "\n", encoding="utf-8")
    part.replace(STAMP)


def wanted_fingerprint(development: bool, backend: str) -> str:
    """The fingerprint that a finished set-up would have now."""
    names = DEVELOPMENT if development else RUNTIME
    files = [REQUIREMENTS / name for name in (*names, *TOOLS)]
    return fingerprint(files, build_llama.read_pyproject(ROOT), interpreter_version(), [sys.platform, backend])


def is_ready(development: bool, backend: str) -> bool:
    """Whether nothing has to be done: a few small files are read and nothing is started."""
    if not venv_python().exists():
        return False
    stamps = read_stamps()
    # A window needs more of the system than a machine without a display has got.
    if system_packages.has_display() and "display" not in stamps:
        return False
    return stamps.get("development" if development else "runtime") == wanted_fingerprint(development, backend)


def make_venv() -> None:
    """Make `.venv` with uv where the system has it, else with Python's own `venv`."""
    uv = shutil.which("uv")
    say(f"Making the environment in {VENV}")
    if uv:
        run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, VENV])
    else:
        run([sys.executable, "-m", "venv", "--clear", VENV])


def install_uv() -> None:
    """Install the pinned uv into the environment, by whichever installer is at hand."""
    say("Installing uv, which installs the rest")
    requirements = REQUIREMENTS / "uv.txt"
    uv = shutil.which("uv")
    if uv:
        command = [uv, "pip", "install", "--quiet", "--python", venv_python()]
        run([*command, "--require-hashes", "-r", requirements])
        return
    pip = [venv_python(), "-m", "pip"]
    if subprocess.run([*map(str, pip), "--version"], capture_output=True, check=False).returncode != 0:
        run([venv_python(), "-m", "ensurepip", "--default-pip"])
    run([*pip, "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", requirements])


def install_requirements(files: Sequence[str]) -> None:
    """Install the pinned packages; every archive must have one of the hashes in the files."""
    say("Installing the pinned packages (about a minute when they have to be downloaded)")
    sources = [part for name in files for part in ("-r", str(REQUIREMENTS / name))]
    run([tool("uv"), "pip", "install", "--python", venv_python(), "--require-hashes", *sources])


def install_project() -> None:
    """Install Alcove itself, so that its sources are used where they lie."""
    uv = [tool("uv"), "pip", "install", "--quiet", "--python", venv_python()]
    run([*uv, "--no-deps", "--no-build-isolation", "--reinstall-package", "alcove", "--editable", ROOT])


def set_up(*, development: bool, backend: str | None = None) -> None:
    """Bring up to date what is needed to run the program, or with `development` to check and test it.

    Does nothing, in a few milliseconds, when nothing has changed. Raises SetUpError in plain words.
    """
    backend = backend or chosen_backend()
    if is_ready(development, backend):
        return
    started = time.monotonic()
    recipe = build_llama.recipe(build_llama.read_pyproject(ROOT), backend)
    must_build = build_llama.cached_wheel(recipe) is None
    say(
        "Setting up Alcove. The first time this takes "
        + (f"{build_llama.DURATIONS[backend]}, most of it to compile llama.cpp." if must_build else "a minute or two.")
    )
    if must_build:
        build_needs.require(backend)
    needs_venv = not venv_python().exists()
    system_packages.install_missing(venv=needs_venv, compiler=must_build)
    if needs_venv:
        make_venv()
    uv_pin = (REQUIREMENTS / "uv.txt").read_text(encoding="utf-8")
    uv_stamp = hashlib.sha256(uv_pin.encode()).hexdigest()
    if not tool("uv").exists() or read_stamps().get("uv") != uv_stamp:
        install_uv()
        write_stamp("uv", uv_stamp)
    install_requirements(DEVELOPMENT if development else RUNTIME)
    install_project()
    install_llama(recipe)
    write_stamp("backend", backend)
    if system_packages.has_display():
        write_stamp("display", "yes")
    # The runtime's packages are among the developer's, so both are up to date now.
    if development:
        write_stamp("development", wanted_fingerprint(True, backend))
    write_stamp("runtime", wanted_fingerprint(False, backend))
    say(f"Set up in {time.monotonic() - started:.0f} seconds.")
    offer_cuda(backend)


def chosen_backend() -> str:
    """The backend that was asked for last, else the system's own: a later start without words changes nothing."""
    backend = read_stamps().get("backend")
    return backend if backend in build_llama.BACKENDS else build_llama.default_backend()


def offer_cuda(backend: str) -> None:
    """Where CUDA can be compiled, say how the card is used; compiling for an hour unasked would be no favour."""
    if backend == "cpu" and not build_needs.cuda_lacks():
        say(
            "This machine has NVIDIA's compiler. To have answers computed on its graphics card, run "
            f"python3 scripts/run.py --backend cuda ({build_llama.DURATIONS['cuda']} to compile, once)."
        )


def install_llama(recipe: build_llama.Recipe) -> None:
    """Install llama-cpp-python built by this recipe, unless exactly that build is there already."""
    if read_stamps().get("llama") == recipe.key and is_installed("llama_cpp"):
        return
    wheel = build_llama.ensure_wheel(recipe, uv=tool("uv"), python=venv_python())
    build_llama.install_wheel(wheel, uv=tool("uv"), python=venv_python())
    write_stamp("llama", recipe.key)


def is_installed(package: str) -> bool:
    """Whether the environment holds a package of this name."""
    return any(VENV.glob(f"lib/python*/site-packages/{package}/__init__.py")) or any(
        VENV.glob(f"Lib/site-packages/{package}/__init__.py")
    )
