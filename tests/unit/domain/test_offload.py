"""The plan for machines that people have: one row a machine, the whole plan written out."""

from dataclasses import dataclass

import pytest

from app.domain.hardware import Device, DeviceKind, Hardware
from app.domain.model_weights import ModelWeights
from app.domain.offload import Planned, Verdict, plan
from tests.support.gpt_oss_weights import GPT_OSS_20B, GPT_OSS_120B, as_quantized

GIB = 1 << 30
MIB = 1 << 20


def mac(chip: str, ram: float, free: float, working_set: int) -> Hardware:
    """GB as bought and free, and what Metal recommends as the most for the graphics, in MiB as llama.cpp reads it."""
    metal = Device("MTL0", chip, DeviceKind.INTEGRATED, "MTL", working_set * MIB, working_set * MIB)
    return Hardware("darwin", chip, 8, int(ram * GIB), int(free * GIB), (metal,))


def pc(ram: float, free: float, *devices: Device, system: str = "win32") -> Hardware:
    """GB as the system reports them, and free after some programs were started."""
    return Hardware(system, "a processor", 8, int(ram * GIB), int(free * GIB), devices)


def nvidia(model: str, total: int, free: int) -> Device:
    """MiB, as its driver reports them with a desktop on it."""
    return Device("CUDA0", f"NVIDIA GeForce {model}", DeviceKind.GRAPHICS, "CUDA", total * MIB, free * MIB)


def amd(model: str, total: int, free: int) -> Device:
    """MiB, as its driver reports them with a desktop on it."""
    return Device("Vulkan0", f"AMD Radeon {model}", DeviceKind.GRAPHICS, "Vulkan", total * MIB, free * MIB)


def integrated(description: str, total: float, free: float) -> Device:
    """GB of the main memory that its driver offers."""
    return Device("Vulkan0", description, DeviceKind.INTEGRATED, "Vulkan", int(total * GIB), int(free * GIB))


@dataclass(frozen=True, slots=True)
class Row:
    """What is expected: layers on the device, of how many the experts are not, context, how the weights stand."""

    layers: int
    experts: int
    context: int
    weights: str
    verdict: str


MACHINES = {
    "M1, 8 GB": mac("Apple M1", 8, 4.5, 5461),
    "M1, 16 GB": mac("Apple M1", 16, 10, 10_922),
    "M2, 16 GB": mac("Apple M2", 16, 10.5, 10_922),
    "M3, 16 GB, newer system": mac("Apple M3", 16, 11.5, 12_124),
    "M2, 24 GB": mac("Apple M2", 24, 17, 16_384),
    "M3 Pro, 36 GB": mac("Apple M3 Pro", 36, 28, 27_648),
    "M4 Max, 64 GB": mac("Apple M4 Max", 64, 53, 49_152),
    "M4 Max, 128 GB": mac("Apple M4 Max", 128, 115, 110_100),
    "4 GB card, 16 GB": pc(15.7, 9, nvidia("RTX 3050 Laptop GPU", 4096, 3300)),
    "6 GB card, 16 GB": pc(15.9, 9.5, nvidia("GTX 1660 SUPER", 6144, 5100)),
    "6 GB card, 32 GB": pc(31.8, 23, nvidia("RTX 2060", 6144, 5200)),
    "6 GB card, 64 GB": pc(63.7, 54, nvidia("RTX 3050", 6144, 5200)),
    "8 GB card, 8 GB": pc(7.8, 3.5, nvidia("RTX 2070", 8192, 7400)),
    "8 GB card, 16 GB": pc(15.8, 9.5, nvidia("RTX 4060", 8188, 7099)),
    "8 GB card, 32 GB": pc(31.8, 24, nvidia("RTX 4060", 8188, 7099)),
    "8 GB card, 64 GB": pc(63.7, 54, nvidia("RTX 4060", 8188, 7099)),
    "8 GB AMD card, 32 GB, Linux": pc(31.2, 27, amd("RX 7600", 8176, 7600), system="linux"),
    "10 GB card, 32 GB": pc(31.9, 24, nvidia("RTX 3080", 10_240, 9000)),
    "12 GB card, 16 GB": pc(15.9, 9.5, nvidia("RTX 3060", 12_288, 11_200)),
    "12 GB card, 32 GB": pc(31.2, 23, nvidia("RTX 5070", 12_226, 11_013)),
    "12 GB card, 64 GB": pc(63.7, 52, nvidia("RTX 4070", 12_282, 11_000)),
    "16 GB card, 16 GB": pc(15.9, 9.5, nvidia("RTX 4060 Ti", 16_380, 15_100)),
    "16 GB card, 32 GB": pc(31.8, 24, nvidia("RTX 4080", 16_376, 15_225)),
    "16 GB AMD card, 64 GB, Linux": pc(62.7, 55, amd("RX 7800 XT", 16_368, 15_700), system="linux"),
    "24 GB card, 16 GB": pc(15.9, 9.5, nvidia("RTX 3090", 24_576, 23_200)),
    "24 GB card, 32 GB, Linux": pc(31.3, 27, nvidia("RTX 3090", 24_576, 23_500), system="linux"),
    "24 GB card, 64 GB": pc(63.7, 52, nvidia("RTX 4090", 24_564, 22_900)),
    "32 GB card, 96 GB": pc(95.3, 80, nvidia("RTX 5090", 32_607, 30_900)),
    "96 GB card, 128 GB, Linux": pc(125.6, 115, nvidia("RTX PRO 6000", 97_887, 95_970), system="linux"),
    "8 GB": pc(7.7, 3),
    "16 GB": pc(15.7, 8.5),
    "16 GB, Linux, nothing else running": pc(15.5, 13.8, system="linux"),
    "32 GB": pc(31.8, 24),
    "32 GB, most of it taken": pc(31.8, 10),
    "64 GB": pc(63.8, 54),
    "128 GB, Linux": pc(125.7, 118, system="linux"),
    "Intel laptop, 16 GB": pc(15.7, 8.8, integrated("Intel(R) Iris(R) Xe Graphics", 8, 7.4)),
    "Snapdragon laptop, 32 GB": pc(31.6, 23, integrated("Qualcomm(R) Adreno(TM) X1-85 GPU", 16, 15)),
    "Ryzen AI Max, 128 GB": pc(124.9, 118, integrated("Radeon 8060S Graphics (RADV)", 96, 95), system="linux"),
}

