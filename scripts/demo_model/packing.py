"""Conversation trees to tensors.

A tree is laid out depth first. A token sees its ancestors and nothing of other branches, and stands at the position
that it would have in its own conversation: one forward pass trains many conversations that share their beginning.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from .conversations import Node


@dataclass(slots=True)
class Sequence:
    """A tree in depth-first order; lists of equal length.

    `sources` is the place of the token before this one in its conversation, `ends` the place after the last descendant,
    `weights` the loss weights of the tokens as targets.
    """

    ids: list[int]
    weights: list[float]
    positions: list[int]
    sources: list[int]
    ends: list[int]

    def __len__(self) -> int:
        return len(self.ids)


def lay_out(tree: Node, tokenizer: Tokenizer) -> Sequence:
    sequence = Sequence([], [], [], [], [])
    _append(tree, -1, sequence, tokenizer)
    return sequence


def _append(node: Node, before: int, sequence: Sequence, tokenizer: Tokenizer) -> None:
    first = len(sequence)
    for text, weight in node.pieces:
        for token in tokenizer.encode(text).ids:
            sequence.ids.append(token)
            sequence.weights.append(weight)
            sequence.positions.append(sequence.positions[before] + 1 if before >= 0 else 0)
            sequence.sources.append(before)
            before = len(sequence) - 1
    last = len(sequence)
    for child in node.children:
        _append(child, last - 1, sequence, tokenizer)
    sequence.ends.extend([0] * (len(sequence) - len(sequence.ends)))
    sequence.ends[first:last] = [len(sequence)] * (last - first)


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences padded to one length, and the targets with a weight: where they are predicted, what, how important.

    `ids` and `positions` are (batch, length), `visible` is (batch, length, length); the others are flat.
    """

    ids: Tensor
    positions: Tensor
    visible: Tensor
    select: Tensor
    targets: Tensor
    weights: Tensor


def make_batch(sequences: list[Sequence], padding: int) -> Batch:
    length = max(map(len, sequences))
    shape = (len(sequences), length)
    ids = torch.full(shape, padding)
    positions, ends = (torch.zeros(shape, dtype=torch.long) for _ in range(2))
    select: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    for row, sequence in enumerate(sequences):
        size = len(sequence)
        ids[row, :size] = torch.tensor(sequence.ids)
        positions[row, :size] = torch.tensor(sequence.positions)
        ends[row, :size] = torch.tensor(sequence.ends)
        for token, weight, source in zip(sequence.ids, sequence.weights, sequence.sources, strict=True):
            if weight > 0 and source >= 0:
                select.append(row * length + source)
                targets.append(token)
                weights.append(weight)
    place = torch.arange(length)
    visible = (place[None, None, :] <= place[None, :, None]) & (place[None, :, None] < ends[:, None, :])
    return Batch(ids, positions, visible, torch.tensor(select), torch.tensor(targets), torch.tensor(weights))
