"""What the user sets goes into the plan, or is said not to fit before anything is loaded."""

import re
from dataclasses import replace

import pytest

from app.domain.errors import ErrorCode, UserError
from app.domain.hardware import Device, DeviceKind, Hardware
from app.domain.load_plan import CacheType, LoadPlan
from app.domain.memory_room import room_of
from app.domain.model_weights import ModelWeights
from app.domain.offload import Verdict, explained, plan
from app.domain.plan_wishes import PlanWishes
from app.domain.plan_words import PLAN_SENTENCES, PlanCode, built_in, gigabytes, note
from app.domain.safer_plans import safer
from tests.support.gpt_oss_weights import BENCH_SMALL, GPT_OSS_20B, GPT_OSS_120B, dense, gpt_oss

GIB = 1 << 30
CARD = Device("CUDA0", "NVIDIA GeForce RTX 4060", DeviceKind.GRAPHICS, "CUDA", 8 * GIB, 7 * GIB)
LARGE_CARD = Device("CUDA1", "NVIDIA GeForce RTX 4090", DeviceKind.GRAPHICS, "CUDA", 24 * GIB, 22 * GIB)
IRIS = Device("Vulkan0", "Intel(R) Iris(R) Xe Graphics", DeviceKind.INTEGRATED, "Vulkan", 16 * GIB, 15 * GIB)
SPARK = Device("CUDA0", "NVIDIA GB10", DeviceKind.INTEGRATED, "CUDA", 120 * GIB, 110 * GIB)
APPLE = Device("MTL0", "Apple M2", DeviceKind.GRAPHICS, "MTL", 16 * GIB, 16 * GIB)
PC = Hardware("linux", "a processor", 8, 32 * GIB, 26 * GIB, (CARD,))
BARE = replace(PC, devices=())
SMALL = Hardware("linux", "a processor", 4, 8 * GIB, 6 * GIB)
TINY = gpt_oss("tiny", layers=4, experts=4, width=64, heads=4, kv_heads=2)
TINY = replace(TINY, input_bytes=100_000, output_bytes=100_000, trained_context=8192)


def test_every_part_can_be_set() -> None:
    wishes = PlanWishes(
        context=10_000,
        threads=3,
        batch=128,
        device="CUDA0",
        gpu_layers=19,
        cpu_experts=24,
        cache_type=CacheType.Q8_0,
        flash_attention=True,
        mapped=True,
        repacked=True,
        locked=True,
    )
    assert plan(GPT_OSS_20B, PC, wishes).plan == LoadPlan(
        context=10_000,
        threads=3,
        gpu_layers=20,
        device="CUDA0",
        cpu_experts=24,
        cache_type=CacheType.Q8_0,
        flash_attention=True,
        mapped=True,
        repacked=True,
        locked=True,
        batch=128,
    )


