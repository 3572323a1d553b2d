"""The offload plan: where a model's layers, experts and cache go on a machine, and how it is loaded.

Pure: from the weights (``app/gguf/weights.py``) and the hardware as it is now, in order of what makes answers fast:

1. all layers on the graphics device, with as much context as fits, from 8,192 tokens up;
2. attention and cache of all layers on it, and the experts of as few layers as possible on the processor: a token uses
   a few of the experts only, so that they lose least there (llama.cpp's ``--n-cpu-moe``; published for gpt-oss-20b on a
   card of 8 GB: 12 of 24 layers at 4,096 tokens, 36 tokens a second);
3. the last layers on it;
4. all on the processor.

Metal works on the mapped file and holds the whole stretch between the first and the last tensor it gets, with experts
that are not its own: there step 2 saves nothing and is left out, and in step 3 the output matrix stays with the
processor where the file begins with it.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from app.domain.errors import ErrorCode, UserError
from app.domain.hardware import Device, Hardware
from app.domain.load_plan import CacheType, LoadPlan
from app.domain.memory_room import GRAPHICS, Room, chosen_device, idle_cards, system_bytes
from app.domain.model_memory import Memory, shares_memory
from app.domain.model_weights import ModelWeights
from app.domain.plan_search import PlanSearch
from app.domain.plan_wishes import PlanWishes
from app.domain.plan_words import PlanCode, PlanNote, about, built_in, gigabytes, note, room


class Verdict(StrEnum):
    """Whether a plan fits now, only when other programs are closed, or not at all (it would swap without end)."""

    FITS = "fits"
    TIGHT = "tight"
    TOO_SMALL = "too-small"


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, what it takes where, and what to say about it. ``device`` is the one its layers go to.

    ``ram_needed`` is what it takes of the main memory, a shared device's part too; ``room`` is what there is.
    """

    plan: LoadPlan
    memory: Memory
    verdict: Verdict
    explanation: PlanNote
    advice: PlanNote | None
    device: Device | None
    room: Room

    @property
    def ram_needed(self) -> int:
        """Bytes of main memory, file pages and a shared device's part included."""
        return self.room.ram_needed(self.memory)


def plan(weights: ModelWeights, hardware: Hardware, wishes: PlanWishes | None = None) -> Planned:
    """The best plan that ``wishes`` allow on ``hardware`` as it is when the model is not loaded.

    A machine that is too small gets the plan that is nearest to it, and the verdict. Raises ``UserError``:
    ``TOO_LARGE_FOR_DEVICE`` and ``TOO_LARGE_FOR_MEMORY`` when it is a wish that cannot fit, ``DEVICE_MISSING``,
    ``WISHES_CONFLICT``.
    """
    wishes = wishes or PlanWishes()
    if wishes.cache_type is CacheType.Q8_0 and wishes.flash_attention is False:
        raise UserError(ErrorCode.WISHES_CONFLICT)
    search = PlanSearch(weights, hardware, wishes)
    if (chosen := search.now()) is not None:
        verdict = Verdict.FITS
    elif (chosen := search.alone()) is not None:
        verdict = Verdict.TIGHT
    else:
        chosen, verdict = search.least(), Verdict.TOO_SMALL
        if not search.room.device_holds(search.memory(chosen)) or _holds_without_wishes(weights, hardware, wishes):
            raise _too_large(weights, hardware, wishes, search)
    memory = search.memory(chosen)
    device = search.device if chosen.gpu_layers else None
    advice = None
    if verdict is Verdict.TIGHT:
        missing = max(1, search.room.ram_needed(memory) - search.room.ram_now)
        advice = note(PlanCode.CLOSE_PROGRAMS, missing=gigabytes(missing))
    if verdict is Verdict.TOO_SMALL:
        advice = note(PlanCode.SMALLER_MODEL)
        explanation = _with_idle_cards(_too_small(weights, hardware, device, search.room, memory), hardware, device)
    else:
        explanation = _with_idle_cards(_explained(weights, chosen, device), hardware, device)
    return Planned(chosen, memory, verdict, explanation, advice, device, search.room)


def _holds_without_wishes(weights: ModelWeights, hardware: Hardware, wishes: PlanWishes) -> bool:
    if wishes == PlanWishes():
        return False
    free = PlanSearch(weights, hardware, PlanWishes())
    return free.now() is not None or free.alone() is not None


# ---- What is said ----


