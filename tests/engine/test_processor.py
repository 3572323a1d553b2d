"""The processor's name and identity."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.engine.processor import processor_identity, processor_name
from tests.support.file_tree import grow

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have calls, not files, for this")

EPYC = "processor\t: 0\nmodel name\t: AMD EPYC  9B14\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nmodel name\t: other\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        (EPYC, "AMD EPYC 9B14"),
        (ARM + "Model\t: Raspberry Pi 5\n", "Raspberry Pi 5"),
        (ARM, ""),
        ("cpu\t\t: POWER9, altivec supported\n", "POWER9, altivec supported"),
        ("", ""),
    ],
)
def test_the_name_comes_from_cpuinfo(cpuinfo: str, expected: str, tmp_path: Path) -> None:
    assert processor_name(grow(tmp_path, {"proc/cpuinfo": cpuinfo})) == expected


def test_without_cpuinfo_there_is_no_name(tmp_path: Path) -> None:
    assert processor_name(tmp_path) == ""


def test_the_identity_changes_with_what_decides_the_code(tmp_path: Path) -> None:
    texts = [EPYC, EPYC.replace("avx2", "avx2 amx_tile"), ARM, ARM.replace("0xd40", "0xd41"), ARM.replace("fp ", "")]
    trees = [grow(tmp_path / str(number), {"proc/cpuinfo": text}) for number, text in enumerate(texts)]
    assert len({processor_identity(tree) for tree in trees}) == len(texts)


def test_the_identity_stays_when_only_clocks_change(tmp_path: Path) -> None:
    one = grow(tmp_path / "1", {"proc/cpuinfo": EPYC + "cpu MHz\t: 2596.1\n"})
    two = grow(tmp_path / "2", {"proc/cpuinfo": EPYC + "cpu MHz\t: 3100.7\n"})
    assert processor_identity(one) == processor_identity(two)
