"""Trains the demo guide with AdamW: a stretch at full rate, added heads that copy, a stretch at a falling rate."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

from .conversations import Corpus
from .copying import with_copying_heads
from .network import Network, Shape
from .packing import Batch, Sequence, lay_out, make_batch
from .tokenizer import Vocabulary, build_tokenizer

BALANCE_WEIGHT = 0.01
WEIGHT_DECAY = 0.05
LONGEST = 1500
LONG_CHATS = 0.06


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to train: a stretch at full rate, then heads that copy are added, then a falling rate.

    The length is in steps, so that a seed gives the same model on any machine; `minutes`, when not zero, shortens the
    second stretch to that time.
    """

    first_steps: int
    second_steps: int
    minutes: float = 0.0
    add_heads: bool = True
    copying: float = 0.5
    seed: int = 0
    batch_tokens: int = 2400
    tree_tokens: int = 200
    learning_rate: float = 3e-3
    second_learning_rate: float = 2.5e-3
    warm_up: int = 60
    flat: float = 0.25
    report_every: int = 50
    save_every: int = 250

    def rate(self, step: int, done: float) -> float:
        """The learning rate of a step within its stretch; `done` is the share of the second stretch, 0 in the first."""
        if done == 0:
            return self.learning_rate * min(1.0, (step + 1) / self.warm_up)
        fall = min(1.0, max(0.01, (1 - done) / (1 - self.flat)))
        return self.second_learning_rate * min(1.0, (step + 1) / self.warm_up) * fall


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands; `loss` is the mean cross-entropy of answer tokens, smoothed."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    learning_rate: float = 0.0
    loss: float = 0.0


def copying_share(first: float, done: float) -> float:
    """Much copying at first, while the heads that copy form; an everyday amount later."""
    return max(0.12, first - done * 1.2)


class Batches:
    """Endless batches of about `plan.batch_tokens`, each of trees of similar length."""

    def __init__(self, corpus: Corpus, tokenizer: Tokenizer, plan: Plan, random: Random) -> None:
        self._corpus, self._tokenizer, self._plan, self._random = corpus, tokenizer, plan, random
        self._padding = tokenizer.get_vocab()["<|endoftext|>"]
        self._groups: list[list[Sequence]] = []

    def next(self, done: float) -> Batch:
        """One batch; `done` is the share of the training that lies behind."""
        if not self._groups:
            self._groups = self._pool(copying_share(self._plan.copying, done))
        return make_batch(self._groups.pop(), self._padding)

    def _pool(self, copying: float) -> list[list[Sequence]]:
        pool: list[Sequence] = []
        for _ in range(64):
            if self._random.random() < LONG_CHATS:
                tree = self._corpus.long_chat(self._random)
            else:
                tree = self._corpus.tree(self._random, self._plan.tree_tokens, copying)
            sequence = lay_out(tree, self._tokenizer)
            if len(sequence) <= LONGEST:
                pool.append(sequence)
        pool.sort(key=len)
        groups: list[list[Sequence]] = [[]]
        for sequence in pool:
            if groups[-1] and (len(groups[-1]) + 1) * len(sequence) > self._plan.batch_tokens:
                groups.append([])
            groups[-1].append(sequence)
        self._random.shuffle(groups)
        return groups


def make_optimizer(network: Network, plan: Plan) -> torch.optim.AdamW:
    plain: list[nn.Parameter] = []
    decayed: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        small = parameter.ndim < 2 or name.endswith("_bias") or name == "embedding"
        (plain if small else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.98), foreach=True)


def train(
    network: Network,
    corpus: Corpus,
    vocabulary: Vocabulary,
    plan: Plan,
    report: Callable[[Progress], None],
    save: Callable[[Network, Progress], None],
) -> Progress:
    """Both stretches. `report` and `save` are called on the way, `save` also at the end of each stretch."""
    batches = Batches(corpus, build_tokenizer(vocabulary), plan, Random(f"training {plan.seed}"))
    progress = Progress()
    if plan.first_steps:
        progress = _stretch(network, batches, plan, progress, False, report, save)
    if plan.add_heads:
        network = with_copying_heads(network)
    return _stretch(network, batches, plan, progress, True, report, save)


def _stretch(
    network: Network,
    batches: Batches,
    plan: Plan,
    progress: Progress,
    second: bool,
    report: Callable[[Progress], None],
    save: Callable[[Network, Progress], None],
) -> Progress:
    optimizer = make_optimizer(network, plan)
    started = time.monotonic()
    before = progress
    steps = plan.second_steps if second else plan.first_steps
    step = 0
    network.train()
    while True:
        seconds = time.monotonic() - started
        share = step / steps
        if second and plan.minutes:
            share = max(share, seconds / 60 / plan.minutes)
        if share >= 1:
            break
        rate = plan.rate(step, max(share, 1e-9) if second else 0.0)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = batches.next(share)
        logits = network(batch.ids, batch.positions, batch.visible, batch.select)
        losses = functional.cross_entropy(logits, batch.targets, reduction="none")
        loss = (losses * batch.weights).sum() / batch.weights.sum() + BALANCE_WEIGHT * network.balance()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        answer_loss = losses.detach()[batch.weights == 1.0].mean().item()
        progress = Progress(
            before.step + step,
            progress.tokens + batch.ids.numel(),
            before.seconds + time.monotonic() - started,
            rate,
            answer_loss if progress.step == 0 else 0.98 * progress.loss + 0.02 * answer_loss,
        )
        if step % plan.report_every == 0:
            report(progress)
        if step % plan.save_every == 0:
            save(network, progress)
    report(progress)
    save(network, progress)
    return progress


def save_checkpoint(network: Network, vocabulary: Vocabulary, path: Path) -> None:
    """Weights, shape and vocabulary; written aside and renamed."""
    scratch = path.with_name(f".{path.name}.part")
    described = json.dumps({"shape": asdict(network.shape), "tokens": vocabulary.tokens, "merges": vocabulary.merges})
    torch.save({"described": described, "weights": network.state_dict()}, scratch)
    scratch.replace(path)


def load_checkpoint(path: Path) -> tuple[Network, Vocabulary]:
    stored = torch.load(path, weights_only=True)
    described = json.loads(stored["described"])
    network = Network(Shape(**described["shape"]))
    network.load_state_dict(stored["weights"])
    return network.eval(), Vocabulary(tuple(described["tokens"]), tuple(described["merges"]))
