"""What to try when loading with a plan failed: other plans, each asking less of what failed."""

from collections.abc import Iterator
from dataclasses import replace

from app.domain.hardware import Device, Hardware
from app.domain.load_plan import CacheType, LoadPlan
from app.domain.memory_room import room_of
from app.domain.model_memory import maps_files, memory_of, output_stretches, shares_memory
from app.domain.model_weights import ModelWeights
from app.domain.offload import Planned
from app.domain.plan_search import LEAST_CONTEXT, MODEST_CONTEXT, PROCESSOR_BATCH

_SMALL_BATCH = 128


def safer(weights: ModelWeights, hardware: Hardware, planned: Planned) -> tuple[LoadPlan, ...]:
    """The plans to try after ``planned`` failed, in order; empty only when it is the safest there is.

    Fewer layers or experts on the device, then no flash attention and a plain cache, then a smaller context, then the
    processor alone, with its weights mapped as they are. None takes more of the device than ``planned``; where
    that one ran on the processor, none takes more memory that cannot be dropped. What the machine's memory cannot hold
    is left out, unless nothing else is left.
    """
    plans: list[LoadPlan] = []
    for plan in _steps(weights, planned.plan, planned.device):
        memory = memory_of(weights, plan, planned.device)
        if plan.gpu_layers:
            asks_less = memory.device_bytes <= planned.memory.device_bytes
        else:
            asks_less = planned.plan.gpu_layers > 0 or memory.anonymous_bytes <= planned.memory.anonymous_bytes
        if asks_less and plan != planned.plan and plan not in plans:
            plans.append(plan)
    return tuple(plan for plan in plans if _is_held(weights, hardware, planned.device, plan)) or tuple(plans[-1:])


def _is_held(weights: ModelWeights, hardware: Hardware, device: Device | None, plan: LoadPlan) -> bool:
    used = device if plan.gpu_layers else None
    return room_of(hardware, used).fits_alone(memory_of(weights, plan, used))


def _steps(weights: ModelWeights, plan: LoadPlan, device: Device | None) -> Iterator[LoadPlan]:
    modest, least = min(plan.context, MODEST_CONTEXT), min(plan.context, LEAST_CONTEXT)
    small = min(plan.batch, _SMALL_BATCH)
    if device is not None:
        fewer = _fewer(weights, plan, device)
        plain = replace(fewer, context=modest, flash_attention=False, cache_type=CacheType.F16, batch=small)
        yield fewer
        yield plain
        yield replace(plain, context=least)
        yield replace(fewer, context=modest, batch=small)
        yield replace(plan, context=least, batch=small)
    aside = replace(
        plan,
        gpu_layers=0,
        device="",
        cpu_experts=0,
        output_beside=False,
        flash_attention=True,
        threads=plan.threads if device is None else 0,
        mapped=True,
        repacked=False,
        locked=False,
        batch=min(plan.batch, PROCESSOR_BATCH),
    )
    if device is None:
        yield aside
    yield replace(aside, context=modest, cache_type=CacheType.F16)
    yield replace(aside, context=least, cache_type=CacheType.F16, batch=small)


def _fewer(weights: ModelWeights, plan: LoadPlan, device: Device) -> LoadPlan:
    """With half of what can leave the device on the processor, mapped where the device allows it."""
    layers = len(weights.layers)
    copies = shares_memory(device) and not maps_files(device)
    plan = replace(plan, threads=0, mapped=not copies, repacked=False, locked=False)
    if weights.mixed and not maps_files(device) and plan.gpu_layers > layers and plan.cpu_experts < layers:
        return replace(plan, cpu_experts=layers - (layers - plan.cpu_experts) // 2)
    # The output matrix is one of them: alone it is not worth a device.
    count = max(2, plan.gpu_layers // 2)
    return replace(plan, gpu_layers=count, output_beside=output_stretches(weights, count, device))
