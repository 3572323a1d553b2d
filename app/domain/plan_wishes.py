"""What the user wants of a load plan; the rest is the planner's."""

from dataclasses import dataclass

from app.domain.load_plan import CacheType
from app.domain.memory_room import AUTOMATIC


@dataclass(frozen=True, slots=True)
class PlanWishes:
    """Every part of a plan as the user set it: None, 0 and "" leave it open.

    Numbers beyond the model's own (layers, trained context) count as the most there is. ``gpu_layers`` are the
    model's own, the last ones; with all of them goes all that can. ``device`` is "graphics", "processor" or a device's
    name.
    """

    context: int = 0
    threads: int = 0
    batch: int = 0
    device: str = AUTOMATIC
    gpu_layers: int | None = None
    cpu_experts: int | None = None
    cache_type: CacheType | None = None
    flash_attention: bool | None = None
    mapped: bool | None = None
    repacked: bool | None = None
    locked: bool | None = None