# gpu_layers counts the output matrix: 25 and 37 are all.
EXPECTED_20B = {
    "M1, 8 GB": Row(0, 0, 4096, "mapped", "too-small"),
    "M1, 16 GB": Row(22, 0, 8192, "mapped", "tight"),
    "M2, 16 GB": Row(22, 0, 8192, "mapped", "tight"),
    "M3, 16 GB, newer system": Row(23, 0, 8192, "mapped", "tight"),
    "M2, 24 GB": Row(25, 0, 65_536, "mapped", "fits"),
    "M3 Pro, 36 GB": Row(25, 0, 131_072, "mapped", "fits"),
    "M4 Max, 64 GB": Row(25, 0, 131_072, "mapped", "fits"),
    "M4 Max, 128 GB": Row(25, 0, 131_072, "mapped", "fits"),
    "4 GB card, 16 GB": Row(25, 23, 8192, "mapped", "tight"),
    "6 GB card, 16 GB": Row(25, 19, 16_384, "mapped", "fits"),
    "6 GB card, 32 GB": Row(25, 18, 16_384, "copied", "fits"),
    "6 GB card, 64 GB": Row(25, 18, 16_384, "copied", "fits"),
    "8 GB card, 8 GB": Row(25, 12, 4096, "mapped", "too-small"),
    "8 GB card, 16 GB": Row(25, 15, 32_768, "mapped", "fits"),
    "8 GB card, 32 GB": Row(25, 15, 32_768, "copied", "fits"),
    "8 GB card, 64 GB": Row(25, 15, 32_768, "copied", "fits"),
    "8 GB AMD card, 32 GB, Linux": Row(25, 13, 32_768, "copied", "fits"),
    "10 GB card, 32 GB": Row(25, 10, 32_768, "copied", "fits"),
    "12 GB card, 16 GB": Row(25, 5, 32_768, "copied", "fits"),
    "12 GB card, 32 GB": Row(25, 5, 32_768, "copied", "fits"),
    "12 GB card, 64 GB": Row(25, 5, 32_768, "copied", "fits"),
    "16 GB card, 16 GB": Row(25, 0, 32_768, "mapped", "fits"),
    "16 GB card, 32 GB": Row(25, 0, 32_768, "mapped", "fits"),
    "16 GB AMD card, 64 GB, Linux": Row(25, 0, 32_768, "mapped", "fits"),
    "24 GB card, 16 GB": Row(25, 0, 131_072, "mapped", "fits"),
    "24 GB card, 32 GB, Linux": Row(25, 0, 131_072, "mapped", "fits"),
    "24 GB card, 64 GB": Row(25, 0, 65_536, "mapped", "fits"),
    "32 GB card, 96 GB": Row(25, 0, 131_072, "mapped", "fits"),
    "96 GB card, 128 GB, Linux": Row(25, 0, 131_072, "mapped", "fits"),
    "8 GB": Row(0, 0, 4096, "mapped", "too-small"),
    "16 GB": Row(0, 0, 8192, "mapped", "tight"),
    "16 GB, Linux, nothing else running": Row(0, 0, 8192, "mapped", "fits"),
    "32 GB": Row(0, 0, 32_768, "repacked", "fits"),
    "32 GB, most of it taken": Row(0, 0, 8192, "mapped", "tight"),
    "64 GB": Row(0, 0, 32_768, "repacked", "fits"),
    "128 GB, Linux": Row(0, 0, 32_768, "repacked", "fits"),
    "Intel laptop, 16 GB": Row(0, 0, 8192, "mapped", "tight"),
    "Snapdragon laptop, 32 GB": Row(0, 0, 32_768, "repacked", "fits"),
    "Ryzen AI Max, 128 GB": Row(25, 0, 131_072, "copied", "fits"),
}
EXPECTED_120B = {
    "M1, 8 GB": Row(0, 0, 4096, "mapped", "too-small"),
    "M1, 16 GB": Row(0, 0, 4096, "mapped", "too-small"),
    "M2, 16 GB": Row(0, 0, 4096, "mapped", "too-small"),
    "M3, 16 GB, newer system": Row(0, 0, 4096, "mapped", "too-small"),
    "M2, 24 GB": Row(0, 0, 4096, "mapped", "too-small"),
    "M3 Pro, 36 GB": Row(0, 0, 4096, "mapped", "too-small"),
    "M4 Max, 64 GB": Row(26, 0, 8192, "mapped", "tight"),
    "M4 Max, 128 GB": Row(37, 0, 131_072, "mapped", "fits"),
    "4 GB card, 16 GB": Row(35, 36, 4096, "mapped", "too-small"),
    "6 GB card, 16 GB": Row(37, 35, 4096, "mapped", "too-small"),
    "6 GB card, 32 GB": Row(37, 35, 4096, "mapped", "too-small"),
    "6 GB card, 64 GB": Row(37, 35, 8192, "mapped", "tight"),
    "8 GB card, 8 GB": Row(37, 34, 4096, "mapped", "too-small"),
    "8 GB card, 16 GB": Row(37, 34, 4096, "mapped", "too-small"),
    "8 GB card, 32 GB": Row(37, 34, 4096, "mapped", "too-small"),
    "8 GB card, 64 GB": Row(37, 34, 8192, "mapped", "tight"),
    "8 GB AMD card, 32 GB, Linux": Row(37, 34, 4096, "mapped", "too-small"),
    "10 GB card, 32 GB": Row(37, 33, 4096, "mapped", "too-small"),
    "12 GB card, 16 GB": Row(37, 32, 4096, "mapped", "too-small"),
    "12 GB card, 32 GB": Row(37, 32, 4096, "mapped", "too-small"),
    "12 GB card, 64 GB": Row(37, 32, 8192, "mapped", "tight"),
    "16 GB card, 16 GB": Row(37, 29, 4096, "mapped", "too-small"),
    "16 GB card, 32 GB": Row(37, 29, 4096, "mapped", "too-small"),
    "16 GB AMD card, 64 GB, Linux": Row(37, 29, 8192, "mapped", "fits"),
    "24 GB card, 16 GB": Row(37, 25, 4096, "mapped", "too-small"),
    "24 GB card, 32 GB, Linux": Row(37, 25, 4096, "mapped", "too-small"),
    "24 GB card, 64 GB": Row(37, 26, 32_768, "mapped", "fits"),
    "32 GB card, 96 GB": Row(37, 21, 32_768, "copied", "fits"),
    "96 GB card, 128 GB, Linux": Row(37, 0, 131_072, "mapped", "fits"),
    "8 GB": Row(0, 0, 4096, "mapped", "too-small"),
    "16 GB": Row(0, 0, 4096, "mapped", "too-small"),
    "16 GB, Linux, nothing else running": Row(0, 0, 4096, "mapped", "too-small"),
    "32 GB": Row(0, 0, 4096, "mapped", "too-small"),
    "32 GB, most of it taken": Row(0, 0, 4096, "mapped", "too-small"),
    "64 GB": Row(0, 0, 8192, "mapped", "tight"),
    "128 GB, Linux": Row(0, 0, 32_768, "repacked", "fits"),
    "Intel laptop, 16 GB": Row(0, 0, 4096, "mapped", "too-small"),
    "Snapdragon laptop, 32 GB": Row(0, 0, 4096, "mapped", "too-small"),
    "Ryzen AI Max, 128 GB": Row(37, 0, 131_072, "copied", "fits"),
}


