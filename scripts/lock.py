"""Writes requirements/: all that is installed, pinned with hashes, for Linux, macOS, Windows and Python 3.11
on.

    python3 scripts/lock.py              keep the pinned versions where pyproject.toml still allows them
    python3 scripts/lock.py --upgrade    take the newest

Needs the network and a set-up environment (`python3 scripts/run.py --setup-only`). llama-cpp-python itself is
left out of the runtime file, because scripts/build_llama.py builds it; what it depends on is in.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts import environment  # noqa: E402
from scripts.build_llama import pinned_version, read_pyproject  # noqa: E402

UV = "uv"
PYTHON = "3.11"

# What the set-up itself uses, apart from the program's own dependencies in pyproject.toml.
SET_UP_TOOLS = {
    "uv.txt": ["uv"],
    # Installs the program itself into the environment, without an isolated (and so unpinned) build.
    "build.txt": ["hatchling", "editables"],
    "llama-build.txt": ["pip", "scikit-build-core>=0.9.2", "cmake", "ninja"],
}


def compile_command(uv: Path, target: str, sources: list[str], *options: str) -> list[str]:
    """The command that pins `sources` into requirements/`target`."""
    return [
        str(uv),
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--generate-hashes",
        "--python-version",
        PYTHON,
        "--custom-compile-command",
        "python3 scripts/lock.py",
        "--output-file",
        f"requirements/{target}",
        *options,
        *sources,
    ]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--upgrade", action="store_true", help="take the newest that pyproject.toml allows")
    arguments = parser.parse_args(argv)
    upgrade = ["--upgrade"] if arguments.upgrade else []
    uv = environment.tool(UV)
    without_llama = ["--no-emit-package", "llama-cpp-python"]

    def run(command: list[str], text: str | None = None) -> None:
        print(f"Writing {command[command.index('--output-file') + 1]}", flush=True)
        subprocess.run(command, check=True, cwd=ROOT, input=text, text=True)

    run(compile_command(uv, "runtime.txt", ["pyproject.toml"], *without_llama, *upgrade))
    development = ["--extra", "dev", "--constraint", "requirements/runtime.txt", *without_llama, *upgrade]
    run(compile_command(uv, "development.txt", ["pyproject.toml"], *development))
    for target, packages in SET_UP_TOOLS.items():
        run(compile_command(uv, target, ["-"], *upgrade), "\n".join(packages))
    llama = f"llama-cpp-python=={pinned_version(read_pyproject(ROOT))}"
    # Only the source archive may match: a ready wheel would be built for another processor.
    run(compile_command(uv, "llama.txt", ["-"], "--no-deps", "--no-binary", "llama-cpp-python"), llama)
    return 0


if __name__ == "__main__":
    sys.exit(main())
