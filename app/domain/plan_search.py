"""Which load plans come into question for a model on a machine, best first, and the first of them that fits."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from app.domain.hardware import Device, Hardware
from app.domain.load_plan import CacheType, LoadPlan
from app.domain.memory_room import AUTOMATIC, GRAPHICS, Room, chosen_device, room_of
from app.domain.model_memory import Memory, cache_bytes, maps_files, memory_of, output_stretches
from app.domain.model_weights import ModelWeights
from app.domain.plan_wishes import PlanWishes

# People's chats seldom pass the usual length; more is taken where it costs little of what is left on the device.
USUAL_CONTEXT: Final = 32_768
MODEST_CONTEXT: Final = 8192
LEAST_CONTEXT: Final = 4096
_LARGE_CONTEXTS: Final = (131_072, 65_536)
_CONTEXTS: Final = (USUAL_CONTEXT, 24_576, 16_384, 12_288, MODEST_CONTEXT, LEAST_CONTEXT)
_LARGE_SHARE: Final = 4

# Below this the processor alone is fastest: starting a device's work costs more than it computes.
TINY_BYTES: Final = 50 * 1024 * 1024

# A batch is also the longest that a cancelled read goes on: a graphics device does 512 tokens in less time than the
# processor 256. Matrices that are copied to the device for a batch ask for no less.
DEVICE_BATCH: Final = 512
PROCESSOR_BATCH: Final = 256

# Where experts or layers compete with it, the cache may take this share of the device.
_CACHE_SHARE: Final = 8
# Fewer layers than this share on a device do not pay for the way there and back.
_LEAST_LAYERS_SHARE: Final = 4
# Below this share of the main memory there may be more than a modest context.
_RELAXED_SHARE: Final = 0.7
# Weights are copied instead of mapped below both shares: of all main memory, and of what is free. Copied they cannot be
# dropped when memory is short, but can be laid out for the processor (prompts are read a third faster) and pinned for a
# graphics card (which reads them faster).
_COPIED_SHARE: Final = 0.5
_COPIED_FREE_SHARE: Final = 0.75
# A processor that only feeds a graphics device needs no more.
_FEEDING_THREADS: Final = 4

# With attention sinks, llama.cpp's kernels for a quantized cache are slow or leave work to the processor (half the
# speed and less, reported for CUDA and ROCm), and gpt-oss's cache is small.
_SLOW_QUANTIZED_CACHE: Final = frozenset({"gpt-oss"})


class PlanSearch:
    """The plans for one model, machine and set of wishes. ``device`` is where layers may go."""

    def __init__(self, weights: ModelWeights, hardware: Hardware, wishes: PlanWishes) -> None:
        """Raises ``UserError``, ``DEVICE_MISSING``."""
        self._weights = weights
        self._hardware = hardware
        self._wishes = wishes
        self.device: Device | None = None
        wanted = wishes.device or (GRAPHICS if wishes.gpu_layers else AUTOMATIC)
        tiny = weights.total_bytes < TINY_BYTES and wanted == AUTOMATIC
        if wishes.gpu_layers != 0 and not tiny:
            self.device = chosen_device(hardware, wanted)
        self.room: Room = room_of(hardware, self.device)

    def memory(self, plan: LoadPlan) -> Memory:
        """What ``plan`` takes."""
        return memory_of(self._weights, plan, self.device)

    def now(self) -> LoadPlan | None:
        """The best plan that fits beside what runs now."""
        for plan in self._candidates():
            settled = self._settled(plan)
            if self._fits_now(settled):
                return self._enlarged(settled)
        return None

    def alone(self) -> LoadPlan | None:
        """The best plan that fits when other programs are closed, with a modest context. None where the memory shall be
        locked: that would take it from programs that run.
        """
        if self._wishes.locked:
            return None
        return next((plan for plan in self._savings() if self.room.fits_alone(self.memory(plan))), None)

    def least(self) -> LoadPlan:
        """The plan that is nearest to what the machine holds, for when it holds none."""

        def excess(plan: LoadPlan) -> tuple[int, int]:
            memory = self.memory(plan)
            return max(0, memory.device_bytes - self.room.device), self.room.ram_needed(memory)

        return min(self._savings(), key=excess)

    def _savings(self) -> Iterator[LoadPlan]:
        """All candidates with as little of the main memory as the wishes allow, each once."""
        seen: set[LoadPlan] = set()
        for plan in self._candidates():
            if not self._wishes.context and plan.context > MODEST_CONTEXT:
                plan = replace(plan, context=MODEST_CONTEXT)
            thrifty = self._thrifty(plan)
            if thrifty not in seen:
                seen.add(thrifty)
                yield thrifty

    # ---- Candidates, best first ----

    def _candidates(self) -> Iterator[LoadPlan]:
        if self.device is not None:
            yield from self._on_device(self.device)
        if self.device is None or (self._wishes.device == AUTOMATIC and not self._wishes.gpu_layers):
            for context, cache_type in self._contexts(USUAL_CONTEXT):
                yield self._plan(context, cache_type, 0, 0)

    def _on_device(self, device: Device) -> Iterator[LoadPlan]:
        layers = len(self._weights.layers)
        # The user counts the model's layers, llama.cpp the output matrix as one more, the first that goes.
        most = min(self._wishes.gpu_layers or layers, layers) + 1
        wished_experts = self._wishes.cpu_experts
        beside = 0 if wished_experts is None else min(wished_experts, layers)
        movable = wished_experts is None and self._weights.mixed and not maps_files(device)
        wide = tuple(self._contexts(USUAL_CONTEXT))
        narrow = tuple(self._contexts(self._length_beside_layers()))
        for context, cache_type in wide:
            if context >= min(MODEST_CONTEXT, wide[0][0]):
                yield self._plan(context, cache_type, most, beside)
        if movable:
            for context, cache_type in narrow:
                for experts in range(1, layers + 1):
                    yield self._plan(context, cache_type, most, experts)
        if self._wishes.gpu_layers is None:
            for context, cache_type in narrow:
                for count in range(layers, max(1, layers // _LEAST_LAYERS_SHARE), -1):
                    yield self._plan(context, cache_type, count, layers if movable else beside)
        yield self._plan(*wide[-1], most, layers if movable else beside)

    def _contexts(self, most: int) -> Iterator[tuple[int, CacheType]]:
        """Context lengths with the cache's precision, the largest first."""
        trained, wished = self._weights.trained_context, self._wishes.context
        lengths = [length for length in _CONTEXTS if length <= min(most, trained)] or [trained]
        if wished:
            lengths = [min(wished, trained)]
        elif lengths[0] < trained < most:
            lengths.insert(0, trained)
        kind = self._wishes.cache_type
        quantizable = (
            kind is None
            and self._wishes.flash_attention is not False
            and self._weights.architecture not in _SLOW_QUANTIZED_CACHE
        )
        for length in lengths:
            if quantizable and length == LEAST_CONTEXT and MODEST_CONTEXT in lengths:
                yield MODEST_CONTEXT, CacheType.Q8_0
            yield length, kind or CacheType.F16

    def _length_beside_layers(self) -> int:
        """The longest context whose cache leaves the device to the layers."""

        def leaves_room(context: int) -> bool:
            plan = self._plan(context, self._wishes.cache_type or CacheType.F16, 1, 0)
            cache = cache_bytes(self._weights, plan)
            return cache * _CACHE_SHARE <= self.room.device

        return next((context for context in _CONTEXTS[:-2] if leaves_room(context)), MODEST_CONTEXT)

    def _plan(self, context: int, cache_type: CacheType, gpu_layers: int, cpu_experts: int) -> LoadPlan:
        wishes = self._wishes
        full = gpu_layers > len(self._weights.layers) and not (cpu_experts and self._weights.mixed)
        batch = wishes.batch or (DEVICE_BATCH if gpu_layers else PROCESSOR_BATCH)
        return LoadPlan(
            context=context,
            threads=wishes.threads or (min(self._hardware.cores, _FEEDING_THREADS) if full else 0),
            gpu_layers=gpu_layers,
            device=self.device.name if self.device is not None and gpu_layers else "",
            cpu_experts=cpu_experts if self._weights.mixed else 0,
            cache_type=cache_type,
            flash_attention=wishes.flash_attention is not False,
            locked=bool(wishes.locked),
            batch=min(batch, context),
        )

    # ---- Mapping, and what is left over ----

    def _settled(self, plan: LoadPlan) -> LoadPlan:
        """With the weights copied where that is faster and the memory is ample, mapped elsewhere."""
        copied = self._copied(plan)
        all_on_device = plan.gpu_layers > len(self._weights.layers) and not plan.cpu_experts
        pays = self._weights.total_bytes >= TINY_BYTES and not all_on_device
        if self.device is not None and plan.gpu_layers and maps_files(self.device):
            pays = False
        memory = self.memory(copied)
        ample = (
            memory.anonymous_bytes <= _COPIED_SHARE * self._hardware.ram_bytes
            and memory.anonymous_bytes <= _COPIED_FREE_SHARE * self.room.ram_now
        )
        if self._wishes.mapped is None and pays and ample:
            return copied
        return self._thrifty(plan)

    def _thrifty(self, plan: LoadPlan) -> LoadPlan:
        """Mapped as it is, where the wishes and the device allow it."""
        mapped = self._wishes.mapped
        if mapped is None:
            # Integrated graphics other than Apple's cannot use the file's pages; repacked, they would stand twice.
            copies = self.room.shared and self.device is not None and not maps_files(self.device)
            mapped = not (copies and plan.gpu_layers) and not self._wishes.repacked
        if not mapped:
            return self._copied(plan)
        apart = self.device is not None and output_stretches(self._weights, plan.gpu_layers, self.device)
        return replace(plan, mapped=True, repacked=bool(self._wishes.repacked), output_beside=apart)

    def _copied(self, plan: LoadPlan) -> LoadPlan:
        repacked = plan.gpu_layers == 0 if self._wishes.repacked is None else self._wishes.repacked
        return replace(plan, mapped=False, repacked=repacked)

    def _fits_now(self, plan: LoadPlan) -> bool:
        memory = self.memory(plan)
        relaxed = (
            plan.context <= MODEST_CONTEXT
            or bool(self._wishes.context)
            or not self._hardware.ram_bytes
            or self.room.ram_needed(memory) <= _RELAXED_SHARE * self._hardware.ram_bytes
        )
        return relaxed and self.room.fits_now(memory)

    def _enlarged(self, plan: LoadPlan) -> LoadPlan:
        """With a larger context where all layers are on a device that has plenty of room."""
        on_device = plan.gpu_layers > len(self._weights.layers) and not plan.cpu_experts
        if not on_device or self._wishes.context or plan.context != USUAL_CONTEXT:
            return plan
        taken = self.memory(plan).device_bytes
        for context in _LARGE_CONTEXTS:
            larger = replace(plan, context=context)
            extra = self.memory(larger).device_bytes - taken
            if (
                context <= self._weights.trained_context
                and extra * _LARGE_SHARE <= self.room.device - taken
                and self._fits_now(larger)
            ):
                return larger
        return plan
