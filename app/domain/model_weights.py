"""What a model's weights take, layer by layer: the value the offload planner works on.

Read from a model file by ``app/gguf/weights.py``. Sizes in bytes, as the tensors stand in the file, which is what
llama.cpp allocates for them on every device (it pads each tensor by less than 256 bytes).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One layer. ``expert_bytes`` of its ``total_bytes`` are expert blocks, which may stand elsewhere.

    ``key_width`` and ``value_width`` are the numbers that one token leaves in the layer's KV cache (KV heads times head
    size; 0: the layer keeps none). ``windowed``: it sees only the model's sliding window. ``start`` and ``end`` are its
    place in the file: Metal maps the stretch from the first to the last tensor it gets, whatever lies between.
    ``state_bytes`` is what a recurrent layer (Mamba, RWKV) keeps instead, however long the context.
    """

    total_bytes: int
    expert_bytes: int
    key_width: int
    value_width: int
    windowed: bool
    start: int
    end: int
    state_bytes: int = 0


@dataclass(frozen=True)  # no slots: it keeps its sums
class ModelWeights:
    """A model as the planner sees it.

    ``input_bytes`` are the embedding and whatever else belongs to no layer: llama.cpp keeps them with the processor
    always. ``output_bytes`` are the output matrix and its norm, the first thing that goes to a graphics device;
    ``tied``: the model has no output matrix of its own and uses a copy of the embedding there. ``output_start`` and
    ``output_end`` are its place in the file.
    ``window`` is the sliding window in tokens (0: none). ``heads`` query heads, ``query_width`` their numbers for one
    token, ``feed_forward`` the inner numbers of one token's feed-forward (all its experts together).
    ``largest_matrix_bytes``: the largest tensor of any layer, ``experts`` in a layer (0: a dense model).
    ``name`` is safe to show.
    """

    name: str
    architecture: str
    layers: tuple[LayerWeights, ...]
    input_bytes: int
    output_bytes: int
    output_start: int
    output_end: int
    tied: bool
    trained_context: int
    vocabulary: int
    width: int
    heads: int
    query_width: int
    feed_forward: int
    experts: int
    window: int
    largest_matrix_bytes: int

    @cached_property
    def total_bytes(self) -> int:
        """All weights, which is the file without its header."""
        return self.input_bytes + self.output_bytes + self.bytes_before[-1]

    @cached_property
    def bytes_before(self) -> tuple[int, ...]:
        """For each layer, and for the end, the bytes of all layers before it."""
        return tuple(accumulate((layer.total_bytes for layer in self.layers), initial=0))

    @cached_property
    def expert_bytes_before(self) -> tuple[int, ...]:
        """As `bytes_before`, of the expert blocks."""
        return tuple(accumulate((layer.expert_bytes for layer in self.layers), initial=0))

    @cached_property
    def cache_numbers_before(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """As `bytes_before`, the numbers a token leaves in the caches: of layers that see all, of windowed ones."""

        def numbers(windowed: bool) -> Iterator[int]:
            return ((layer.key_width + layer.value_width) * (layer.windowed is windowed) for layer in self.layers)

        return tuple(accumulate(numbers(False), initial=0)), tuple(accumulate(numbers(True), initial=0))

    @cached_property
    def state_bytes_before(self) -> tuple[int, ...]:
        """As `bytes_before`, of the states of recurrent layers."""
        return tuple(accumulate((layer.state_bytes for layer in self.layers), initial=0))

    @cached_property
    def mixed(self) -> bool:
        """Whether it has experts that can stand apart from the rest of their layers."""
        return self.expert_bytes_before[-1] > 0
