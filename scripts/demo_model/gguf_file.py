"""Writes a trained network as a `gpt-oss` GGUF file that llama.cpp runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from gguf import GGUFReader, GGUFWriter, LlamaFileType, RopeScalingType, TokenType
from torch import Tensor

from .network import Network, Shape
from .tokenizer import CONTROL_TOKENS, Vocabulary

ARCHITECTURE = "gpt-oss"
TEMPLATE = Path(__file__).with_name("chat_template.jinja")

Precision = Literal["F16", "F32"]


# The guide knows its answers word for word and should keep to them at the default temperature of 1: its logits are made
# larger in the file, so that temperature 1 draws as two thirds would. At temperature 0 nothing changes.
SHARPNESS = 1.5


def write_gguf(
    network: Network, vocabulary: Vocabulary, path: Path, precision: Precision = "F16", sharpness: float = 1.0
) -> None:
    """Writes the file, its logits times `sharpness`, and puts it in place at once: a reader never meets half a file."""
    scratch = path.with_name(f".{path.name}.part")
    writer = GGUFWriter(scratch, ARCHITECTURE)
    _describe(writer, network, precision)
    _add_vocabulary(writer, vocabulary)
    _add_weights(writer, network, precision, sharpness)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    scratch.replace(path)


def _describe(writer: GGUFWriter, network: Network, precision: Precision) -> None:
    shape = network.shape
    writer.add_name("Alcove demo guide")
    writer.add_description("The demo guide built into Alcove: a tiny gpt-oss that answers questions about the program.")
    writer.add_license("apache-2.0")
    writer.add_file_type(LlamaFileType.MOSTLY_F16 if precision == "F16" else LlamaFileType.ALL_F32)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_rope_scaling_type(RopeScalingType.YARN)
    writer.add_rope_scaling_factor(shape.rope_factor)
    writer.add_rope_scaling_orig_ctx_len(shape.rope_original_context)
    writer.add_expert_count(shape.experts)
    writer.add_expert_used_count(shape.experts_used)
    writer.add_expert_feed_forward_length(shape.expert_width)
    writer.add_feed_forward_length(shape.expert_width)
    writer.add_sliding_window(shape.window)


def _add_vocabulary(writer: GGUFWriter, vocabulary: Vocabulary) -> None:
    kinds = [TokenType.CONTROL if token in CONTROL_TOKENS else TokenType.NORMAL for token in vocabulary.tokens]
    ids = vocabulary.control_ids
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-4o")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(vocabulary.merges)
    writer.add_bos_token_id(ids["<|startoftext|>"])
    writer.add_eos_token_id(ids["<|return|>"])
    writer.add_pad_token_id(ids["<|endoftext|>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE.read_text(encoding="utf-8"))


def _add_weights(writer: GGUFWriter, network: Network, precision: Precision, sharpness: float) -> None:
    for name, tensor, is_matrix in _tensors(network):
        if tensor is network.head:
            tensor = tensor * sharpness
        kind = np.float16 if is_matrix and precision == "F16" else np.float32
        writer.add_tensor(name, np.ascontiguousarray(tensor.detach().numpy().astype(kind)))


def _tensors(network: Network) -> Iterator[tuple[str, Tensor, bool]]:
    """GGUF name, parameter, and whether it is a matrix: norms, biases, sinks and routers always stay F32."""
    yield "token_embd.weight", network.embedding, True
    yield "output_norm.weight", network.final_norm, False
    yield "output.weight", network.head, True
    for index, block in enumerate(network.blocks):
        attention, experts, name = block.attention, block.experts, f"blk.{index}."
        yield name + "attn_norm.weight", block.attention_norm, False
        yield name + "post_attention_norm.weight", block.experts_norm, False
        yield name + "attn_sinks.weight", attention.sinks, False
        yield name + "ffn_gate_inp.weight", experts.router, False
        yield name + "ffn_gate_inp.bias", experts.router_bias, False
        for part, weight, bias in (
            ("attn_q", attention.query, attention.query_bias),
            ("attn_k", attention.key, attention.key_bias),
            ("attn_v", attention.value, attention.value_bias),
            ("attn_output", attention.output, attention.output_bias),
            ("ffn_gate_exps", experts.gate, experts.gate_bias),
            ("ffn_up_exps", experts.up, experts.up_bias),
            ("ffn_down_exps", experts.down, experts.down_bias),
        ):
            yield f"{name}{part}.weight", weight, True
            yield f"{name}{part}.bias", bias, False


def read_gguf(path: Path) -> tuple[Network, Vocabulary]:
    """Reads a file that `write_gguf` made, for comparing PyTorch with llama.cpp on the same weights."""
    reader = GGUFReader(path)

    def number(key: str) -> float:
        return reader.fields[f"{ARCHITECTURE}.{key}"].contents()

    def names(key: str) -> tuple[str, ...]:
        return tuple(reader.fields[f"tokenizer.ggml.{key}"].contents())

    vocabulary = Vocabulary(names("tokens"), names("merges"))
    shape = Shape(
        vocabulary=len(vocabulary.tokens),
        width=int(number("embedding_length")),
        layers=int(number("block_count")),
        heads=int(number("attention.head_count")),
        kv_heads=int(number("attention.head_count_kv")),
        head_width=int(number("attention.key_length")),
        experts=int(number("expert_count")),
        experts_used=int(number("expert_used_count")),
        expert_width=int(number("expert_feed_forward_length")),
        window=int(number("attention.sliding_window")),
        rope_base=number("rope.freq_base"),
        rope_factor=number("rope.scaling.factor"),
        rope_original_context=int(number("rope.scaling.original_context_length")),
        norm_epsilon=number("attention.layer_norm_rms_epsilon"),
    )
    network = Network(shape)
    stored = {tensor.name: tensor.data for tensor in reader.tensors}
    with torch.no_grad():
        for name, parameter, _ in _tensors(network):
            parameter.copy_(torch.from_numpy(stored[name].astype(np.float32)).view_as(parameter))
    return network.eval(), vocabulary
