"""gpt-oss models as the offload planner sees them, from OpenAI's published configuration."""

from __future__ import annotations

from dataclasses import replace

from app.domain.model_weights import LayerWeights, ModelWeights

VOCABULARY = 201_088
HEAD = 64
WINDOW = 128
USED_EXPERTS = 4
HEADER_BYTES = 4_750_080  # of a file with the vocabulary


def mxfp4(numbers: int) -> int:
    """Bytes of so many numbers."""
    return numbers // 32 * 17


def q8_0(numbers: int) -> int:
    """Bytes of so many numbers."""
    return numbers // 32 * 34


def gpt_oss(
    name: str, *, layers: int, experts: int, width: int = 2880, heads: int = 64, kv_heads: int = 8
) -> ModelWeights:
    """A model of this shape: experts in MXFP4, other matrices in Q8_0, biases, norms and the router in F32."""
    inner, kv = heads * HEAD, kv_heads * HEAD
    attention = q8_0(width * (2 * inner + 2 * kv)) + 4 * (inner + 2 * kv + width)
    router = 4 * experts * (width + 1)
    expert_bytes = 3 * (mxfp4(experts * width * width) + 4 * experts * width)
    total = attention + router + expert_bytes + 4 * (2 * width + heads)
    matrix = q8_0(VOCABULARY * width)
    start = HEADER_BYTES + matrix
    output_start = start + layers * total
    return ModelWeights(
        name=name,
        architecture="gpt-oss",
        layers=tuple(
            LayerWeights(
                total_bytes=total,
                expert_bytes=expert_bytes,
                key_width=kv,
                value_width=kv,
                windowed=place % 2 == 0,
                start=start + place * total,
                end=start + (place + 1) * total,
            )
            for place in range(layers)
        ),
        input_bytes=matrix,
        output_bytes=matrix + 4 * width,
        output_start=output_start,
        output_end=output_start + matrix + 4 * width,
        tied=False,
        trained_context=131_072,
        vocabulary=VOCABULARY,
        width=width,
        heads=heads,
        query_width=inner,
        feed_forward=USED_EXPERTS * width,
        experts=experts,
        window=WINDOW,
        largest_matrix_bytes=mxfp4(experts * width * width),
    )


GPT_OSS_20B = gpt_oss("gpt-oss-20b", layers=24, experts=32)
GPT_OSS_120B = gpt_oss("gpt-oss-120b", layers=36, experts=128)
BENCH_SMALL = gpt_oss("bench-small", layers=8, experts=32, width=512, heads=16, kv_heads=4)


def as_quantized(weights: ModelWeights) -> ModelWeights:
    """With the tensors in ``llama-quantize``'s order: the output matrix, the embedding, then the layers."""
    output = weights.output_end - weights.output_start
    return replace(
        weights,
        output_start=HEADER_BYTES,
        output_end=HEADER_BYTES + output,
        layers=tuple(replace(layer, start=layer.start + output, end=layer.end + output) for layer in weights.layers),
    )


def dense(name: str = "llama-8b", *, layers: int = 32, layer_bytes: int = 136_000_000) -> ModelWeights:
    """A dense model of 8 billion weights in about 4.5 bits each, with its output matrix in the embedding."""
    matrix = 430_000_000
    return ModelWeights(
        name=name,
        architecture="llama",
        layers=tuple(
            LayerWeights(
                layer_bytes, 0, 1024, 1024, False, matrix + place * layer_bytes, matrix + (place + 1) * layer_bytes
            )
            for place in range(layers)
        ),
        input_bytes=matrix,
        output_bytes=16_384,
        output_start=0,
        output_end=matrix,
        tied=True,
        trained_context=131_072,
        vocabulary=128_256,
        width=4096,
        heads=32,
        query_width=4096,
        feed_forward=14_336,
        experts=0,
        window=0,
        largest_matrix_bytes=33_000_000,
    )
