"""What a plan takes in memory, compared with what llama.cpp said it takes."""

from dataclasses import replace

import pytest

from app.domain.hardware import Device, DeviceKind
from app.domain.load_plan import CacheType, LoadPlan
from app.domain.model_memory import (
    cache_bytes,
    compute_bytes,
    first_device_layer,
    memory_of,
    output_stretches,
    shares_memory,
)
from app.domain.model_weights import ModelWeights
from tests.support.gpt_oss_weights import BENCH_SMALL, GPT_OSS_20B, GPT_OSS_120B, as_quantized, dense

MIB = 1 << 20
CARD = Device("CUDA0", "NVIDIA GeForce RTX 4060", DeviceKind.GRAPHICS, "CUDA", 8 << 30, 7 << 30)
APPLE = Device("MTL0", "Apple M1", DeviceKind.GRAPHICS, "MTL", 11 << 30, 11 << 30)
SHARED = Device("Vulkan0", "Radeon 8060S", DeviceKind.INTEGRATED, "Vulkan", 96 << 30, 95 << 30)


def test_the_published_sizes() -> None:
    # gpt-oss-20b's file of MXFP4 has 12,109,566,624 bytes, 13 MB of them before the weights; 120b's has 63.39 GB.
    assert GPT_OSS_20B.total_bytes == 12_096_558_336
    assert GPT_OSS_120B.total_bytes == 63_374_323_968
    assert BENCH_SMALL.total_bytes == 339_078_656
    assert GPT_OSS_20B.mixed
    assert not dense().mixed


@pytest.mark.parametrize(
    ("context", "batch", "kind", "full", "windowed"),
    [
        # "KV buffer size" in MiB, of the full and of the windowed layers, as llama.cpp logged them for this model.
        (512, 128, CacheType.F16, 2.00, 1.00),
        (512, 1024, CacheType.F16, 2.00, 2.00),
        (4096, 256, CacheType.F16, 16.00, 2.00),
        (5000, 512, CacheType.F16, 20.00, 3.00),
        (16_384, 1024, CacheType.F16, 64.00, 5.00),
        (32_768, 256, CacheType.F16, 128.00, 2.00),
        (4096, 512, CacheType.Q8_0, 8.50, 1.59),
        (5000, 256, CacheType.Q8_0, 10.62, 1.06),
        (32_768, 1024, CacheType.Q8_0, 68.00, 2.66),
    ],
)
def test_the_cache_is_exact(context: int, batch: int, kind: CacheType, full: float, windowed: float) -> None:
    plan = LoadPlan(context=context, batch=min(batch, context), cache_type=kind)
    for wanted, logged in ((False, full), (True, windowed)):
        layers = tuple(layer for layer in BENCH_SMALL.layers if layer.windowed is wanted)
        assert cache_bytes(replace(BENCH_SMALL, layers=layers), plan) / MIB == pytest.approx(logged, abs=0.006)


@pytest.mark.parametrize(
    ("weights", "context", "batch", "flash", "logged"),
    [
        # "compute buffer size" in MiB as llama.cpp logged it, n_outputs_max 1.
        (BENCH_SMALL, 512, 128, True, 4.44),
        (BENCH_SMALL, 4096, 256, True, 10.76),
        (BENCH_SMALL, 16_384, 512, True, 33.77),
        (BENCH_SMALL, 32_768, 1024, True, 100.54),
        (BENCH_SMALL, 512, 512, False, 27.01),
        (BENCH_SMALL, 4096, 128, False, 36.38),
        (BENCH_SMALL, 32_768, 1024, False, 2199.02),
        (GPT_OSS_20B, 4096, 128, True, 24.16),
        (GPT_OSS_20B, 4096, 512, True, 97.14),
        (GPT_OSS_20B, 32_768, 512, True, 125.14),
        (GPT_OSS_20B, 32_768, 1024, True, 251.29),
        (GPT_OSS_20B, 4096, 512, False, 558.39),
        (GPT_OSS_20B, 32_768, 512, False, 4198.39),
        (GPT_OSS_120B, 4096, 256, True, 48.45),
        (GPT_OSS_120B, 32_768, 1024, True, 251.29),
        (GPT_OSS_120B, 32_768, 128, False, 1049.35),
    ],
)
def test_the_compute_buffer_is_never_underestimated(
    weights: ModelWeights, context: int, batch: int, flash: bool, logged: float
) -> None:
    plan = LoadPlan(context=context, batch=batch, flash_attention=flash)
    estimate = compute_bytes(weights, plan) / MIB
    assert logged <= estimate <= 1.45 * logged + 8


def test_which_layers_are_on_the_device() -> None:
    # llama.cpp's i_gpu_start: the output matrix is the first of the gpu_layers.
    assert [first_device_layer(GPT_OSS_20B, count) for count in (0, 1, 2, 24, 25, 99)] == [24, 24, 23, 1, 0, 0]


def test_on_the_processor() -> None:
    plan = LoadPlan(context=8192, batch=256)
    memory = memory_of(GPT_OSS_20B, plan, None)
    assert (memory.device_bytes, memory.mapped_weights, memory.ram_weights) == (0, GPT_OSS_20B.total_bytes, 0)
    assert memory.ram_cache == cache_bytes(GPT_OSS_20B, plan)
    assert memory.ram_bytes == memory.mapped_weights + memory.anonymous_bytes
    assert memory_of(GPT_OSS_20B, plan, CARD) == memory
    copied = memory_of(GPT_OSS_20B, replace(plan, mapped=False, repacked=True), None)
    assert (copied.mapped_weights, copied.ram_weights) == (0, GPT_OSS_20B.total_bytes)


