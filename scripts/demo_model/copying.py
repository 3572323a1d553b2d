"""Adds heads that can copy to a trained network: the circuit known as induction heads, placed instead of waited for.

A small network learns its topics long before it learns to copy a name or a number, because copying needs two layers
to agree. Here one more key-value group per layer brings that agreement: in block 0 its heads look one and two tokens
back and write what they see into directions that the stream hardly uses; in block 1 a head looks for places whose
*previous* token is the present one, and carries the token found there towards the output. Training makes them precise.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from .network import YARN_MAGNITUDE, Network, causal, rms_norm, rotary_angles, rotate

POSITION_PULL = 7.0
MATCH_PULL = 4.0
NO_MATCH = 4.0
SAMPLE_ROWS, SAMPLE_LENGTH = 16, 300
WRITE_BACK = 2.0
WRITE_FOUND = 0.3
# Pairs of rotary dimensions below this turn within a chat; the ones above compare tokens at any distance alike.
FIRST_SLOW_PAIR = 7


def with_copying_heads(network: Network) -> Network:
    """A network that does what this one does and has one more key-value group with its query heads, for copying."""
    old = network.shape
    group = old.heads // old.kv_heads
    shape = replace(old, heads=old.heads + group, kv_heads=old.kv_heads + 1)
    grown = Network(shape)
    weights = grown.state_dict()
    for name, stored in network.state_dict().items():
        target = weights[name]
        if name.endswith("attention.output"):
            target.zero_()
            target[:, : stored.shape[1]] = stored
        else:
            target[tuple(slice(size) for size in stored.shape)] = stored
    with torch.no_grad():
        _place_circuit(grown, torch.randint(shape.vocabulary, (SAMPLE_ROWS, SAMPLE_LENGTH)))
    return grown


def _principal(vectors: Tensor) -> Tensor:
    """Orthonormal directions as columns, from the least to the most used."""
    return torch.linalg.eigh(vectors.T @ vectors)[1]


def _place_circuit(network: Network, sample: Tensor) -> None:
    """`sample` holds random tokens, (rows, length): they show how the stream looks for tokens of all kinds."""
    shape = network.shape
    width, new_key = shape.head_width, slice((shape.kv_heads - 1) * shape.head_width, None)
    group = shape.heads // shape.kv_heads
    first = (shape.heads - group) * width
    heads = [slice(first + index * width, first + (index + 1) * width) for index in range(group)]
    back, match = network.blocks[0], network.blocks[1]
    table = rms_norm(network.embedding, back.attention_norm, shape.norm_epsilon)
    identity = _principal(table)[:, -width:]
    identity = identity / (table @ identity).std(0)
    positions, visible = causal(sample)
    quiet = _principal(network.after_block(0, sample, positions, visible).flatten(0, 1))[:, : group * width]

    # Block 0: scores that depend on the distance alone, largest at one token back and at two.
    cosine, sine = (angles / YARN_MAGNITUDE for angles in rotary_angles(shape, group + 1))
    pull = torch.zeros(width)
    pull[:2] = POSITION_PULL
    back.attention.key[new_key] = 0
    back.attention.key_bias[new_key] = pull
    back.attention.value[new_key] = identity.T
    for distance, head in enumerate(heads, 1):
        back.attention.query[head] = 0
        back.attention.query_bias[head] = rotate(pull[None, None, None], cosine[distance], -sine[distance])[0, 0, 0]
        loudness = network.embedding.std()
        back.attention.output[:, head] = quiet[:, (distance - 1) * width : distance * width] * WRITE_BACK * loudness

    # Block 1: the present token against the previous one of every place, both read out of the stream by regression, on
    # the dimensions that rotate slowly.
    slow = torch.zeros(width)
    slow[FIRST_SLOW_PAIR : width // 2] = 1
    slow[width // 2 + FIRST_SLOW_PAIR :] = 1
    after = network.after_block(0, sample, positions, visible)
    read = rms_norm(after[:, 1:], match.attention_norm, shape.norm_epsilon)
    read = read.flatten(0, 1)
    codes = table[sample] @ identity
    present = torch.linalg.lstsq(read, codes[:, 1:].flatten(0, 1)).solution
    previous = torch.linalg.lstsq(read, codes[:, :-1].flatten(0, 1)).solution
    match.attention.query[heads[0]] = present.T * slow[:, None] * MATCH_PULL
    match.attention.key[new_key] = previous.T * slow[:, None]
    match.attention.value[new_key] = present.T
    match.attention.sinks[shape.heads - group :] = NO_MATCH
    # Towards the output: the rows of the head for the token found, by regression on its code.
    towards = torch.linalg.lstsq(table @ identity, network.head).solution.T
    match.attention.output[:, heads[0]] = towards / towards.norm(dim=1).mean() * WRITE_FOUND
