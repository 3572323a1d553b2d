"""The gpt-oss architecture in PyTorch, small enough to train on a processor.

It computes what llama.cpp computes for `gpt-oss` files: RMS norms, grouped-query attention with a learned sink per
head, a 128-token sliding window on even layers and full attention on odd ones, YaRN rotary positions, and a top-k
mixture of experts with OpenAI's clamped SwiGLU. A batch holds trees of text (see `packing`), so positions and
visibility are inputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

SWIGLU_LIMIT = 7.0
SWIGLU_ALPHA = 1.702
YARN_BETA_FAST = 32.0
YARN_BETA_SLOW = 1.0
YARN_FACTOR = 32.0
YARN_MAGNITUDE = 1 + 0.1 * math.log(YARN_FACTOR)


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a network; the defaults are the released demo guide's, before it gets the heads that copy."""

    vocabulary: int = 2560
    width: int = 128
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    head_width: int = 32
    experts: int = 4
    experts_used: int = 2
    expert_width: int = 64
    window: int = 128
    rope_base: float = 150_000.0
    rope_factor: float = YARN_FACTOR
    rope_original_context: int = 4096
    norm_epsilon: float = 1e-5

    @property
    def context(self) -> int:
        return int(self.rope_factor * self.rope_original_context)


def rotary_angles(shape: Shape, length: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each (length, head_width / 2), with YaRN's scaling of frequency and magnitude as in ggml."""

    def correction(turns: float) -> float:
        rotations = shape.rope_original_context / (turns * 2 * math.pi)
        return shape.head_width * math.log(rotations) / (2 * math.log(shape.rope_base))

    low = max(0, math.floor(correction(YARN_BETA_FAST)))
    high = min(shape.head_width - 1, math.ceil(correction(YARN_BETA_SLOW)))
    index = torch.arange(shape.head_width // 2, dtype=torch.float64)
    frequency = shape.rope_base ** (-2 * index / shape.head_width)
    keep = 1 - ((index - low) / max(0.001, high - low)).clamp(0, 1)
    scaled = frequency / shape.rope_factor * (1 - keep) + frequency * keep
    angle = torch.arange(length, dtype=torch.float64)[:, None] * scaled[None]
    return (angle.cos() * YARN_MAGNITUDE).float(), (angle.sin() * YARN_MAGNITUDE).float()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotates halves ("NeoX" order); x is (batch, heads, length, head_width)."""
    first, second = x.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], -1)


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * weight


def _normal(*sizes: int, scale: float) -> nn.Parameter:
    return nn.Parameter(torch.randn(*sizes) * scale)


def _zeros(*sizes: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(*sizes))


class Attention(nn.Module):
    """Grouped-query attention with biases and a sink: one more logit per head whose value is zero."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        inner, outer = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
        scale = shape.width**-0.5
        self.query, self.query_bias = _normal(inner, shape.width, scale=scale), _zeros(inner)
        self.key, self.key_bias = _normal(outer, shape.width, scale=scale), _zeros(outer)
        self.value, self.value_bias = _normal(outer, shape.width, scale=scale), _zeros(outer)
        residual = (2 * shape.layers) ** -0.5
        self.output, self.output_bias = (
            _normal(shape.width, inner, scale=residual * inner**-0.5),
            _zeros(shape.width),
        )
        self.sinks = _zeros(shape.heads)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor) -> Tensor:
        shape = self.shape
        batch, length, _ = x.shape

        def heads(weight: Tensor, bias: Tensor, count: int) -> Tensor:
            return functional.linear(x, weight, bias).view(batch, length, count, shape.head_width).transpose(1, 2)

        query = rotate(heads(self.query, self.query_bias, shape.heads), cosine, sine)
        key = rotate(heads(self.key, self.key_bias, shape.kv_heads), cosine, sine)
        value = heads(self.value, self.value_bias, shape.kv_heads)
        group = shape.heads // shape.kv_heads
        key, value = key.repeat_interleave(group, 1), value.repeat_interleave(group, 1)
        # The sink as one more key with value zero: one more dimension, 1 in every query, carries its logit.
        sinks = functional.pad(self.sinks[:, None] * shape.head_width**0.5, (shape.head_width, 0))
        query = functional.pad(query, (0, 1), value=1.0)
        key = torch.cat([functional.pad(key, (0, 1)), sinks[None, :, None].expand(batch, -1, -1, -1)], 2)
        value = functional.pad(value, (0, 1, 0, 1))
        scale = shape.head_width**-0.5
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
        mixed = mixed[..., : shape.head_width].transpose(1, 2).reshape(batch, length, -1)
        return functional.linear(mixed, self.output, self.output_bias)


class Experts(nn.Module):
    """A mixture of experts. All experts run and the router's weights select: for a few small ones that is fastest."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        count, inner, width = shape.experts, shape.expert_width, shape.width
        self.router, self.router_bias = _normal(count, width, scale=width**-0.5), _zeros(count)
        self.gate, self.gate_bias = _normal(count, inner, width, scale=width**-0.5), _zeros(count, inner)
        self.up, self.up_bias = _normal(count, inner, width, scale=width**-0.5), _zeros(count, inner)
        residual = (2 * shape.layers) ** -0.5
        self.down = _normal(count, width, inner, scale=residual * inner**-0.5)
        self.down_bias = _zeros(count, width)
        self.balance = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        count = self.shape.experts
        flat = x.reshape(-1, self.shape.width)
        logits = functional.linear(flat, self.router, self.router_bias)
        top, chosen = logits.topk(self.shape.experts_used, -1)
        weights = torch.zeros_like(logits).scatter(1, chosen, top.softmax(-1))
        gate = functional.linear(flat, self.gate.flatten(0, 1), self.gate_bias.flatten()).clamp(max=SWIGLU_LIMIT)
        up = functional.linear(flat, self.up.flatten(0, 1), self.up_bias.flatten())
        up = up.clamp(-SWIGLU_LIMIT, SWIGLU_LIMIT)
        inner = (up + 1) * gate * torch.sigmoid(SWIGLU_ALPHA * gate)
        inner = (inner.view(-1, count, self.shape.expert_width) * weights[..., None]).flatten(1)
        out = inner @ self.down.transpose(1, 2).reshape(-1, self.shape.width) + weights @ self.down_bias
        if self.training:
            # Keeps the router from sending everything to the same experts.
            used = (weights.detach() > 0).float().mean(0) / self.shape.experts_used
            self.balance = count * (logits.softmax(-1).mean(0) * used).sum()
        return out.view_as(x)


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.epsilon = shape.norm_epsilon
        self.attention_norm = nn.Parameter(torch.ones(shape.width))
        self.attention = Attention(shape)
        self.experts_norm = nn.Parameter(torch.ones(shape.width))
        self.experts = Experts(shape)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attention(rms_norm(x, self.attention_norm, self.epsilon), cosine, sine, mask)
        return x + self.experts(rms_norm(x, self.experts_norm, self.epsilon))


def _attention_mask(visible: Tensor) -> Tensor:
    """Zero where a token may look and -1e30 elsewhere, with one more column for the sink, which all see."""
    return functional.pad(torch.where(visible, 0.0, -1e30), (0, 1))[:, None]


class Network(nn.Module):
    """Token ids to logits."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = _normal(shape.vocabulary, shape.width, scale=0.5)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.final_norm = nn.Parameter(torch.ones(shape.width))
        self.head = _normal(shape.vocabulary, shape.width, scale=0.5 * shape.width**-0.5)

    def forward(self, ids: Tensor, positions: Tensor, visible: Tensor, select: Tensor | None = None) -> Tensor:
        """Logits after every token, or (n, vocabulary) for the `select`ed flat indices alone.

        `ids` and `positions` are (batch, length); `visible` is (batch, length, length), true where the token of the row
        may see the token of the column. The sliding window is applied here, by position.
        """
        x = self.after_block(len(self.blocks) - 1, ids, positions, visible)
        if select is not None:
            x = x.flatten(0, 1)[select]
        return rms_norm(x, self.final_norm, self.shape.norm_epsilon) @ self.head.T

    def after_block(self, last: int, ids: Tensor, positions: Tensor, visible: Tensor) -> Tensor:
        """The residual stream after block `last`, (batch, length, width)."""
        cosine, sine = (table[positions][:, None] for table in rotary_angles(self.shape, int(positions.max()) + 1))
        near = visible & (positions[:, :, None] - positions[:, None, :] < self.shape.window)
        full, window = (_attention_mask(seen) for seen in (visible, near))
        x = self.embedding[ids]
        for index, block in enumerate(self.blocks[: last + 1]):
            x = block(x, cosine, sine, window if index % 2 == 0 else full)
        return x

    def balance(self) -> Tensor:
        """The routers' balance loss of the last training batch: 1 when experts are used evenly."""
        return torch.stack([block.experts.balance for block in self.blocks]).mean()


def causal(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Positions and visibility of plain sequences, for `Network.forward`."""
    batch, length = ids.shape
    positions = torch.arange(length).expand(batch, length)
    visible = torch.ones(length, length, dtype=torch.bool).tril().expand(batch, length, length)
    return positions, visible
