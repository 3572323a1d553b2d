"""Writes a GGUF file of gpt-oss's architecture with random weights, for measuring speed and memory.

    .venv/bin/python scripts/make_bench_model.py FILE [--shape small|medium|20b] [--seed N]

`small` is about 340 MB and decodes some hundred tokens a second on two cores; `medium` is 1.5 GB; `20b` has the tensors
of gpt-oss-20b and its 12.1 GB. All have its vocabulary of 201,088 tokens with harmony's control tokens under their own
ids, experts in MXFP4 and the other matrices in Q8_0. The weights are noise: the model says nothing, at the real model's
cost. Only the rows of the output matrix differ in size, so that what it says is plain words, sampled from a peaked
distribution as a trained model's is, and never ends by itself: an answer has the length that is asked for, and its text
is read back as the same tokens. English is read by the demo model's vocabulary, which stands at the beginning of this
one. Runs in the set-up environment (numpy and gguf).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.build_llama import cache_folder
from scripts.steps import say

REVISION = 3
"""Goes up when the same shape gives another file."""

VOCABULARY = 201_088
FIRST_RESERVED = 199_998
CONTROL_TOKENS = {
    199_998: "<|startoftext|>",
    199_999: "<|endoftext|>",
    200_002: "<|return|>",
    200_003: "<|constrain|>",
    200_005: "<|channel|>",
    200_006: "<|start|>",
    200_007: "<|end|>",
    200_008: "<|message|>",
    200_012: "<|call|>",
}
WORDS_OF = Path(__file__).resolve().parents[1] / "resources" / "models" / "alcove-demo.gguf"

HEAD_WIDTH = 64
WINDOW = 128
CONTEXT = 131_072
ORIGINAL_CONTEXT = 4096
YARN_FACTOR = 32.0
ROPE_BASE = 150_000.0
RMS_EPSILON = 1e-5
OUTPUT = "output.weight"
BLOCK = 32  # values that share a scale, in MXFP4 as in Q8_0

# Deviation of the logits: of the words that the model says, and of all other tokens, which are next to never sampled.
SPOKEN_LOGITS = 10.0
OTHER_LOGITS = 0.1


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes that decide what a token costs."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    experts: int
    experts_used: int
    expert_width: int


SHAPES = {
    "small": Shape(layers=8, width=512, heads=16, kv_heads=4, experts=32, experts_used=4, expert_width=512),
    "medium": Shape(layers=18, width=1024, heads=32, kv_heads=4, experts=32, experts_used=4, expert_width=1024),
    "20b": Shape(layers=24, width=2880, heads=64, kv_heads=8, experts=32, experts_used=4, expert_width=2880),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor to be written; `shape` in numpy's order, the last axis contiguous."""

    name: str
    shape: tuple[int, ...]
    kind: Kind
    fill: float | None = None  # a constant instead of noise

    @property
    def byte_shape(self) -> tuple[int, ...]:
        """The shape of its bytes."""
        block, size = gguf.GGML_QUANT_SIZES[self.kind]
        return (*self.shape[:-1], self.shape[-1] // block * size)


def tensors(shape: Shape) -> Iterator[Tensor]:
    """All tensors of a model, in the order of the file."""
    inner, kv = shape.heads * HEAD_WIDTH, shape.kv_heads * HEAD_WIDTH
    yield Tensor("token_embd.weight", (VOCABULARY, shape.width), Kind.Q8_0)
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        yield Tensor(f"{block}.attn_norm.weight", (shape.width,), Kind.F32, 1.0)
        yield Tensor(f"{block}.post_attention_norm.weight", (shape.width,), Kind.F32, 1.0)
        yield Tensor(f"{block}.attn_sinks.weight", (shape.heads,), Kind.F32, 0.0)
        for name, rows, columns in (
            ("attn_q", inner, shape.width),
            ("attn_k", kv, shape.width),
            ("attn_v", kv, shape.width),
            ("attn_output", shape.width, inner),
        ):
            yield Tensor(f"{block}.{name}.weight", (rows, columns), Kind.Q8_0)
            yield Tensor(f"{block}.{name}.bias", (rows,), Kind.F32, 0.0)
        yield Tensor(f"{block}.ffn_gate_inp.weight", (shape.experts, shape.width), Kind.F32)
        yield Tensor(f"{block}.ffn_gate_inp.bias", (shape.experts,), Kind.F32, 0.0)
        for name, rows, columns in (
            ("gate", shape.expert_width, shape.width),
            ("up", shape.expert_width, shape.width),
            ("down", shape.width, shape.expert_width),
        ):
            yield Tensor(f"{block}.ffn_{name}_exps.weight", (shape.experts, rows, columns), Kind.MXFP4)
            yield Tensor(f"{block}.ffn_{name}_exps.bias", (shape.experts, rows), Kind.F32, 0.0)
    yield Tensor("output_norm.weight", (shape.width,), Kind.F32, 1.0)
    yield Tensor(OUTPUT, (VOCABULARY, shape.width), Kind.Q8_0)


def content(tensor: Tensor, random: np.random.Generator) -> np.ndarray:
    """Its values (F32) or its blocks' bytes, at a scale that keeps activations near one."""
    if tensor.fill is not None:
        return np.full(tensor.shape, tensor.fill, np.float32)
    deviation = tensor.shape[-1] ** -0.5
    if tensor.kind is Kind.F32:
        return random.standard_normal(tensor.shape, np.float32) * np.float32(deviation)
    blocks = random.integers(
        0, 256, (*tensor.shape[:-1], tensor.shape[-1] // BLOCK, bytes_of_block(tensor.kind)), np.uint8
    )
    if tensor.kind is Kind.Q8_0:
        # Two bytes of scale, then 32 signed bytes, uniform: their deviation is 256 / sqrt(12).
        scale = deviation * 12**0.5 / 256
        blocks[..., :2] = scale_bytes(scale * OTHER_LOGITS if tensor.name == OUTPUT else scale)
        if tensor.name == OUTPUT:
            blocks[spoken_tokens(), :, :2] = scale_bytes(scale * SPOKEN_LOGITS)
    else:
        # One byte of scale (a power of two, 127 is one), then 32 values of four bits with a deviation of about 3.
        blocks[..., 0] = 127 + round(float(np.log2(deviation / 3)))
    return blocks.reshape(tensor.byte_shape)


def scale_bytes(scale: float) -> np.ndarray:
    """A block's scale as Q8_0 stores it."""
    return np.frombuffer(np.float16(scale).tobytes(), np.uint8)


@cache
def demo_vocabulary() -> tuple[list[str], list[str]]:
    """The demo model's ordinary tokens and its merges."""
    fields = gguf.GGUFReader(WORDS_OF).fields
    names, types, merges = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type", "merges"))
    ordinary = [name for name, kind in zip(names, types, strict=True) if kind == gguf.TokenType.NORMAL]
    return ordinary, merges


def spoken_tokens() -> list[int]:
    """What the model says: words with the space before them, which every text of such words is read as again."""
    names, _ = demo_vocabulary()
    return [token for token, name in enumerate(names) if re.fullmatch("\u0120[a-z]{2,}", name)]


def bytes_of_block(kind: Kind) -> int:
    """How many bytes a block of 32 values takes."""
    return gguf.GGML_QUANT_SIZES[kind][1]


def vocabulary() -> tuple[list[str], list[gguf.TokenType]]:
    """Names and types of all tokens: the demo model's, fillers nobody types, harmony's control tokens."""
    ordinary, _ = demo_vocabulary()
    names = [*ordinary, *(f"filler{number}" for number in range(len(ordinary), FIRST_RESERVED))]
    names += [CONTROL_TOKENS.get(token, f"<|reserved_{token}|>") for token in range(FIRST_RESERVED, VOCABULARY)]
    types = [gguf.TokenType.NORMAL] * FIRST_RESERVED
    types += [gguf.TokenType.CONTROL] * (VOCABULARY - FIRST_RESERVED)
    return names, types


def write_model(path: Path, shape: Shape, seed: int) -> None:
    """Write the file, tensor by tensor, so that the large shape needs little memory, and name it when it is whole."""
    part = path.with_name(f"{path.name}.part")
    writer = gguf.GGUFWriter(part, "gpt-oss")
    writer.add_name("Random weights in gpt-oss's shape")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(HEAD_WIDTH)
    writer.add_value_length(HEAD_WIDTH)
    writer.add_layer_norm_rms_eps(RMS_EPSILON)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(YARN_FACTOR)
    writer.add_rope_scaling_orig_ctx_len(ORIGINAL_CONTEXT)
    writer.add_expert_count(shape.experts)
    writer.add_expert_used_count(shape.experts_used)
    writer.add_expert_feed_forward_length(shape.expert_width)
    writer.add_feed_forward_length(shape.expert_width)
    writer.add_sliding_window(WINDOW)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-4o")
    names, types = vocabulary()
    writer.add_token_list(names)
    writer.add_token_types(types)
    writer.add_token_merges(demo_vocabulary()[1])
    writer.add_bos_token_id(199_998)
    writer.add_eos_token_id(200_002)
    writer.add_pad_token_id(199_999)
    writer.add_add_bos_token(False)
    for tensor in tensors(shape):
        raw = tensor.kind is not Kind.F32
        dtype = np.dtype(np.uint8 if raw else np.float32)
        size = int(np.prod(tensor.byte_shape if raw else tensor.shape)) * dtype.itemsize
        shown = tensor.byte_shape if raw else tensor.shape
        writer.add_tensor_info(tensor.name, shown, dtype, size, tensor.kind if raw else None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    random = np.random.default_rng(seed)
    try:
        for tensor in tensors(shape):
            writer.write_tensor_data(content(tensor, random))
    finally:
        writer.close()
    part.replace(path)


def cached_model(shape: str) -> Path:
    """The file of a shape in the build cache, written when it is not there yet."""
    path = cache_folder() / "models" / f"bench-{shape}-{REVISION}.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        say(f"Writing {path}")
        write_model(path, SHAPES[shape], seed=0)
    return path


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write a GGUF file of gpt-oss's architecture with random weights.")
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--shape", choices=SHAPES, default="small", help="340 MB, 1.5 GB or 12.1 GB (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    write_model(arguments.file, SHAPES[arguments.shape], arguments.seed)
    print(f"{arguments.file}: {arguments.file.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
