"""Copies of llama.cpp's libraries with one more in it, for tests of backends that fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.engine.variants import library_folder

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or COMPILER is None, reason="needs Linux and a C compiler, for a library that goes wrong"
)

# What a backend's library has to have, as far as it gets.
SOURCE = """
#include <unistd.h>
int ggml_backend_score(void) {{ return 1 << 30; }}
void * ggml_backend_init(void) {{ {body} return 0; }}
"""


def copy_libraries(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """A copy that children load in place of the installed libraries."""
    installed = library_folder()
    assert installed is not None
    copy = folder / "lib"
    shutil.copytree(installed, copy)
    patch.setenv("LLAMA_CPP_LIB_PATH", str(copy))
    return copy


def compile_library(folder: Path, name: str, body: str, *options: str) -> None:
    """Add lib``name``.so, whose start runs ``body``."""
    assert COMPILER is not None
    source = folder / f"{name}.c"
    source.write_text(SOURCE.format(body=body))
    command = [COMPILER, "-shared", "-fPIC", "-o", str(folder / f"lib{name}.so"), str(source), *options]
    subprocess.run(command, check=True)
    source.unlink()