@pytest.mark.parametrize(
    ("weights", "hardware", "wishes", "expected"),
    [
        # Beyond the model's own: as much as there is.
        (GPT_OSS_20B, BARE, PlanWishes(context=999_999), {"context": 131_072}),
        (GPT_OSS_20B, PC, PlanWishes(gpu_layers=99), {"gpu_layers": 25, "cpu_experts": 15}),
        (GPT_OSS_20B, PC, PlanWishes(cpu_experts=99), {"gpu_layers": 25, "cpu_experts": 24, "context": 32_768}),
        # Parts are chosen around what is set.
        (GPT_OSS_20B, PC, PlanWishes(context=65_536), {"context": 65_536, "cpu_experts": 16}),
        (GPT_OSS_20B, PC, PlanWishes(cpu_experts=20), {"gpu_layers": 25, "cpu_experts": 20}),
        # The user counts the model's layers; a plan counts the output matrix as the first.
        (GPT_OSS_20B, PC, PlanWishes(gpu_layers=8), {"gpu_layers": 9, "cpu_experts": 0}),
        (GPT_OSS_20B, PC, PlanWishes(gpu_layers=1), {"gpu_layers": 2, "cpu_experts": 0}),
        (GPT_OSS_20B, PC, PlanWishes(gpu_layers=23), {"gpu_layers": 24, "cpu_experts": 14}),
        (GPT_OSS_20B, PC, PlanWishes(gpu_layers=24), {"gpu_layers": 25, "cpu_experts": 15}),
        (GPT_OSS_20B, PC, PlanWishes(gpu_layers=25), {"gpu_layers": 25, "cpu_experts": 15}),
        (GPT_OSS_20B, PC, PlanWishes(gpu_layers=0), {"gpu_layers": 0, "device": "", "repacked": True}),
        (GPT_OSS_20B, PC, PlanWishes(device="processor", gpu_layers=9), {"gpu_layers": 0, "device": ""}),
        (GPT_OSS_20B, PC, PlanWishes(device="graphics"), {"gpu_layers": 25, "device": "CUDA0"}),
        (GPT_OSS_20B, PC, PlanWishes(flash_attention=False, context=4096), {"flash_attention": False}),
        (GPT_OSS_20B, PC, PlanWishes(cache_type=CacheType.F16), {"cache_type": CacheType.F16}),
        (GPT_OSS_20B, PC, PlanWishes(cache_type=CacheType.Q8_0), {"cache_type": CacheType.Q8_0, "cpu_experts": 14}),
        (GPT_OSS_20B, PC, PlanWishes(threads=5), {"threads": 5}),
        (GPT_OSS_20B, PC, PlanWishes(mapped=True), {"mapped": True, "repacked": False}),
        (GPT_OSS_20B, PC, PlanWishes(mapped=False), {"mapped": False, "repacked": False}),
        (GPT_OSS_20B, BARE, PlanWishes(mapped=True), {"mapped": True, "repacked": False}),
        (GPT_OSS_20B, BARE, PlanWishes(mapped=False), {"mapped": False, "repacked": True}),
        (GPT_OSS_20B, BARE, PlanWishes(repacked=False), {"mapped": False, "repacked": False}),
        (GPT_OSS_20B, replace(BARE, ram_bytes=20 * GIB, free_ram_bytes=16 * GIB), PlanWishes(repacked=True),
         {"mapped": False, "repacked": True}),
        (GPT_OSS_20B, BARE, PlanWishes(mapped=True, repacked=True), {"mapped": True, "repacked": True}),
        (GPT_OSS_20B, BARE, PlanWishes(locked=True), {"locked": True}),
        # The larger of two cards, or the named one; the integrated one only on demand, with its weights copied.
        (GPT_OSS_20B, replace(PC, devices=(CARD, LARGE_CARD)), PlanWishes(), {"device": "CUDA1", "cpu_experts": 0}),
        (GPT_OSS_20B, replace(PC, devices=(CARD, LARGE_CARD)), PlanWishes(device="CUDA0"), {"device": "CUDA0"}),
        (GPT_OSS_20B, replace(PC, devices=(IRIS,)), PlanWishes(), {"gpu_layers": 0}),
        (GPT_OSS_20B, replace(PC, devices=(IRIS,)), PlanWishes(device="graphics"),
         {"gpu_layers": 25, "device": "Vulkan0", "mapped": False, "repacked": False}),
        (GPT_OSS_20B, replace(PC, devices=(IRIS,)), PlanWishes(gpu_layers=25), {"gpu_layers": 25}),
        (GPT_OSS_20B, replace(PC, devices=(IRIS, CARD)), PlanWishes(device="graphics"), {"device": "CUDA0"}),
        (GPT_OSS_120B, Hardware("linux", "", 20, 128 * GIB, 118 * GIB, (SPARK,)), PlanWishes(), {"gpu_layers": 37}),
        # Experts on the processor save nothing on Metal; they can be asked for.
        (GPT_OSS_20B, Hardware("darwin", "", 8, 24 * GIB, 20 * GIB, (APPLE,)), PlanWishes(cpu_experts=4),
         {"gpu_layers": 25, "cpu_experts": 4, "mapped": True}),
        # Small models: plain plans. A device that was chosen is used.
        (TINY, PC, PlanWishes(),
         {"gpu_layers": 0, "mapped": True, "repacked": False, "threads": 0, "context": 8192, "batch": 256}),
        (TINY, replace(SMALL, ram_bytes=GIB * 4, free_ram_bytes=GIB), PlanWishes(), {"context": 8192}),
        (TINY, PC, PlanWishes(device="graphics"), {"gpu_layers": 5, "cpu_experts": 0}),
        (replace(TINY, trained_context=100), PC, PlanWishes(), {"context": 100, "batch": 100}),
        (replace(TINY, trained_context=100), PC, PlanWishes(device="graphics"), {"context": 100, "gpu_layers": 5}),
        (replace(TINY, trained_context=20_000), PC, PlanWishes(), {"context": 20_000}),
        (BENCH_SMALL, BARE, PlanWishes(), {"context": 32_768, "repacked": True}),
        # Not known how much memory there is: nothing is refused, and nothing copied.
        (GPT_OSS_20B, Hardware(), PlanWishes(), {"context": 32_768, "mapped": True, "gpu_layers": 0}),
        (GPT_OSS_20B, Hardware(devices=(APPLE,)), PlanWishes(), {"gpu_layers": 25}),
        # A dense model: all of it with a smaller context before a part of it, a smaller cache before a small context.
        (dense(), PC, PlanWishes(), {"gpu_layers": 33, "context": 12_288, "cpu_experts": 0}),
        (dense(), PC, PlanWishes(cpu_experts=7), {"gpu_layers": 33, "cpu_experts": 0}),
        (dense(layer_bytes=300_000_000), PC, PlanWishes(), {"gpu_layers": 19, "context": 8192}),
        (dense(layer_bytes=300_000_000), replace(BARE, free_ram_bytes=217 * GIB // 20), PlanWishes(),
         {"cache_type": CacheType.Q8_0, "context": 8192}),
        (dense(layer_bytes=300_000_000), replace(BARE, free_ram_bytes=217 * GIB // 20),
         PlanWishes(flash_attention=False, batch=64), {"cache_type": CacheType.F16, "context": 4096}),
    ],
)  # fmt: skip
def test_the_rest_is_chosen_around_it(
    weights: ModelWeights, hardware: Hardware, wishes: PlanWishes, expected: dict[str, object]
) -> None:
    chosen = plan(weights, hardware, wishes)
    assert {name: getattr(chosen.plan, name) for name in expected} == expected
    assert chosen.verdict is not Verdict.TOO_SMALL


@pytest.mark.parametrize(
    ("weights", "hardware", "wishes", "sentence"),
    [
        (
            GPT_OSS_20B,
            PC,
            PlanWishes(gpu_layers=25, cpu_experts=0),
            "The model with 24 layers on the graphics card takes 11 GB on the graphics card, which has room for",
        ),
        (
            GPT_OSS_20B,
            PC,
            PlanWishes(context=200_000, device="graphics", gpu_layers=24, cpu_experts=14),
            "A context of 131,072 tokens takes 8.6 GB on the graphics card, which has room for 6.2 GB.",
        ),
        (
            GPT_OSS_20B,
            replace(BARE, ram_bytes=16 * GIB),
            PlanWishes(context=131_072),
            "A context of 131,072 tokens takes 14.5 GB of memory, and there is room for 14 GB.",
        ),
        (
            GPT_OSS_20B,
            replace(BARE, ram_bytes=16 * GIB),
            PlanWishes(batch=16_384, context=16_384),
            "Reading 16,384 tokens at once takes",
        ),
        (GPT_OSS_20B, BARE, PlanWishes(flash_attention=False, context=131_072, batch=1024), "Reading 1,024 tokens"),
        (
            GPT_OSS_20B,
            replace(BARE, ram_bytes=16 * GIB),
            PlanWishes(mapped=True, repacked=True),
            "The model with its weights rearranged takes 22.2 GB of memory, and there is room for 14 GB.",
        ),
        (
            GPT_OSS_20B,
            replace(BARE, ram_bytes=16 * GIB, free_ram_bytes=11 * GIB),
            PlanWishes(locked=True),
            "The model kept in memory takes 11.5 GB of memory, and there is room for 10.2 GB.",
        ),
        (
            dense(layer_bytes=300_000_000),
            PC,
            PlanWishes(device="graphics", context=60_000, cache_type=CacheType.F16, gpu_layers=32),
            "The model with 32 layers on the graphics card takes",
        ),
        (
            replace(GPT_OSS_20B, heads=4096),
            replace(BARE, ram_bytes=16 * GIB, free_ram_bytes=13 * GIB),
            PlanWishes(flash_attention=False),
            "The model without flash attention takes",
        ),
        (
            GPT_OSS_20B,
            replace(PC, devices=(replace(CARD, free_bytes=GIB),)),
            PlanWishes(device="graphics"),
            "The model on this device alone takes",
        ),
        # Nothing is to blame alone.
        (
            GPT_OSS_20B,
            replace(BARE, ram_bytes=16 * GIB),
            PlanWishes(mapped=True, repacked=True, context=131_072),
            "The model with these hardware settings takes",
        ),
        # The machine is too small for the model, and the card for what is put on it.
        (GPT_OSS_120B, PC, PlanWishes(gpu_layers=25, cpu_experts=0), "The model with these hardware settings takes"),
    ],
)
def test_a_wish_that_cannot_be_is_named(
    weights: ModelWeights, hardware: Hardware, wishes: PlanWishes, sentence: str
) -> None:
    with pytest.raises(UserError) as raised:
        plan(weights, hardware, wishes)
    assert raised.value.what.startswith(sentence)
    assert raised.value.code in (ErrorCode.TOO_LARGE_FOR_DEVICE, ErrorCode.TOO_LARGE_FOR_MEMORY)
    assert "{" not in str(raised.value)


@pytest.mark.parametrize(
    ("hardware", "wishes", "code"),
    [
        (BARE, PlanWishes(device="graphics"), ErrorCode.DEVICE_MISSING),
        (BARE, PlanWishes(gpu_layers=4), ErrorCode.DEVICE_MISSING),
        (PC, PlanWishes(device="CUDA1"), ErrorCode.DEVICE_MISSING),
        (PC, PlanWishes(cache_type=CacheType.Q8_0, flash_attention=False), ErrorCode.WISHES_CONFLICT),
    ],
)
def test_wishes_that_make_no_sense_here(hardware: Hardware, wishes: PlanWishes, code: ErrorCode) -> None:
    with pytest.raises(UserError) as raised:
        plan(GPT_OSS_20B, hardware, wishes)
    assert raised.value.code is code
    assert "{" not in str(raised.value)


def test_a_machine_that_is_too_small_stays_so_with_wishes() -> None:
    planned = plan(GPT_OSS_20B, SMALL, PlanWishes(context=6000, threads=2))
    assert planned.verdict is Verdict.TOO_SMALL
    assert (planned.plan.context, planned.plan.threads) == (6000, 2)
    assert planned.ram_needed > planned.room.ram_most


def test_all_layers_are_all_of_the_model() -> None:
    roomy = replace(PC, devices=(LARGE_CARD,))
    for wished in (24, 25, 1000):
        planned = plan(GPT_OSS_20B, roomy, PlanWishes(gpu_layers=wished))
        assert planned.explanation.code is PlanCode.ON_CARD
    assert str(plan(GPT_OSS_20B, roomy, PlanWishes(gpu_layers=23)).explanation).startswith("23 of 24 layers run on")
    assert str(plan(GPT_OSS_20B, roomy, PlanWishes(gpu_layers=1)).explanation).startswith("1 of 24 layers run on")


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_no_plan_has_the_output_matrix_alone_on_a_card(layers: int) -> None:
    weights = dense(layers=layers, layer_bytes=6 * GIB)
    planned = plan(weights, replace(PC, devices=(LARGE_CARD,)))
    for chosen in (planned.plan, *safer(weights, replace(PC, devices=(LARGE_CARD,)), planned)):
        assert chosen.gpu_layers != 1


# ---- One of several cards ----

SECOND_CARD = replace(LARGE_CARD, name="CUDA0", free_bytes=21 * GIB)
TWO_CARDS = Hardware("linux", "a processor", 16, 128 * GIB, 120 * GIB, (SECOND_CARD, LARGE_CARD))
UNUSED = "A model uses one graphics card only; not used: NVIDIA GeForce RTX 4090."


@pytest.mark.parametrize(
    ("weights", "hardware", "wishes", "told"),
    [
        (GPT_OSS_120B, TWO_CARDS, PlanWishes(), UNUSED),
        (GPT_OSS_120B, TWO_CARDS, PlanWishes(device="CUDA0"), UNUSED),
        (GPT_OSS_20B, TWO_CARDS, PlanWishes(gpu_layers=20), UNUSED),
        (
            GPT_OSS_120B,
            replace(TWO_CARDS, devices=(*TWO_CARDS.devices, CARD, IRIS)),
            PlanWishes(),
            "A model uses one graphics card only; not used: NVIDIA GeForce RTX 4090, NVIDIA GeForce RTX 4060.",
        ),
        # A machine that is too small would not be, with all of its cards.
        (GPT_OSS_120B, replace(TWO_CARDS, ram_bytes=32 * GIB, free_ram_bytes=28 * GIB), PlanWishes(), UNUSED),
        # All of it is on one, or there is no other that would help.
        (GPT_OSS_20B, TWO_CARDS, PlanWishes(), ""),
        (GPT_OSS_20B, replace(PC, devices=(CARD, IRIS)), PlanWishes(), ""),
        (GPT_OSS_120B, TWO_CARDS, PlanWishes(device="processor"), ""),
    ],
)  # fmt: skip
def test_cards_that_stay_idle_are_named(
    weights: ModelWeights, hardware: Hardware, wishes: PlanWishes, told: str
) -> None:
    explanation = str(plan(weights, hardware, wishes).explanation)
    assert explanation.endswith(told)
    assert ("not used" in explanation) is bool(told)


# ---- Plans that were not made here ----


def test_any_plan_can_be_explained() -> None:
    planned = plan(GPT_OSS_120B, TWO_CARDS)
    assert explained(GPT_OSS_120B, TWO_CARDS, planned.plan) == planned.explanation
    for after in safer(GPT_OSS_120B, TWO_CARDS, planned):
        told = str(explained(GPT_OSS_120B, TWO_CARDS, after))
        assert f"{after.context:,} tokens" in told
        assert told.startswith("Runs on the processor") is (after.gpu_layers == 0)
    # llama.cpp's own choice of devices, or one that is gone.
    for name in ("", "CUDA7"):
        strange = replace(planned.plan, device=name)
        assert "NVIDIA GeForce RTX 4090" in str(explained(GPT_OSS_120B, TWO_CARDS, strange))
    assert str(explained(GPT_OSS_20B, BARE, LoadPlan(context=4096, gpu_layers=25, device="CUDA0"))) == (
        "Runs on the processor, with 4,096 tokens of context."
    )


def test_room_is_never_below_nothing() -> None:
    small = Hardware("win32", "", 1, GIB, GIB // 4, (replace(CARD, free_bytes=1), replace(APPLE, free_bytes=1)))
    assert room_of(small, small.devices[0]) == room_of(small, None)
    shared = room_of(small, small.devices[1])
    assert (shared.device, shared.ram_now, shared.ram_most, shared.shared) == (0, 0, 0, True)


@pytest.mark.parametrize(
    ("size", "shown", "sold"),
    [
        (1, "0.1", "1"),
        (GIB, "1", "2"),
        (GIB * 3 // 2, "1.5", "2"),
        (8_400_000_000, "7.9", "8"),
        (GIB * 10, "10", "10"),
        (GIB * 21 // 2, "10.5", "10"),
        (GIB * 63, "63", "64"),
        (2000 * GIB, "2,000", "2,000"),
    ],
)
def test_sizes_are_told_as_people_know_them(size: int, shown: str, sold: str) -> None:
    assert gigabytes(size) == shown
    assert built_in(size) == sold


def test_every_code_has_a_sentence() -> None:
    assert set(PLAN_SENTENCES) == set(PlanCode)
    for code, sentence in PLAN_SENTENCES.items():
        names = re.findall(r"{(\w+)}", sentence)
        assert "{" not in str(note(code, **dict.fromkeys(names, 1)))
