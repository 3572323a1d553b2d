"""The weights of a model by its header: what the offload planner needs, with no weight read."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.domain.errors import ErrorCode, UserError
from app.domain.model_weights import LayerWeights, ModelWeights
from app.domain.printable import printable
from app.gguf.header import TOKENS_KEY, Header, TensorInfo

_BLOCK: Final = re.compile(r"blk\.(\d{1,5})\.(.+)")
_RECURRENT: Final = re.compile(r"(ssm|time_mix|shortconv)[_.]")
_EXPERTS: Final = re.compile(r"ffn_(up|down|gate|gate_up)_(ch)?exps\b")
_MOST_LAYERS: Final = 4096

# A recurrent layer's state is kept in F32.
_STATE_BYTES: Final = 4
# What a scan has at hand for a token: input, gate and output of the inner size.
_SCANS: Final = 3

# Of so many layers the last has full attention, the others the window; a model file may say otherwise in a number.
# Source: load_swa_pattern in llama.cpp's src/models. Not named here, all layers count as full, which is the safe side.
_WINDOW_PATTERNS: Final = {"gpt-oss": 2, "gemma2": 2, "gemma3": 6, "gemma3n": 5, "cohere2": 4}


@dataclass(slots=True)
class _Layer:
    """A layer in the making."""

    total: int = 0
    experts: int = 0
    keys: int = 0
    values: int = 0
    recurrent: bool = False
    places: list[int] = field(default_factory=list[int])


@dataclass(slots=True)
class _Sums:
    """What the tensor list adds up to. ``largest`` counts the tensors of layers only."""

    layers: list[_Layer]
    input: int = 0
    output: int = 0
    output_places: list[int] = field(default_factory=list[int])
    embedding_place: list[int] = field(default_factory=list[int])
    largest: int = 0
    fused_attention: bool = False
    has_output: bool = False
    width: int = 0
    vocabulary: int = 0


def weights_of(header: Header, path: str, parts: Sequence[Header] = ()) -> ModelWeights:
    """The weights of the model in ``header``, and in ``parts``: the headers of the other files of a split model.

    Exact for gpt-oss; for other kinds of models, what the file does not say counts for more, not less. Of numbers that
    differ from layer to layer the largest counts. Raises ``UserError`` (``GGUF_BROKEN``) when it lacks what llama.cpp
    refuses to do without, too: the weights, or how many layers, how wide and for what context.
    """
    architecture = header.metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise _broken(path, "it names no kind of model")

    def number(key: str, otherwise: int = 0) -> int:
        key = f"{architecture}.{key}"
        values = (header.metadata.get(key), *header.lists.get(key, ()))
        return max((value for value in values if type(value) is int and value > 0), default=otherwise)

    count = number("block_count")
    if not 0 < count <= _MOST_LAYERS:
        raise _broken(path, "it does not say how many layers it has")
    sums = _summed((header, *parts), count)
    if not any(layer.total for layer in sums.layers):
        raise _broken(path, "it has no weights")

    width, context = number("embedding_length", sums.width), number("context_length")
    if not (width and context):
        raise _broken(path, "it does not say how large its layers are")
    # None at all in models without attention.
    heads = number("attention.head_count")
    head_width = number("attention.key_length", width // heads) if heads else 0
    kv_heads = number("attention.head_count_kv", heads)
    _complete_cache(
        sums,
        keys=kv_heads * head_width,
        values=kv_heads * number("attention.value_length", head_width),
        latent=number("attention.kv_lora_rank"),
        rotary=number("rope.dimension_count"),
    )
    state = _state_numbers(number, width, heads)
    inner = number("ssm.inner_size")

    window = number("attention.sliding_window")
    pattern = number("attention.sliding_window_pattern", _WINDOW_PATTERNS.get(architecture, 0)) if window else 0
    dense = number("feed_forward_length", 4 * width)
    used = number("expert_used_count")
    name = header.metadata.get("general.name")
    output_places = sums.output_places + ([] if sums.has_output else sums.embedding_place)
    return ModelWeights(
        name=printable(name if isinstance(name, str) and name else architecture),
        architecture=printable(architecture),
        layers=tuple(
            LayerWeights(
                total_bytes=layer.total,
                expert_bytes=layer.experts,
                key_width=layer.keys,
                value_width=layer.values,
                windowed=pattern > 0 and place % pattern < pattern - 1,
                start=min(layer.places),
                end=max(layer.places),
                state_bytes=_STATE_BYTES * state if layer.recurrent else 0,
            )
            for place, layer in enumerate(sums.layers)
        ),
        input_bytes=sums.input,
        output_bytes=sums.output,
        output_start=min(output_places, default=0),
        output_end=max(output_places, default=0),
        tied=not sums.has_output,
        trained_context=context,
        vocabulary=header.arrays.get(TOKENS_KEY) or sums.vocabulary,
        width=width,
        heads=heads,
        query_width=heads * head_width,
        feed_forward=max(
            dense if not used else 0, used * max(number("expert_feed_forward_length", dense), width), _SCANS * inner
        ),
        experts=number("expert_count"),
        window=window if pattern > 1 else 0,
        largest_matrix_bytes=sums.largest,
    )


def _summed(headers: Sequence[Header], count: int) -> _Sums:
    sums = _Sums([_Layer() for _ in range(count)])
    base = 0
    for header in headers:
        for tensor in header.tensors:
            start = base + header.data_offset + tensor.offset
            _add(sums, tensor, [start, start + tensor.size_bytes])
        base += header.size_bytes
    # A layer may be left out of a model altogether (DeciLM): it stands nowhere, behind the one before.
    end = min((place for layer in sums.layers for place in layer.places), default=0)
    for layer in sums.layers:
        layer.places = layer.places or [end]
        end = max(layer.places)
    return sums


def _add(sums: _Sums, tensor: TensorInfo, place: list[int]) -> None:
    size = tensor.size_bytes
    block = _BLOCK.fullmatch(tensor.name)
    if block is not None and int(block[1]) < len(sums.layers):
        layer, name = sums.layers[int(block[1])], block[2]
        layer.total += size
        layer.places += place
        layer.recurrent = layer.recurrent or _RECURRENT.match(name) is not None
        sums.largest = max(sums.largest, size)
        if _EXPERTS.match(name):
            layer.experts += size
        elif name == "attn_k.weight":
            layer.keys = tensor.elements // tensor.shape[0]
        elif name == "attn_v.weight":
            layer.values = tensor.elements // tensor.shape[0]
        elif name.startswith("attn_qkv"):
            sums.fused_attention = True
    elif tensor.name.startswith("output"):
        sums.output += size
        sums.output_places += place
        sums.has_output = sums.has_output or tensor.name == "output.weight"
    else:
        # Embeddings, and layers beyond the model's own (drafts of later tokens).
        sums.input += size
        if tensor.name == "token_embd.weight":
            sums.embedding_place = place
            sums.width, sums.vocabulary = tensor.shape[0], tensor.elements // tensor.shape[0]


def _complete_cache(sums: _Sums, *, keys: int, values: int, latent: int, rotary: int) -> None:
    """Fill in what the tensors do not show: one fused matrix, or DeepSeek's latent cache, which replaces both."""
    for layer in sums.layers:
        if latent:
            layer.keys, layer.values = latent + rotary, 0
        elif sums.fused_attention and not layer.keys:
            layer.keys, layer.values = keys, values
        elif layer.keys and not layer.values:
            layer.values = layer.keys


def _state_numbers(number: Callable[..., int], width: int, heads: int) -> int:
    """The numbers of a recurrent layer's state, for a context of any length. Source: ``n_embd_r`` and ``n_embd_s`` in
    llama.cpp's llama-hparams.cpp; a model has one of these kinds, the others add nothing.
    """
    kernel, inner, state = number("ssm.conv_kernel"), number("ssm.inner_size"), number("ssm.state_size")
    mixes, short, delta = number("wkv.head_size"), number("shortconv.l_cache"), number("kda.head_dim")
    numbers = inner * state + max(0, kernel - 1) * (inner + 2 * number("ssm.group_count") * state)
    if mixes:
        numbers += width * (number("token_shift_count", 2) + mixes)
    if short:
        numbers += width * (short - 1)
    if delta:
        numbers += delta * heads * (3 * (kernel - 1 if kernel else 3) + delta)
    return numbers


def _broken(path: str, reason: str) -> UserError:
    return UserError(ErrorCode.GGUF_BROKEN, path=path, reason=reason)
