"""What holds for every plan on every machine."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import UserError
from app.domain.hardware import Device, DeviceKind, Hardware
from app.domain.load_plan import LoadPlan
from app.domain.memory_room import room_of
from app.domain.model_memory import memory_of
from app.domain.model_weights import ModelWeights
from app.domain.offload import Planned, Verdict, plan
from app.domain.plan_wishes import PlanWishes
from app.domain.safer_plans import safer
from tests.support.gpt_oss_weights import BENCH_SMALL, GPT_OSS_20B, GPT_OSS_120B, as_quantized, dense

GIB = 1 << 30
MIB = 1 << 20

models = st.sampled_from(
    [GPT_OSS_20B, as_quantized(GPT_OSS_20B), GPT_OSS_120B, BENCH_SMALL, dense(), dense(layer_bytes=500_000_000)]
)
kinds = st.sampled_from(
    [
        (DeviceKind.GRAPHICS, "CUDA", "NVIDIA GeForce RTX 4080"),
        (DeviceKind.GRAPHICS, "MTL", "Apple M3"),
        (DeviceKind.INTEGRATED, "Vulkan", "Radeon 8060S Graphics"),
        (DeviceKind.INTEGRATED, "Vulkan", "Intel(R) UHD Graphics"),
    ]
)


@st.composite
def devices(draw: st.DrawFn) -> Device:
    kind, backend, description = draw(kinds)
    total = draw(st.integers(1, 100_000))
    free = draw(st.integers(0, total))
    return Device(f"{backend}0", description, kind, backend, total * MIB, free * MIB)


@st.composite
def machines(draw: st.DrawFn) -> Hardware:
    ram = draw(st.integers(2048, 200_000))
    free = draw(st.integers(0, ram))
    system = draw(st.sampled_from(["linux", "win32", "darwin"]))
    found = tuple(draw(st.lists(devices(), max_size=2, unique_by=lambda device: device.name)))
    return Hardware(system, "a processor", draw(st.integers(1, 32)), ram * MIB, free * MIB, found)


@given(models, machines())
def test_a_plan_keeps_to_its_room(weights: ModelWeights, hardware: Hardware) -> None:
    planned = plan(weights, hardware)
    chosen, memory = planned.plan, planned.memory
    room = room_of(hardware, planned.device)
    assert memory == memory_of(weights, chosen, planned.device)
    assert memory.device_bytes <= room.device
    needed = room.ram_needed(memory)
    if planned.verdict is Verdict.FITS:
        assert needed <= room.ram_now
    elif planned.verdict is Verdict.TIGHT:
        assert room.ram_now < needed <= room.ram_most
    else:
        assert needed > room.ram_most
    assert 0 < chosen.context <= weights.trained_context
    assert 0 < chosen.batch <= chosen.context
    assert 0 <= chosen.gpu_layers <= len(weights.layers) + 1
    assert 0 <= chosen.cpu_experts <= len(weights.layers)
    assert not (chosen.mapped and chosen.repacked)
    assert bool(chosen.device) is bool(chosen.gpu_layers)


@given(models, machines())
def test_what_is_said_is_complete(weights: ModelWeights, hardware: Hardware) -> None:
    planned = plan(weights, hardware)
    assert (planned.advice is None) is (planned.verdict is Verdict.FITS)
    for said in (str(planned.explanation), str(planned.advice or "Nothing to do.")):
        assert said.endswith(".")
        assert len(said) > 10
        assert "{" not in said
        assert " 0 GB" not in said


VERDICTS = {Verdict.TOO_SMALL: 0, Verdict.TIGHT: 1, Verdict.FITS: 2}


def is_worse(planned: Planned, other: Planned) -> bool:
    """Whether a plan is worse in one thing that people notice, and better in none."""
    if planned.verdict is not other.verdict:
        return VERDICTS[planned.verdict] < VERDICTS[other.verdict]
    a, b = merits(planned), merits(other)
    return a != b and all(mine <= its for mine, its in zip(a, b, strict=True))


def merits(planned: Planned) -> tuple[int, int, int]:
    return planned.plan.gpu_layers, planned.memory.device_weights, planned.plan.context


@given(models, machines(), st.integers(1, 64), st.integers(1, 64))
def test_more_memory_never_makes_a_worse_plan(
    weights: ModelWeights, hardware: Hardware, more_ram: int, more_device: int
) -> None:
    """More of the main memory, or of the device's: the plan is never worse in layers on the device, weights on it and
    context at once. (One of them can shrink for another's sake: a larger card may hold fewer experts beside a context
    twice as long, or all of a model with less context than a part of it had.)
    """
    before = plan(weights, hardware)
    richer = replace(
        hardware,
        ram_bytes=hardware.ram_bytes + more_ram * GIB,
        free_ram_bytes=hardware.free_ram_bytes + more_ram * GIB,
    )
    assert not is_worse(plan(weights, richer), before)
    larger = replace(
        hardware,
        devices=tuple(
            replace(
                device,
                total_bytes=device.total_bytes + more_device * GIB,
                free_bytes=device.free_bytes + more_device * GIB,
            )
            for device in hardware.devices
        ),
    )
    assert not is_worse(plan(weights, larger), before)


@given(models, machines())
def test_safer_plans_are_safer(weights: ModelWeights, hardware: Hardware) -> None:
    planned = plan(weights, hardware)
    plans = safer(weights, hardware, planned)
    assert planned.plan not in plans
    assert len(set(plans)) == len(plans)
    for chosen in plans:
        memory = memory_of(weights, chosen, planned.device)
        assert memory.device_bytes <= planned.memory.device_bytes
        assert chosen.context <= planned.plan.context
        if not planned.plan.gpu_layers:
            assert memory.anonymous_bytes <= planned.memory.anonymous_bytes
    safest = LoadPlan(
        context=min(4096, weights.trained_context), batch=128, mapped=True, repacked=False, threads=planned.plan.threads
    )
    assert plans or planned.plan == safest


@given(
    models,
    machines(),
    st.builds(
        PlanWishes,
        context=st.sampled_from([0, 2048, 50_000]),
        gpu_layers=st.sampled_from([None, 0]),
        flash_attention=st.sampled_from([None, True, False]),
        mapped=st.sampled_from([None, True]),
        device=st.sampled_from(["", "processor"]),
        threads=st.integers(0, 8),
    ),
)
def test_wishes_are_kept_or_refused(weights: ModelWeights, hardware: Hardware, wishes: PlanWishes) -> None:
    try:
        planned = plan(weights, hardware, wishes)
    except UserError:
        # Refused, because without the wishes there is a plan.
        assert plan(weights, hardware).verdict is not Verdict.TOO_SMALL
        return
    chosen = planned.plan
    assert chosen.context == wishes.context or not wishes.context
    assert chosen.threads == wishes.threads or not wishes.threads
    assert chosen.gpu_layers == 0 or (wishes.gpu_layers is None and wishes.device == "")
    assert wishes.flash_attention in (None, chosen.flash_attention)
    assert wishes.mapped in (None, chosen.mapped)