# Files that begin with the output matrix: it is on the device where all layers are, else beside.
EXPECTED_QUANTIZED = [
    ("M1, 16 GB", GPT_OSS_20B, Row(23, 0, 8192, "mapped", "tight"), True),
    ("M3, 16 GB, newer system", GPT_OSS_20B, Row(24, 0, 8192, "mapped", "tight"), True),
    ("M2, 24 GB", GPT_OSS_20B, Row(25, 0, 65_536, "mapped", "fits"), False),
    ("M4 Max, 64 GB", GPT_OSS_120B, Row(26, 0, 8192, "mapped", "tight"), True),
    ("8 GB card, 16 GB", GPT_OSS_20B, Row(25, 15, 32_768, "mapped", "fits"), False),
]


def row(planned: Planned) -> Row:
    chosen = planned.plan
    weights = "mapped" if chosen.mapped else "repacked" if chosen.repacked else "copied"
    return Row(chosen.gpu_layers, chosen.cpu_experts, chosen.context, weights, planned.verdict.value)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize(
    ("weights", "expected"), [(GPT_OSS_20B, EXPECTED_20B), (GPT_OSS_120B, EXPECTED_120B)], ids=["20b", "120b"]
)
def test_a_machine(name: str, weights: ModelWeights, expected: dict[str, Row]) -> None:
    planned = plan(weights, MACHINES[name])
    assert row(planned) == expected[name]
    chosen = planned.plan
    assert (planned.device.name if planned.device else "") == chosen.device
    assert chosen.batch == (512 if chosen.gpu_layers else 256)
    assert not chosen.output_beside
    assert (chosen.cache_type.value, chosen.flash_attention, chosen.locked) == ("f16", True, False)
    # A processor that only feeds a card wants few threads; elsewhere the engine knows the cores.
    assert chosen.threads == (4 if chosen.gpu_layers > len(weights.layers) and not chosen.cpu_experts else 0)
    assert (planned.advice is None) is (planned.verdict is Verdict.FITS)