def explained(weights: ModelWeights, hardware: Hardware, chosen: LoadPlan) -> PlanNote:
    """Where the model runs with a plan that was not made for the moment: a safer one, or one that worked before."""
    device = None
    if chosen.gpu_layers and hardware.graphics:
        named = next((device for device in hardware.graphics if device.name == chosen.device), None)
        device = named or chosen_device(hardware, GRAPHICS)
    return _with_idle_cards(_explained(weights, chosen, device), hardware, device)


def _with_idle_cards(told: PlanNote, hardware: Hardware, device: Device | None) -> PlanNote:
    """``told``, and which other cards stay idle where one does not hold the whole model."""
    idle = () if device is None or told.code is PlanCode.ON_CARD else idle_cards(hardware, device)
    if not idle:
        return told
    return replace(told, more=note(PlanCode.ONE_CARD_ONLY, others=", ".join(card.description for card in idle)))


def _explained(weights: ModelWeights, chosen: LoadPlan, device: Device | None) -> PlanNote:
    layers = len(weights.layers)
    if device is None:
        return note(PlanCode.ON_PROCESSOR, context=chosen.context)
    if chosen.gpu_layers <= layers:
        on_device = chosen.gpu_layers - 1
        bare = chosen.cpu_experts - (layers - on_device) if weights.mixed else 0
        return note(
            PlanCode.LAYERS_AND_EXPERTS_BESIDE if bare > 0 else PlanCode.LAYERS_BESIDE,
            on_device=on_device,
            bare=bare,
            layers=layers,
            device=device.description,
            context=chosen.context,
        )
    if chosen.cpu_experts >= layers:
        return note(PlanCode.ALL_EXPERTS_BESIDE, device=device.description, context=chosen.context)
    if chosen.cpu_experts:
        return note(
            PlanCode.EXPERTS_BESIDE,
            device=device.description,
            experts=chosen.cpu_experts,
            layers=layers,
            context=chosen.context,
        )
    code = PlanCode.ON_SHARED if shares_memory(device) else PlanCode.ON_CARD
    return note(code, device=device.description, context=chosen.context)


def _too_small(
    weights: ModelWeights, hardware: Hardware, device: Device | None, space: Room, memory: Memory
) -> PlanNote:
    needed = about(space.ram_needed(memory) + system_bytes(hardware))
    ram = built_in(hardware.ram_bytes)
    if device is None or space.shared:
        return note(PlanCode.TOO_SMALL, ram=ram, name=weights.name, needed=needed)
    card = built_in(device.total_bytes)
    return note(PlanCode.TOO_SMALL_WITH_CARD, ram=ram, card=card, name=weights.name, needed=needed)


# ---- Wishes that cannot be ----

# First what costs the user least to give up.
_EASED: Final = (
    ("batch", PlanCode.WISH_BATCH),
    ("flash_attention", PlanCode.WISH_NO_FLASH),
    ("repacked", PlanCode.WISH_REPACKED),
    ("mapped", PlanCode.WISH_COPIED),
    ("locked", PlanCode.WISH_LOCKED),
    ("context", PlanCode.WISH_CONTEXT),
    ("gpu_layers", PlanCode.WISH_LAYERS),
    ("cpu_experts", PlanCode.WISH_EXPERTS),
    ("device", PlanCode.WISH_DEVICE),
)


def _too_large(weights: ModelWeights, hardware: Hardware, wishes: PlanWishes, search: PlanSearch) -> UserError:
    """The error that names the first wish without which the others fit, and what it lacks."""
    memory = search.memory(search.least())
    what = note(PlanCode.WISHES)
    automatic = PlanWishes()
    layers = len(weights.layers)
    most = {"gpu_layers": layers, "cpu_experts": layers, "context": weights.trained_context}
    for name, code in _EASED:
        value = getattr(wishes, name)
        if value == getattr(automatic, name):
            continue
        eased = PlanSearch(weights, hardware, replace(wishes, **{name: getattr(automatic, name)}))
        if eased.now() is not None or eased.alone() is not None:
            what = note(code, value=min(value, most[name]) if name in most else value)
            break
    if search.room.device_holds(memory):
        held = search.room.ram_now if wishes.locked else search.room.ram_most
        needed, code = search.room.ram_needed(memory), ErrorCode.TOO_LARGE_FOR_MEMORY
    else:
        needed, held, code = memory.device_bytes, search.room.device, ErrorCode.TOO_LARGE_FOR_DEVICE
    return UserError(code, what=str(what), needed=gigabytes(needed), room=room(held))
