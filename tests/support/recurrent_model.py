"""Small models with random weights whose memory cannot be cut: what they read is run into one state.

*Mamba* has nothing else; *LFM2* has such layers and ones with attention side by side.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from tests.support.tiny_model import TinyModel

_SIZE = 64


class _Weights:
    """Adds random tensors of given (rows, columns)."""

    def __init__(self, writer: gguf.GGUFWriter, seed: int) -> None:
        self._writer = writer
        self._random = np.random.default_rng(seed)

    def add(self, name: str, *shape: int) -> None:
        noise = self._random.normal(0, 1.5 * shape[-1] ** -0.5, shape)
        self._writer.add_tensor(name, noise.astype(np.float32))

    def add_ones(self, name: str, *shape: int) -> None:
        self._writer.add_tensor(name, np.ones(shape, np.float32))


def random_lfm2(path: Path, seed: int = 1) -> Path:
    """A hybrid: the first and the last of three layers are recurrent, the middle one attends."""
    model = TinyModel()
    writer = model.begin(path, "lfm2")
    heads, kept = 4, 2
    writer.add_block_count(3)
    writer.add_feed_forward_length(2 * _SIZE)
    writer.add_head_count(heads)
    writer.add_head_count_kv([0, kept, 0])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_shortconv_l_cache(3)
    weights = _Weights(writer, seed)
    weights.add("token_embd.weight", len(model.tokens), _SIZE)
    weights.add_ones("token_embd_norm.weight", _SIZE)
    for number in range(3):
        block = f"blk.{number}"
        weights.add_ones(f"{block}.attn_norm.weight", _SIZE)
        weights.add_ones(f"{block}.ffn_norm.weight", _SIZE)
        weights.add(f"{block}.ffn_gate.weight", 2 * _SIZE, _SIZE)
        weights.add(f"{block}.ffn_up.weight", 2 * _SIZE, _SIZE)
        weights.add(f"{block}.ffn_down.weight", _SIZE, 2 * _SIZE)
        if number == 1:
            head = _SIZE // heads
            weights.add_ones(f"{block}.attn_q_norm.weight", head)
            weights.add_ones(f"{block}.attn_k_norm.weight", head)
            weights.add(f"{block}.attn_q.weight", _SIZE, _SIZE)
            weights.add(f"{block}.attn_k.weight", kept * head, _SIZE)
            weights.add(f"{block}.attn_v.weight", kept * head, _SIZE)
            weights.add(f"{block}.attn_output.weight", _SIZE, _SIZE)
        else:
            weights.add(f"{block}.shortconv.conv.weight", _SIZE, 3)
            weights.add(f"{block}.shortconv.in_proj.weight", 3 * _SIZE, _SIZE)
            weights.add(f"{block}.shortconv.out_proj.weight", _SIZE, _SIZE)
    return model.end(path, writer)


def random_mamba(path: Path, seed: int = 1) -> Path:
    """Two recurrent layers."""
    model = TinyModel()
    writer = model.begin(path, "mamba")
    inner, states, rank, width = 2 * _SIZE, 16, 4, 4
    writer.add_block_count(2)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_ssm_conv_kernel(width)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(states)
    writer.add_ssm_time_step_rank(rank)
    weights = _Weights(writer, seed)
    weights.add("token_embd.weight", len(model.tokens), _SIZE)
    weights.add_ones("output_norm.weight", _SIZE)
    for number in range(2):
        block = f"blk.{number}"
        weights.add_ones(f"{block}.attn_norm.weight", _SIZE)
        weights.add(f"{block}.ssm_in.weight", 2 * inner, _SIZE)
        weights.add(f"{block}.ssm_conv1d.weight", inner, width)
        weights.add(f"{block}.ssm_conv1d.bias", inner)
        weights.add(f"{block}.ssm_x.weight", rank + 2 * states, inner)
        weights.add(f"{block}.ssm_dt.weight", inner, rank)
        weights.add(f"{block}.ssm_dt.bias", inner)
        # -1 ... -16, as in the real ones: the state forgets.
        rates = np.tile(-np.arange(1, states + 1, dtype=np.float32), (inner, 1))
        writer.add_tensor(f"{block}.ssm_a", rates)
        weights.add_ones(f"{block}.ssm_d", inner)
        weights.add(f"{block}.ssm_out.weight", _SIZE, inner)
    return model.end(path, writer)
