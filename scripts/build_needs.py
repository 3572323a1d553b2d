"""What llama.cpp's backends for graphics cards need to be compiled, and whether this machine has it.

Looked at before a build starts, because CMake's own words come after minutes and name no package.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.steps import SetUpError

# llama.cpp uses VK_EXT_layer_settings, which is in Vulkan's headers from 1.3.272 on; Debian 12's are older.
_HEADER_MARK = "VkLayerSettingEXT"

_VULKAN_PACKAGES = """
    Debian 13, Ubuntu 24.04   sudo apt-get install libvulkan-dev glslc spirv-headers
    Fedora                    sudo dnf install vulkan-loader-devel vulkan-headers glslc spirv-headers-devel
    Arch Linux                sudo pacman -S vulkan-icd-loader vulkan-headers shaderc spirv-headers

Elsewhere install the Vulkan SDK and set VULKAN_SDK to its folder, the one that has include, lib, bin and share.
"""

_CUDA_PLACES = ("usr/local/cuda", "opt/cuda")


def require(backend: str, environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> None:
    """Raise SetUpError, with what to install, where this machine cannot compile the backend."""
    if backend == "metal" and sys.platform != "darwin":
        raise SetUpError("Metal is Apple's: this backend is built on a Mac.")
    if backend == "vulkan" and (lacking := vulkan_lacks(environment, root)):
        names = ", ".join(lacking)
        raise SetUpError(f"To compile llama.cpp for Vulkan this machine lacks {names}.\n{_VULKAN_PACKAGES}")
    if backend == "cuda" and (lacking := cuda_lacks(environment, root)):
        names = " and ".join(lacking)
        raise SetUpError(
            f"To compile llama.cpp for CUDA this machine lacks {names}. Install the CUDA toolkit, 12.4 or later "
            "(Debian and Ubuntu: sudo apt-get install nvidia-cuda-toolkit), then start again. Where it is in a place "
            "of its own, set CUDACXX to nvcc's path and CUDAToolkit_ROOT to its folder."
        )


def vulkan_lacks(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> list[str]:
    """What is missing for Vulkan, by name. ``root`` is the file system's."""
    sdk = environment.get("VULKAN_SDK", "")
    prefixes = [*([Path(sdk)] if sdk else []), root / "usr", root / "usr/local"]
    tools = os.pathsep.join([*([str(Path(sdk) / "bin")] if sdk else []), environment.get("PATH", "")])
    lacking: list[str] = []
    if shutil.which("glslc", path=tools) is None and shutil.which("glslc", path=str(Path(sdk, "Bin"))) is None:
        lacking.append("the shader compiler glslc")
    if not any(_new_enough(header) for header in _headers(prefixes)):
        lacking.append("Vulkan's headers, 1.3.272 or later")
    if sys.platform != "win32":  # where the SDK has all the rest
        if not _any_file(prefixes, "lib/libvulkan.*", "lib64/libvulkan.so", "lib/*/libvulkan.so"):
            lacking.append("Vulkan's loader for compiling")
        config = "cmake/SPIRV-Headers/SPIRV-HeadersConfig.cmake"
        if not _any_file(prefixes, f"share/{config}", f"lib/{config}", f"lib64/{config}"):
            lacking.append("SPIRV-Headers")
    return lacking


def _headers(prefixes: list[Path]) -> Iterator[Path]:
    for prefix in prefixes:
        for include in ("include", "Include"):
            yield prefix / include / "vulkan" / "vulkan_core.h"


def _new_enough(header: Path) -> bool:
    try:
        return _HEADER_MARK in header.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _any_file(prefixes: list[Path], *patterns: str) -> bool:
    return any(any(prefix.glob(pattern)) for prefix in prefixes for pattern in patterns)


def cuda_lacks(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> list[str]:
    """What is missing for CUDA, by name: some machines have the compiler alone."""
    nvcc = find_nvcc(environment, root)
    if nvcc is None:
        return ["NVIDIA's compiler, nvcc,"]
    prefixes = [nvcc.resolve().parent.parent, *_toolkits(environment, root), root / "usr"]
    if not _any_file(prefixes, "include/cublas_v2.h", "targets/*/include/cublas_v2.h"):
        return ["cuBLAS"]
    return []


def find_nvcc(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> Path | None:
    """NVIDIA's compiler: what CUDACXX names, else on the path or in CUDA's own folders."""
    if given := environment.get("CUDACXX"):
        return Path(given) if Path(given).is_file() else None
    folders = [environment.get("PATH", ""), *(str(toolkit / "bin") for toolkit in _toolkits(environment, root))]
    found = shutil.which("nvcc", path=os.pathsep.join(folders))
    return Path(found) if found else None


def _toolkits(environment: Mapping[str, str], root: Path) -> list[Path]:
    """Where a CUDA toolkit may be, but for what the path says."""
    named = [environment[name] for name in ("CUDAToolkit_ROOT", "CUDA_PATH") if environment.get(name)]
    return [*map(Path, named), *(root / place for place in _CUDA_PLACES)]


def card_architectures() -> str:
    """CMake's name for the kinds of NVIDIA cards in this machine, "86-real;89-real"; "" where none answers.

    Compiled for these alone, CUDA takes a fifth of the time that it takes for all.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    command = [program, "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return parse_capabilities(answer.stdout) if answer.returncode == 0 else ""


def parse_capabilities(text: str) -> str:
    """ "8.6" on a line for each card, to CMake's list."""
    found = {int(match[1] + match[2]) for match in re.finditer(r"^\s*(\d+)\.(\d)\s*$", text, re.MULTILINE)}
    return ";".join(f"{capability}-real" for capability in sorted(found))
