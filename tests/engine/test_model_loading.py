"""What is planned for a model file, and said of it, when a plan has failed."""

from __future__ import annotations

import pytest

from app.domain.errors import ErrorCode, UserError
from app.domain.hardware import Device, DeviceKind, Hardware
from app.domain.memory_room import GRAPHICS
from app.domain.plan_wishes import PlanWishes
from app.engine.model_loading import FAILED_BEFORE, ModelLoading, Target
from app.engine.plan_memory import PlanMemory
from tests.support.engine import DEMO

GIB = 1 << 30
APPLE = Device("MTL0", "Apple M3", DeviceKind.INTEGRATED, "MTL", 16 * GIB, 16 * GIB)
CARD = Device("CUDA0", "A card", DeviceKind.GRAPHICS, "CUDA", 8 * GIB, 7 * GIB)


@pytest.mark.parametrize(
    ("system", "device", "first", "then"),
    [
        ("darwin", APPLE, "Runs fully on the graphics processor (Apple M3)", "1 of 4 layers run on Apple M3"),
        ("linux", CARD, "Runs fully on the graphics card (A card)", "the experts of 2 of 4 layers on the processor"),
    ],
)
def test_the_plan_of_the_moment_is_explained(system: str, device: Device, first: str, then: str) -> None:
    loading = ModelLoading(Target(str(DEMO), "The guide", PlanWishes(device=GRAPHICS)), PlanMemory(None))
    loading.begin(Hardware(system, "A processor", 8, 24 * GIB, 20 * GIB, (device,)), ())
    assert loading.explanation.startswith(first)
    assert loading.fails(UserError(ErrorCode.OUT_OF_MEMORY, name="The guide"))
    assert then in loading.explanation
    assert loading.explanation.endswith(FAILED_BEFORE)
