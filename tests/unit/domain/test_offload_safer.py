"""The plans to try after one failed."""

from dataclasses import replace

import pytest

from app.domain.hardware import Device, DeviceKind, Hardware
from app.domain.load_plan import CacheType, LoadPlan
from app.domain.offload import plan
from app.domain.plan_wishes import PlanWishes
from app.domain.safer_plans import safer
from tests.support.gpt_oss_weights import GPT_OSS_20B, GPT_OSS_120B, as_quantized, dense

GIB = 1 << 30
CARD = Device("CUDA0", "NVIDIA GeForce RTX 4060", DeviceKind.GRAPHICS, "CUDA", 8 * GIB, 7 * GIB)
APPLE = Device("MTL0", "Apple M2", DeviceKind.GRAPHICS, "MTL", 16 * GIB, 16 * GIB)
SHARED = Device("Vulkan0", "Radeon 8060S", DeviceKind.INTEGRATED, "Vulkan", 96 * GIB, 95 * GIB)
LARGE_CARD = Device("CUDA0", "NVIDIA RTX PRO 6000", DeviceKind.GRAPHICS, "CUDA", 96 * GIB, 94 * GIB)
PC = Hardware("linux", "a processor", 8, 32 * GIB, 26 * GIB, (CARD,))

Step = tuple[int, int, int, bool, int]


def steps(plans: tuple[LoadPlan, ...]) -> list[Step]:
    """Layers on the device, experts not on it, context, flash attention, batch."""
    return [(p.gpu_layers, p.cpu_experts, p.context, p.flash_attention, p.batch) for p in plans]


def test_after_a_card_with_experts_beside_it() -> None:
    planned = plan(GPT_OSS_20B, PC)
    assert steps((planned.plan,)) == [(25, 15, 32_768, True, 512)]
    plans = safer(GPT_OSS_20B, PC, planned)
    assert steps(plans) == [
        (25, 20, 32_768, True, 512),
        (25, 20, 8192, False, 128),
        (25, 20, 4096, False, 128),
        (25, 20, 8192, True, 128),
        (25, 15, 4096, True, 128),
        (0, 0, 8192, True, 256),
        (0, 0, 4096, True, 128),
    ]
    assert not planned.plan.mapped
    assert [p.mapped for p in plans] == [True, True, True, True, False, True, True]
    assert [p.device for p in plans] == ["CUDA0"] * 5 + [""] * 2


def test_all_experts_are_beside_the_card_already() -> None:
    planned = plan(GPT_OSS_20B, PC, PlanWishes(cpu_experts=24, cache_type=CacheType.Q8_0, threads=6))
    plans = safer(GPT_OSS_20B, PC, planned)
    assert steps(plans)[:2] == [(12, 24, 32_768, True, 512), (12, 24, 8192, False, 128)]
    assert [p.cache_type for p in plans[:2]] == [CacheType.Q8_0, CacheType.F16]


def test_on_metal_whole_layers_leave_the_device() -> None:
    machine = Hardware("darwin", "", 8, 24 * GIB, 20 * GIB, (APPLE,))
    plans = safer(GPT_OSS_20B, machine, plan(GPT_OSS_20B, machine))
    assert [(p.gpu_layers, p.cpu_experts, p.mapped) for p in plans[:2]] == [(12, 0, True)] * 2


def test_on_metal_the_output_stays_where_it_would_bring_other_layers() -> None:
    weights = as_quantized(GPT_OSS_20B)
    machine = Hardware("darwin", "", 8, 24 * GIB, 20 * GIB, (APPLE,))
    planned = plan(weights, machine)
    plans = safer(weights, machine, planned)
    assert not planned.plan.output_beside
    assert [(p.gpu_layers, p.output_beside) for p in plans[:2]] == [(12, True)] * 2
    assert [(p.gpu_layers, p.output_beside) for p in plans[-2:]] == [(0, False)] * 2


def test_an_integrated_device_copies_still() -> None:
    machine = Hardware("linux", "", 16, 125 * GIB, 118 * GIB, (SHARED,))
    plans = safer(GPT_OSS_120B, machine, plan(GPT_OSS_120B, machine))
    assert [(p.gpu_layers, p.cpu_experts, p.mapped) for p in plans[:2]] == [(37, 18, False)] * 2
    assert plans[-1].mapped


def test_a_dense_model() -> None:
    plans = safer(dense(), PC, plan(dense(), PC))
    assert steps(plans)[0] == (16, 0, 12_288, True, 512)
    assert steps(plans)[-1] == (0, 0, 4096, True, 128)


def test_after_the_processor_with_repacked_weights() -> None:
    machine = replace(PC, devices=())
    planned = plan(GPT_OSS_20B, machine, PlanWishes(threads=5, flash_attention=False, context=9000))
    assert planned.plan.repacked
    plans = safer(GPT_OSS_20B, machine, planned)
    assert steps(plans) == [(0, 0, 9000, True, 256), (0, 0, 8192, True, 256), (0, 0, 4096, True, 128)]
    assert {(p.mapped, p.repacked, p.locked, p.threads) for p in plans} == {(True, False, False, 5)}


def test_a_quantized_cache_is_not_given_up_for_one_that_takes_more() -> None:
    machine = replace(PC, devices=())
    wishes = PlanWishes(cache_type=CacheType.Q8_0, context=8192, mapped=True)
    plans = safer(GPT_OSS_20B, machine, plan(GPT_OSS_20B, machine, wishes))
    assert [(p.context, p.cache_type) for p in plans] == [(4096, CacheType.F16)]


def test_what_the_memory_cannot_hold_is_left_out() -> None:
    machine = Hardware("linux", "", 16, 24 * GIB, 20 * GIB, (LARGE_CARD,))
    planned = plan(GPT_OSS_120B, machine)
    assert (planned.plan.gpu_layers, planned.plan.cpu_experts) == (37, 0)
    assert steps(safer(GPT_OSS_120B, machine, planned)) == [(37, 0, 4096, True, 128)]


def test_the_safest_plan_has_none_after_it() -> None:
    machine = Hardware("linux", "", 4, 8 * GIB, 6 * GIB)
    last = plan(GPT_OSS_20B, machine, PlanWishes(context=4096, batch=128))
    assert safer(GPT_OSS_20B, machine, last) == ()
    # A machine that is too small still has a last resort.
    assert steps(safer(GPT_OSS_20B, machine, plan(GPT_OSS_20B, machine))) == [(0, 0, 4096, True, 128)]


@pytest.mark.parametrize("layers", [1, 2])
def test_hardly_anything_on_the_card(layers: int) -> None:
    planned = plan(GPT_OSS_20B, PC, PlanWishes(gpu_layers=layers))
    plans = safer(GPT_OSS_20B, PC, planned)
    assert plans[-1].gpu_layers == 0
    assert all(p.gpu_layers in (0, 2) for p in plans if p.context > 4096)
