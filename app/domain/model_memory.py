"""What a load plan takes in memory: weights, KV cache and compute buffers, on the device and beside it.

Weights and KV cache follow llama.cpp's own arithmetic to the byte (``llama_kv_cache_iswa``, ``load_tensors``); the
compute buffer is an upper estimate. Compared with what llama.cpp logged for models of 20b's, 120b's and two small
shapes, at contexts of 512 to 32,768 and batches of 128 to 1,024: never below it, at most 1.45 times and 8 MB above.
Layers, experts and caches on a device agree with its Vulkan backend on Mesa's software driver; what is copied to a
device while a batch is read is from the source alone.
"""

from dataclasses import dataclass
from typing import Final

from app.domain.hardware import Device, DeviceKind
from app.domain.load_plan import CacheType, LoadPlan
from app.domain.model_weights import ModelWeights

CACHE_STEP: Final = 256
"""llama.cpp rounds a cache's length in tokens up to this."""

OUTPUT_ROWS: Final = 1
"""Tokens whose logits a batch keeps: the engine asks for the last one's only (``n_outputs_max``)."""

# Bytes of 32 numbers.
_CACHE_BYTES: Final = {CacheType.F16: 64, CacheType.Q8_0: 34}

# The scheduler copies the matrices of layers that stand with the processor over to the device when a batch is read, one
# at a time (ggml_backend_sched, op offload); what the allocator may waste on that is added.
_STAGING: Final = 1.25


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes by place and purpose. ``mapped_weights`` are pages of the model file, which the system may drop and read
    again; the other parts of main memory are ``ram_*``. What stands on a device that shares the main memory is counted
    under ``device_*`` only.
    """

    device_weights: int
    device_cache: int
    device_compute: int
    mapped_weights: int
    ram_weights: int
    ram_cache: int
    ram_compute: int

    @property
    def device_bytes(self) -> int:
        """All of the device's part."""
        return self.device_weights + self.device_cache + self.device_compute

    @property
    def anonymous_bytes(self) -> int:
        """Main memory that the system cannot drop."""
        return self.ram_weights + self.ram_cache + self.ram_compute

    @property
    def ram_bytes(self) -> int:
        """Main memory, mapped pages too."""
        return self.mapped_weights + self.anonymous_bytes


def shares_memory(device: Device) -> bool:
    """Whether the device's memory is main memory. Apple's is, though llama.cpp calls it a graphics card."""
    return device.kind is DeviceKind.INTEGRATED or maps_files(device)


def maps_files(device: Device) -> bool:
    """Whether the device works on the mapped file itself: Metal does, all others copy."""
    return device.backend.lower().startswith(("mtl", "metal"))


def cache_bytes(weights: ModelWeights, plan: LoadPlan, first: int = 0, end: int | None = None) -> int:
    """The KV cache of the layers from ``first`` to before ``end``. A windowed layer keeps its window and one batch, a
    recurrent one its state. Source: llama_kv_cache_iswa, llama_memory_recurrent.
    """
    full, windowed = weights.cache_numbers_before
    end = len(weights.layers) if end is None else end
    length = _stepped(plan.context)
    short = min(length, _stepped(weights.window + plan.batch))
    numbers = (full[end] - full[first]) * length + (windowed[end] - windowed[first]) * short
    states = weights.state_bytes_before[end] - weights.state_bytes_before[first]
    return numbers * _CACHE_BYTES[plan.cache_type] // 32 + states


def compute_bytes(weights: ModelWeights, plan: LoadPlan) -> int:
    """The buffer for what is between weights and result while a batch is read, at most."""
    context, batch = _stepped(plan.context), min(plan.batch, plan.context)
    inner = 4 * weights.feed_forward + 4 * weights.width + 2 * weights.query_width
    if plan.flash_attention:
        attention = 2 * (context + _stepped(weights.window + batch))
    else:
        attention = (4 * weights.heads + 8) * context
    return batch * (4 * inner + attention) + 4 * weights.vocabulary * OUTPUT_ROWS + (1 << 20)


def first_device_layer(weights: ModelWeights, gpu_layers: int) -> int:
    """The first layer that is on the device: llama.cpp takes the output matrix first, then layers from the last one."""
    return len(weights.layers) - max(0, min(gpu_layers, len(weights.layers) + 1) - 1)


def output_stretches(weights: ModelWeights, gpu_layers: int, device: Device) -> bool:
    """Whether the output matrix had better stay beside the device: with it on one that maps the file, the layers that
    are not on the device would be held there, too. So in all files of ``llama-quantize``, which begin with it.
    """
    first = first_device_layer(weights, gpu_layers)
    layers = weights.layers[first:]
    return maps_files(device) and first > 0 and bool(layers) and weights.output_start < min(x.start for x in layers)


def memory_of(weights: ModelWeights, plan: LoadPlan, device: Device | None) -> Memory:
    """What ``plan`` takes, with context and batch filled in. ``device`` is where its ``gpu_layers`` go."""
    if device is None or not plan.gpu_layers:
        return _beside(weights, plan)
    first = first_device_layer(weights, plan.gpu_layers)
    beyond = min(max(first, plan.cpu_experts), len(weights.layers))
    on_device = weights.bytes_before[-1] - weights.bytes_before[first]
    on_device -= weights.expert_bytes_before[beyond] - weights.expert_bytes_before[first]
    beside = weights.total_bytes - on_device
    if not plan.output_beside:
        # The embedding, where it is the output matrix as well, stands on both sides.
        on_device += weights.output_bytes + (weights.input_bytes if weights.tied else 0)
        beside -= weights.output_bytes
    split = first > 0 or (plan.cpu_experts > 0 and weights.mixed)
    outside = beside
    if plan.mapped and maps_files(device):
        on_device = max(on_device, _stretch(weights, first, output=not plan.output_beside))
        outside = max(0, weights.total_bytes - on_device)
    compute = compute_bytes(weights, plan)
    staging = int(_STAGING * weights.largest_matrix_bytes) if split else 0
    anonymous = 0 if plan.mapped else beside
    if plan.mapped and plan.repacked:
        anonymous = beside - weights.input_bytes
    return Memory(
        device_weights=on_device,
        device_cache=cache_bytes(weights, plan, first),
        device_compute=compute + staging,
        mapped_weights=outside if plan.mapped else 0,
        ram_weights=anonymous,
        ram_cache=cache_bytes(weights, plan, 0, first),
        # Inputs, and whatever the device's driver cannot compute, also when all layers are on it.
        ram_compute=compute,
    )


def _beside(weights: ModelWeights, plan: LoadPlan) -> Memory:
    anonymous = 0 if plan.mapped else weights.total_bytes
    if plan.mapped and plan.repacked:
        anonymous = weights.total_bytes - weights.input_bytes
    return Memory(
        device_weights=0,
        device_cache=0,
        device_compute=0,
        mapped_weights=weights.total_bytes if plan.mapped else 0,
        ram_weights=anonymous,
        ram_cache=cache_bytes(weights, plan),
        ram_compute=compute_bytes(weights, plan),
    )


def _stretch(weights: ModelWeights, first: int, *, output: bool) -> int:
    """The bytes of the file from the first to the last tensor of what is on the device."""
    places = [(layer.start, layer.end) for layer in weights.layers[first:]]
    if output or not places:
        places.append((weights.output_start, weights.output_end))
    return max(end for _, end in places) - min(start for start, _ in places)


def _stepped(tokens: int) -> int:
    return (tokens + CACHE_STEP - 1) // CACHE_STEP * CACHE_STEP