@pytest.mark.parametrize(("name", "weights", "expected", "beside"), EXPECTED_QUANTIZED)
def test_a_file_that_begins_with_the_output(name: str, weights: ModelWeights, expected: Row, beside: bool) -> None:
    planned = plan(as_quantized(weights), MACHINES[name])
    assert (row(planned), planned.plan.output_beside) == (expected, beside)


@pytest.mark.parametrize(
    ("name", "weights", "said", "advice"),
    [
        (
            "16 GB card, 32 GB",
            GPT_OSS_20B,
            "Runs fully on the graphics card (NVIDIA GeForce RTX 4080), with 32,768 tokens of context.",
            "None",
        ),
        (
            "8 GB card, 32 GB",
            GPT_OSS_20B,
            (
                "Attention runs on the graphics card (NVIDIA GeForce RTX 4060), the experts of 15 of 24 layers on the "
                "processor, with 32,768 tokens of context."
            ),
            "None",
        ),
        (
            "M2, 24 GB",
            GPT_OSS_20B,
            "Runs fully on the graphics processor (Apple M2), with 65,536 tokens of context.",
            "None",
        ),
        (
            "M1, 16 GB",
            GPT_OSS_20B,
            "21 of 24 layers run on Apple M1, the others on the processor, with 8,192 tokens of context.",
            "Memory is tight: close browsers and other large programs until about 2.7 GB more are free.",
        ),
        (
            "16 GB",
            GPT_OSS_20B,
            "Runs on the processor, with 8,192 tokens of context.",
            "Memory is tight: close browsers and other large programs until about 3.8 GB more are free.",
        ),
        (
            "8 GB",
            GPT_OSS_20B,
            "This machine has 8 GB of memory; gpt-oss-20b needs about 15 GB: too small.",
            "Choose a smaller model.",
        ),
        (
            "M1, 8 GB",
            GPT_OSS_20B,
            "This machine has 8 GB of memory; gpt-oss-20b needs about 15 GB: too small.",
            "Choose a smaller model.",
        ),
        (
            "24 GB card, 32 GB, Linux",
            GPT_OSS_120B,
            (
                "This machine has 32 GB of memory and 24 GB on the graphics card; gpt-oss-120b needs about 43 GB of "
                "memory beside the card: too small."
            ),
            "Choose a smaller model.",
        ),
    ],
)
def test_what_is_said(name: str, weights: ModelWeights, said: str, advice: str) -> None:
    planned = plan(weights, MACHINES[name])
    assert (str(planned.explanation), str(planned.advice)) == (said, advice)
