"""scripts/build_needs.py: what a machine lacks to compile llama.cpp for a graphics card, from trees of files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from scripts import build_llama, build_needs
from scripts.steps import SetUpError
from tests.support.file_tree import grow

posix = pytest.mark.skipif(os.name == "nt", reason="folders as POSIX has them")

OLD = "#define VK_HEADER_VERSION 239\n"
NEW = "#define VK_HEADER_VERSION 309\ntypedef struct VkLayerSettingEXT {\n"
SYSTEM = {
    "usr/include/vulkan/vulkan_core.h": NEW,
    "usr/lib/x86_64-linux-gnu/libvulkan.so": "",
    "usr/share/cmake/SPIRV-Headers/SPIRV-HeadersConfig.cmake": "",
    "usr/bin/glslc": "#!/bin/sh\n",
}
# As Debian 13's packages lie when they are unpacked aside, with a loader in place of the SDK's.
SDK = {
    "include/vulkan/vulkan_core.h": NEW,
    "lib/libvulkan.so": "",
    "share/cmake/SPIRV-Headers/SPIRV-HeadersConfig.cmake": "",
    "bin/glslc": "#!/bin/sh\n",
}


def machine(root: Path, files: dict[str, str]) -> dict[str, str]:
    """Write the files, programs among them executable; the variables of such a machine."""
    for program in grow(root, files).rglob("bin/*"):
        program.chmod(0o755)
    return {"PATH": str(root / "usr/bin")}


@posix
def test_a_machine_with_everything_lacks_nothing(tmp_path: Path) -> None:
    environment = machine(tmp_path, SYSTEM)
    assert build_needs.vulkan_lacks(environment, tmp_path) == []
    build_needs.require("vulkan", environment, tmp_path)


@posix
@pytest.mark.parametrize(
    ("missing", "word"),
    [
        ("usr/bin/glslc", "glslc"),
        ("usr/include/vulkan/vulkan_core.h", "headers"),
        ("usr/lib/x86_64-linux-gnu/libvulkan.so", "loader"),
        ("usr/share/cmake/SPIRV-Headers/SPIRV-HeadersConfig.cmake", "SPIRV"),
    ],
)
def test_each_missing_thing_is_named(missing: str, word: str, tmp_path: Path) -> None:
    environment = machine(tmp_path, {name: text for name, text in SYSTEM.items() if name != missing})
    lacking = build_needs.vulkan_lacks(environment, tmp_path)
    assert len(lacking) == 1
    assert word in lacking[0]
    with pytest.raises(SetUpError, match=r"(?s)libvulkan-dev glslc spirv-headers.*VULKAN_SDK"):
        build_needs.require("vulkan", environment, tmp_path)


@posix
def test_headers_of_debian_12_are_too_old(tmp_path: Path) -> None:
    environment = machine(tmp_path, SYSTEM | {"usr/include/vulkan/vulkan_core.h": OLD})
    assert build_needs.vulkan_lacks(environment, tmp_path) == ["Vulkan's headers, 1.3.272 or later"]


@posix
def test_an_sdk_stands_in_for_the_system(tmp_path: Path) -> None:
    machine(tmp_path / "sdk", SDK)
    environment = machine(tmp_path, {"usr/include/vulkan/vulkan_core.h": OLD}) | {"VULKAN_SDK": str(tmp_path / "sdk")}
    assert build_needs.vulkan_lacks(environment, tmp_path) == []


@posix
@pytest.mark.parametrize("place", ["usr/bin", "usr/local/cuda/bin", "opt/cuda/bin", "toolkit/bin"])
def test_nvidias_compiler_is_found(place: str, tmp_path: Path) -> None:
    header = str(Path(place).parent / "include/cublas_v2.h")
    files = {f"{place}/nvcc": "#!/bin/sh\n", header: ""}
    environment = machine(tmp_path, files) | {"CUDA_PATH": str(tmp_path / "toolkit")}
    assert build_needs.find_nvcc(environment, tmp_path) == tmp_path / place / "nvcc"
    build_needs.require("cuda", environment, tmp_path)


@posix
def test_a_compiler_without_the_rest_of_the_toolkit_is_not_enough(tmp_path: Path) -> None:
    environment = machine(tmp_path, {"usr/bin/nvcc": "#!/bin/sh\n"})
    with pytest.raises(SetUpError, match="lacks cuBLAS"):
        build_needs.require("cuda", environment, tmp_path)


@posix
def test_the_libraries_of_a_packaged_toolkit_are_found(tmp_path: Path) -> None:
    files = {"usr/bin/nvcc": "#!/bin/sh\n", "usr/local/cuda/targets/x86_64-linux/include/cublas_v2.h": ""}
    assert build_needs.cuda_lacks(machine(tmp_path, files), tmp_path) == []


@posix
def test_a_compiler_that_is_named_counts_alone(tmp_path: Path) -> None:
    environment = machine(tmp_path, {"usr/bin/nvcc": "#!/bin/sh\n", "mine/nvcc": ""})
    named = tmp_path / "mine/nvcc"
    assert build_needs.find_nvcc(environment | {"CUDACXX": str(named)}, tmp_path) == named
    assert build_needs.find_nvcc(environment | {"CUDACXX": str(named / "no")}, tmp_path) is None


def test_without_nvidias_compiler_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="nvidia-cuda-toolkit"):
        build_needs.require("cuda", {"PATH": str(tmp_path)}, tmp_path)


@pytest.mark.skipif(sys.platform == "darwin", reason="Macs have Metal")
def test_metal_is_for_macs(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="Apple"):
        build_needs.require("metal", {}, tmp_path)


def test_the_processor_needs_nothing_more(tmp_path: Path) -> None:
    build_needs.require("cpu", {}, tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8.6\n", "86-real"),
        ("8.9\n8.6\n8.9\n", "86-real;89-real"),
        ("12.0\n9.0\n", "90-real;120-real"),
        ("", ""),
        ("No devices were found\n", ""),
    ],
)
def test_capabilities_become_architectures(text: str, expected: str) -> None:
    assert build_needs.parse_capabilities(text) == expected


@pytest.mark.parametrize(
    ("status", "expected"), [(0, "90-real"), (9, "")], ids=["a card answers", "the driver is not there"]
)
def test_cards_are_asked_for_what_they_are(monkeypatch: pytest.MonkeyPatch, status: int, expected: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, **_: name)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: CompletedProcess([], status, stdout="9.0\n"))
    assert build_needs.card_architectures() == expected


def test_a_build_for_cuda_is_for_the_cards_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    pyproject = build_llama.read_pyproject()
    monkeypatch.delenv("CUDAARCHS", raising=False)
    monkeypatch.setattr(build_needs, "card_architectures", lambda: "")
    everywhere = build_llama.recipe(pyproject, "cuda")
    monkeypatch.setattr(build_needs, "card_architectures", lambda: "89-real")
    here = build_llama.recipe(pyproject, "cuda")
    monkeypatch.setenv("CUDAARCHS", "90")
    chosen = build_llama.recipe(pyproject, "cuda")
    key = "cmake.define.CMAKE_CUDA_ARCHITECTURES"
    assert [dict(recipe.flags).get(key) for recipe in (everywhere, here, chosen)] == [None, "89-real", "90"]
    assert len({everywhere.key, here.key, chosen.key}) == 3
    assert build_llama.recipe(pyproject, "vulkan").flags == tuple(
        sorted(build_llama.build_flags(pyproject, "vulkan").items())
    )
