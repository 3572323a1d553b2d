"""What a model's weights take, layer by layer: the value the offload planner works on.

Read from a model file by ``app/gguf/weights.py``. Sizes in bytes, as the tensors stand in the file, which is what
llama.cpp allocates for them on every device (it pads each tensor by less than 256 bytes).
"""

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One layer. ``expert_bytes`` of its ``total_bytes`` are expert blocks, which may stand elsewhere.

    ``key_width`` and ``value_width`` are the numbers that one token leaves in the layer's KV cache (KV heads times head
    size; 0: the layer keeps none). ``windowed``: it sees only the model's sliding window. ``start`` and ``end`` are its
    place in the file: Metal maps the stretch from the first to the last tensor it gets, whatever lies between.
    """

    total_bytes: int
    expert_bytes: int
    key_width: int
    value_width: int
    windowed: bool
    start: int
    end: int


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
        return self.input_bytes + self.output_bytes + sum(layer.total_bytes for layer in self.layers)

    @property
    def mixed(self) -> bool:
        """Whether it has experts that can stand apart from the rest of their layers."""
        return any(layer.expert_bytes for layer in self.layers)
