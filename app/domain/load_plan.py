"""How a model is placed on a machine: what the planner chooses and the engine carries out."""

from dataclasses import dataclass
from enum import StrEnum


class CacheType(StrEnum):
    """The precision of the KV cache."""

    F16 = "f16"
    Q8_0 = "q8_0"


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How a model is loaded. Zeros leave a choice to the engine.

    ``context`` in tokens, at most what the model was trained for. ``threads`` of the processor.
    ``device`` is the graphics device's name ("" with ``gpu_layers`` 0: none; otherwise llama.cpp's choice).
    ``gpu_layers`` are put on it as llama.cpp counts: the output matrix is the first of them, then come the model's
    layers from the last one (all are one more than the model has layers); the experts of the first ``cpu_experts``
    layers stay on the processor all the same, and with ``output_beside`` the output matrix.
    ``mapped``: the file is mapped, not read. ``repacked``: the processor's weights are laid out anew for speed (extra
    buffer types; mapped and repacked they stand in memory twice). ``locked``: kept from being swapped out.
    ``batch``: tokens read at once. ``flash_attention`` is needed for a quantized cache.
    """

    context: int = 0
    threads: int = 0
    gpu_layers: int = 0
    device: str = ""
    cpu_experts: int = 0
    output_beside: bool = False
    cache_type: CacheType = CacheType.F16
    flash_attention: bool = True
    mapped: bool = True
    repacked: bool = False
    locked: bool = False
    batch: int = 0
