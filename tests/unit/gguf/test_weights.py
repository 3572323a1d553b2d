"""The weights of a model by its header, and against the files themselves."""

from pathlib import Path

import pytest

from app.domain.errors import ErrorCode, UserError
from app.domain.hardware import Hardware
from app.domain.model_weights import LayerWeights, ModelWeights
from app.domain.offload import plan
from app.gguf.header import Header, read_header, read_header_file
from app.gguf.weights import weights_of
from app.resources import DEMO_MODEL
from tests.support.gguf_builder import BOOL, F32, GGUF, I32, STRING, U32, array, entry

F32_TYPE, F16_TYPE, Q8_0_TYPE, MXFP4_TYPE = 0, 1, 8, 39
Tensors = list[tuple[str, tuple[int, ...], int]]
_BYTES = {F32_TYPE: (1, 4), F16_TYPE: (1, 2), Q8_0_TYPE: (32, 34), MXFP4_TYPE: (32, 17)}

WINDOWED = "attention.sliding_window"
SMALL = {"block_count": 2, "embedding_length": 64, "context_length": 4096, "attention.head_count": 4}


def header_of(architecture: str, numbers: dict[str, int], tensors: Tensors, *more: bytes) -> Header:
    """A header with these numbers and tensors, which stand one after the other."""
    listed: list[tuple[str, tuple[int, ...], int, int]] = []
    end = 0
    for name, shape, kind in tensors:
        count = 1
        for length in shape:
            count *= length
        block, size = _BYTES[kind]
        listed.append((name, shape, kind, end))
        end += -(-count // block * size // 32) * 32
    entries = [entry("general.architecture", STRING, architecture)]
    entries += [entry(f"{architecture}.{key}", U32, value) for key, value in numbers.items()]
    data = GGUF([*entries, *more], listed, bytes(end)).build()
    return read_header(lambda offset, length: data[offset : offset + length], len(data), "x")


def layer_tensors(place: int, *, kv: int = 64) -> Tensors:
    """A dense layer of 64 numbers."""
    return [
        (f"blk.{place}.attn_q.weight", (64, 64), F16_TYPE),
        (f"blk.{place}.attn_k.weight", (64, kv), F16_TYPE),
        (f"blk.{place}.attn_v.weight", (64, kv), F16_TYPE),
        (f"blk.{place}.ffn_up.weight", (64, 128), F16_TYPE),
    ]


EMBEDDING: Tensors = [("token_embd.weight", (64, 100), F16_TYPE)]
OUTPUT: Tensors = [("output_norm.weight", (64,), F32_TYPE), ("output.weight", (64, 100), F16_TYPE)]


def test_a_model_of_gpt_oss() -> None:
    tensors: Tensors = [*EMBEDDING]
    for place in range(4):
        tensors += [
            (f"blk.{place}.attn_q.weight", (64, 128), Q8_0_TYPE),
            (f"blk.{place}.attn_k.weight", (64, 32), Q8_0_TYPE),
            (f"blk.{place}.attn_v.weight", (64, 32), Q8_0_TYPE),
            (f"blk.{place}.ffn_gate_inp.weight", (64, 4), F32_TYPE),
            (f"blk.{place}.ffn_gate_exps.weight", (64, 64, 4), MXFP4_TYPE),
            (f"blk.{place}.ffn_up_exps.weight", (64, 64, 4), MXFP4_TYPE),
            (f"blk.{place}.ffn_down_exps.weight", (64, 64, 4), MXFP4_TYPE),
            (f"blk.{place}.ffn_down_exps.bias", (64, 4), F32_TYPE),
        ]
    numbers = {
        **SMALL,
        "block_count": 4,
        "attention.head_count_kv": 1,
        "attention.key_length": 32,
        WINDOWED: 128,
        "expert_count": 4,
        "expert_used_count": 2,
        "expert_feed_forward_length": 64,
    }
    header = header_of(
        "gpt-oss",
        numbers,
        [*tensors, *OUTPUT],
        entry("general.name", STRING, "A \x1bmodel"),
        array("tokenizer.ggml.tokens", STRING, ["a", "b", "c"]),
    )
    found = weights_of(header, "x")
    experts = 3 * 4 * 64 * 64 // 32 * 17 + 4 * 64 * 4
    attention = (64 * 128 + 2 * 64 * 32) // 32 * 34
    layer = attention + 4 * 64 * 4 + experts
    start = header.data_offset + 12_800
    assert found == ModelWeights(
        name="A \ufffdmodel",
        architecture="gpt-oss",
        layers=tuple(
            LayerWeights(layer, experts, 32, 32, place % 2 == 0, start + place * layer, start + (place + 1) * layer)
            for place in range(4)
        ),
        input_bytes=12_800,
        output_bytes=12_800 + 256,
        output_start=start + 4 * layer,
        output_end=start + 4 * layer + 13_056,
        tied=False,
        trained_context=4096,
        vocabulary=3,
        width=64,
        heads=4,
        query_width=128,
        feed_forward=128,
        experts=4,
        window=128,
        largest_matrix_bytes=4 * 64 * 64 // 32 * 17,
    )
    assert found.total_bytes == sum(tensor.size_bytes for tensor in header.tensors)


@pytest.mark.parametrize(
    ("architecture", "numbers", "windowed", "window"),
    [
        ("gemma3", {"block_count": 7, WINDOWED: 512}, [1, 1, 1, 1, 1, 0, 1], 512),
        ("gemma3", {"block_count": 3}, [0, 0, 0], 0),
        # As a number in the file; one of 1 means none.
        ("olmo2", {"block_count": 3, WINDOWED: 512, f"{WINDOWED}_pattern": 3}, [1, 1, 0], 512),
        ("gpt-oss", {"block_count": 2, WINDOWED: 64, f"{WINDOWED}_pattern": 1}, [0, 0], 0),
        # Not known which: all count as full.
        ("phi3", {"block_count": 2, WINDOWED: 512}, [0, 0], 0),
    ],
)  # fmt: skip
def test_which_layers_have_the_window(
    architecture: str, numbers: dict[str, int], windowed: list[int], window: int
) -> None:
    layers = [tensor for place in range(numbers["block_count"]) for tensor in layer_tensors(place)]
    found = weights_of(header_of(architecture, {**SMALL, **numbers}, [*EMBEDDING, *layers, *OUTPUT]), "x")
    assert [int(layer.windowed) for layer in found.layers] == windowed
    assert found.window == window


def test_a_dense_model_with_its_output_in_the_embedding() -> None:
    tensors = [*EMBEDDING, *layer_tensors(0), *layer_tensors(1, kv=32), OUTPUT[0]]
    header = header_of("llama", SMALL, [*tensors, ("rope_freqs.weight", (16,), F32_TYPE)])
    found = weights_of(header, "x")
    assert found.tied
    assert (found.output_bytes, found.input_bytes) == (256, 12_800 + 64)
    # Its copy is the embedding's own place in the file.
    assert found.output_start == header.data_offset
    assert [(layer.key_width, layer.value_width) for layer in found.layers] == [(64, 64), (32, 32)]
    assert (found.experts, found.mixed, found.feed_forward) == (0, False, 256)
    assert (found.name, found.vocabulary, found.query_width) == ("llama", 100, 64)


def test_attention_in_one_matrix() -> None:
    tensors: Tensors = [(f"blk.{place}.attn_qkv.weight", (64, 128), F16_TYPE) for place in range(2)]
    numbers = {**SMALL, "attention.head_count_kv": 2, "feed_forward_length": 200}
    found = weights_of(header_of("phi3", numbers, [*EMBEDDING, *tensors, *OUTPUT]), "x")
    assert [(layer.key_width, layer.value_width) for layer in found.layers] == [(32, 32)] * 2
    assert found.feed_forward == 200


def test_a_latent_cache() -> None:
    tensors: Tensors = [(f"blk.{place}.attn_kv_a_mqa.weight", (64, 48), F16_TYPE) for place in range(2)]
    numbers = {**SMALL, "attention.kv_lora_rank": 40, "rope.dimension_count": 8}
    found = weights_of(header_of("deepseek2", numbers, [*EMBEDDING, *tensors, *OUTPUT]), "x")
    assert [(layer.key_width, layer.value_width) for layer in found.layers] == [(48, 0)] * 2


def test_layers_without_a_cache_and_keys_that_are_values_too() -> None:
    tensors = [("blk.0.ssm_in.weight", (64, 64), F16_TYPE), ("blk.1.attn_k.weight", (64, 32), F16_TYPE)]
    found = weights_of(header_of("gemma4", SMALL, [*EMBEDDING, *tensors]), "x")
    assert [(layer.key_width, layer.value_width) for layer in found.layers] == [(0, 0), (32, 32)]


def test_layers_beyond_the_models_own_stay_beside() -> None:
    tensors = [*EMBEDDING, *layer_tensors(0), *layer_tensors(1), *layer_tensors(2), *OUTPUT]
    found = weights_of(header_of("glm4moe", SMALL, tensors), "x")
    assert len(found.layers) == 2
    assert found.input_bytes == 12_800 + found.layers[0].total_bytes


def test_a_model_in_several_files() -> None:
    first = header_of("llama", SMALL, [*EMBEDDING, *layer_tensors(0)])
    second = header_of("llama", {}, [*layer_tensors(1), *OUTPUT])
    found = weights_of(first, "x", [second])
    assert found.total_bytes == sum(tensor.size_bytes for part in (first, second) for tensor in part.tensors)
    assert found.layers[1].start == first.size_bytes + second.data_offset


def test_a_model_without_any_layer() -> None:
    with pytest.raises(UserError) as raised:
        weights_of(header_of("llama", SMALL, [*EMBEDDING, *OUTPUT]), "x")
    assert "has no weights" in raised.value.what


# ---- Kinds of models without the usual attention: what llama.cpp's converter (conversion/*.py) writes for them ----

NO_HEADS = {**SMALL, "attention.head_count": 0, "feed_forward_length": 0}


def test_state_spaces_in_place_of_attention() -> None:
    numbers = {**NO_HEADS, "ssm.conv_kernel": 4, "ssm.inner_size": 128, "ssm.state_size": 16, "ssm.time_step_rank": 4}
    tensors: Tensors = [(f"blk.{place}.ssm_in.weight", (64, 256), F16_TYPE) for place in range(2)]
    found = weights_of(header_of("mamba", numbers, [*EMBEDDING, *tensors, *OUTPUT]), "x")
    assert [(layer.key_width, layer.value_width) for layer in found.layers] == [(0, 0)] * 2
    assert [layer.state_bytes for layer in found.layers] == [4 * (3 * 128 + 16 * 128)] * 2
    assert (found.heads, found.query_width) == (0, 0)
    assert found.feed_forward >= 2 * 128


def test_time_mixes_in_place_of_attention() -> None:
    numbers = {**NO_HEADS, "feed_forward_length": 224, "wkv.head_size": 32}
    tensors: Tensors = [(f"blk.{place}.time_mix_key.weight", (64, 64), F16_TYPE) for place in range(2)]
    found = weights_of(header_of("rwkv6", numbers, [*EMBEDDING, *tensors, *OUTPUT]), "x")
    assert [layer.state_bytes for layer in found.layers] == [4 * (2 * 64 + 64 * 32)] * 2
    assert (found.heads, found.feed_forward) == (0, 224)


@pytest.mark.parametrize(
    ("numbers", "tensor", "state"),
    [
        ({"shortconv.l_cache": 3}, "shortconv.conv.weight", 4 * 2 * 64),
        ({"ssm.conv_kernel": 4, "kda.head_dim": 16}, "ssm_a", 4 * (3 * 3 * 4 * 16 + 16 * 16 * 4)),
        ({"kda.head_dim": 16}, "ssm_a", 4 * (3 * 3 * 4 * 16 + 16 * 16 * 4)),
        ({}, "ssm_a", 0),  # not said how large: llama.cpp refuses it
    ],
)
def test_models_of_both(numbers: dict[str, int], tensor: str, state: int) -> None:
    tensors: Tensors = [*EMBEDDING, (f"blk.0.{tensor}", (64, 4), F16_TYPE), *layer_tensors(1), *OUTPUT]
    found = weights_of(header_of("lfm2", {**SMALL, **numbers}, tensors), "x")
    assert [(layer.key_width, layer.state_bytes) for layer in found.layers] == [(0, state), (64, 0)]


def test_numbers_layer_by_layer() -> None:
    # DeciLM and Nemotron: a layer of the usual kind, one without attention, and one with nothing at all.
    numbers = {"block_count": 3, "embedding_length": 64, "context_length": 4096}
    tensors: Tensors = [*layer_tensors(0), ("blk.1.ffn_up.weight", (64, 512), F16_TYPE)]
    header = header_of(
        "deci",
        numbers,
        [*EMBEDDING, *tensors, *OUTPUT],
        array("deci.attention.head_count", U32, [4, 0, 0]),
        array("deci.attention.head_count_kv", U32, [4, 0, 0]),
        array("deci.feed_forward_length", U32, [128, 512, 0]),
    )
    found = weights_of(header, "x")
    assert [layer.key_width for layer in found.layers] == [64, 0, 0]
    assert (found.heads, found.query_width, found.feed_forward) == (4, 64, 512)
    assert (found.layers[2].total_bytes, found.layers[2].start, found.layers[2].end) == (
        0,
        found.layers[1].end,
        found.layers[1].end,
    )
    assert plan(found, Hardware()).plan.context == 4096


def test_numbers_of_no_use_are_not_taken() -> None:
    numbers = {"block_count": 2, "embedding_length": 64, "context_length": 4096}
    header = header_of(
        "llama",
        numbers,
        [*EMBEDDING, *layer_tensors(0), *layer_tensors(1)],
        array("llama.attention.head_count", F32, [4.5, 8.5]),
        array("llama.feed_forward_length", BOOL, [True, False]),
        array("llama.attention.head_count_kv", I32, []),
    )
    found = weights_of(header, "x")
    assert (found.heads, found.feed_forward) == (0, 256)


@pytest.mark.parametrize("lacking", ["block_count", "embedding_length", "context_length"])
def test_a_number_that_is_missing(lacking: str) -> None:
    numbers = {key: value for key, value in SMALL.items() if key != lacking}
    header = header_of("llama", numbers, [*layer_tensors(0), *layer_tensors(1)])
    with pytest.raises(UserError) as raised:
        weights_of(header, "x")
    assert raised.value.code is ErrorCode.GGUF_BROKEN


def test_the_width_is_the_embeddings() -> None:
    numbers = {key: value for key, value in SMALL.items() if key != "embedding_length"}
    assert weights_of(header_of("llama", numbers, [*EMBEDDING, *layer_tensors(0), *layer_tensors(1)]), "x").width == 64


@pytest.mark.parametrize("count", [0, 5000, 4_000_000_000])
def test_an_impossible_number_of_layers(count: int) -> None:
    with pytest.raises(UserError) as raised:
        weights_of(header_of("llama", {**SMALL, "block_count": count}, layer_tensors(0)), "x")
    assert raised.value.code is ErrorCode.GGUF_BROKEN


@pytest.mark.parametrize("metadata", [{}, {"general.architecture": 7}, {"general.architecture": ""}])
def test_no_kind_of_model(metadata: dict[str, int | str]) -> None:
    with pytest.raises(UserError) as raised:
        weights_of(Header(3, metadata, {}, frozenset(), (), 0, 0), "x")
    assert raised.value.code is ErrorCode.GGUF_BROKEN


def test_the_demo_model_adds_up_to_its_file() -> None:
    path = Path(DEMO_MODEL)
    header = read_header_file(path)
    found = weights_of(header, str(path))
    # But for the padding between tensors.
    padding = path.stat().st_size - header.data_offset - found.total_bytes
    assert 0 <= padding < 32 * len(header.tensors)
    assert found.architecture == "gpt-oss"
    assert found.window == 128
    assert [layer.windowed for layer in found.layers] == [place % 2 == 0 for place in range(len(found.layers))]
    assert all(layer.expert_bytes for layer in found.layers)
    assert all(layer.end - layer.start >= layer.total_bytes for layer in found.layers)