def test_mapped_and_repacked_weights_stand_twice() -> None:
    # Measured with the 12.1 GB shape: 21 GB resident.
    memory = memory_of(GPT_OSS_20B, LoadPlan(context=4096, batch=256, repacked=True), None)
    assert memory.ram_bytes > 23_000_000_000
    assert memory.ram_weights == GPT_OSS_20B.total_bytes - GPT_OSS_20B.input_bytes
    with_card = LoadPlan(context=4096, batch=256, gpu_layers=25, cpu_experts=24, repacked=True)
    assert memory_of(GPT_OSS_20B, with_card, CARD).ram_weights == 24 * GPT_OSS_20B.layers[0].expert_bytes


def test_all_on_a_card_leaves_the_embedding() -> None:
    memory = memory_of(GPT_OSS_20B, LoadPlan(context=32_768, batch=512, gpu_layers=25), CARD)
    assert memory.device_weights == GPT_OSS_20B.total_bytes - GPT_OSS_20B.input_bytes
    assert (memory.mapped_weights, memory.ram_weights, memory.ram_cache) == (GPT_OSS_20B.input_bytes, 0, 0)
    assert memory.device_compute == compute_bytes(GPT_OSS_20B, LoadPlan(context=32_768, batch=512))
    assert memory.ram_compute == memory.device_compute


def test_experts_leave_the_card_layer_by_layer() -> None:
    plan = LoadPlan(context=8192, batch=512, gpu_layers=25, mapped=False)
    sizes = [memory_of(GPT_OSS_20B, replace(plan, cpu_experts=count), CARD) for count in (1, 2, 24)]
    expert_bytes = GPT_OSS_20B.layers[0].expert_bytes
    assert sizes[0].device_weights - sizes[1].device_weights == expert_bytes
    assert sizes[1].ram_weights - sizes[0].ram_weights == expert_bytes
    assert all(size.device_weights + size.ram_weights == GPT_OSS_20B.total_bytes for size in sizes)
    # One matrix at a time is copied over for a batch.
    assert sizes[0].device_compute > compute_bytes(GPT_OSS_20B, plan) + GPT_OSS_20B.largest_matrix_bytes


def test_the_last_layers_on_the_card() -> None:
    weights = dense()
    memory = memory_of(weights, LoadPlan(context=4096, batch=512, gpu_layers=11), CARD)
    # Ten layers, the norm, and a copy of the embedding as its output matrix.
    assert memory.device_weights == 10 * 136_000_000 + 16_384 + weights.input_bytes
    assert memory.mapped_weights == weights.total_bytes - 10 * 136_000_000 - 16_384
    assert memory.ram_cache == 22 * memory.device_cache // 10


def test_metal_maps_the_whole_stretch() -> None:
    assert shares_memory(APPLE)
    assert not shares_memory(CARD)
    plan = LoadPlan(context=8192, batch=512, gpu_layers=25, cpu_experts=24)
    stretch = GPT_OSS_20B.total_bytes - GPT_OSS_20B.input_bytes
    memory = memory_of(GPT_OSS_20B, plan, APPLE)
    # Experts between the device's tensors are held all the same.
    assert (memory.device_weights, memory.mapped_weights) == (stretch, GPT_OSS_20B.input_bytes)
    copied = memory_of(GPT_OSS_20B, replace(plan, mapped=False), APPLE)
    assert copied.device_weights == stretch - 24 * GPT_OSS_20B.layers[0].expert_bytes
    last = memory_of(GPT_OSS_20B, replace(plan, gpu_layers=11, cpu_experts=0), APPLE)
    assert last.device_weights == 10 * GPT_OSS_20B.layers[0].total_bytes + GPT_OSS_20B.output_bytes
    assert last.device_weights + last.mapped_weights == GPT_OSS_20B.total_bytes
    # With the output at the file's beginning, as some files have it, the stretch holds nearly all of the file.
    turned = replace(GPT_OSS_20B, output_start=0, output_end=GPT_OSS_20B.output_bytes)
    whole = memory_of(turned, replace(plan, gpu_layers=11, cpu_experts=0), APPLE)
    assert whole.device_weights == GPT_OSS_20B.layers[-1].end


@pytest.mark.parametrize("model", [GPT_OSS_20B, dense()])
def test_the_output_beside_metal(model: ModelWeights) -> None:
    layers = len(model.layers)
    weights = model if model.tied else as_quantized(model)
    plan = LoadPlan(context=8192, batch=512, gpu_layers=11)
    ten = sum(layer.total_bytes for layer in model.layers[-10:])
    assert memory_of(weights, plan, APPLE).device_weights > 2 * ten
    beside = memory_of(weights, replace(plan, output_beside=True), APPLE)
    assert (beside.device_weights, beside.mapped_weights) == (ten, weights.total_bytes - ten)
    copied = memory_of(weights, replace(plan, output_beside=True, mapped=False), APPLE)
    assert (copied.device_weights, copied.ram_weights) == (ten, weights.total_bytes - ten)
    # Only there, and only where layers would be held that are not on the device.
    assert [output_stretches(weights, count, APPLE) for count in (2, layers, layers + 1)] == [True, True, False]
    assert not output_stretches(weights, 11, CARD)
    assert not output_stretches(GPT_OSS_20B, 11, APPLE)


def test_an_integrated_device_shares_the_memory() -> None:
    assert shares_memory(SHARED)
