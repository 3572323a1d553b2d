"""Trains the demo guide: pools of trees, AdamW, a flat then falling learning rate."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

from .conversations import Corpus
from .network import Network, Shape
from .packing import Batch, Sequence, lay_out, make_batch
from .tokenizer import Vocabulary, build_tokenizer

BALANCE_WEIGHT = 0.01
WEIGHT_DECAY = 0.05
LONGEST = 1500


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to train. The length is in steps, so that a seed gives the same model on any machine."""

    steps: int
    seed: int = 0
    batch_tokens: int = 2400
    tree_tokens: int = 200
    learning_rate: float = 3e-3
    warm_up: int = 60
    flat: float = 0.35
    report_every: int = 50
    save_every: int = 500


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands; `loss` is the mean cross-entropy of answer tokens, smoothed."""

    step: int
    tokens: int
    seconds: float
    learning_rate: float
    loss: float


def copying_share(done: float) -> float:
    """Much copying at first, while the heads that copy form; an everyday amount later."""
    return max(0.12, 0.5 - done * 1.2)


def batches(corpus: Corpus, tokenizer: Tokenizer, plan: Plan, random: Random) -> Iterator[Batch]:
    """`plan.steps` batches of about `plan.batch_tokens`, each of trees of similar length."""
    padding = tokenizer.get_vocab()["<|endoftext|>"]
    made = 0
    while True:
        pool: list[Sequence] = []
        for _ in range(64):
            long = random.random() < 0.06
            tree = (
                corpus.long_chat(random)
                if long
                else corpus.tree(random, plan.tree_tokens, copying_share(made / plan.steps))
            )
            sequence = lay_out(tree, tokenizer)
            if len(sequence) <= LONGEST:
                pool.append(sequence)
        pool.sort(key=len)
        groups: list[list[Sequence]] = [[]]
        for sequence in pool:
            if groups[-1] and (len(groups[-1]) + 1) * len(sequence) > plan.batch_tokens:
                groups.append([])
            groups[-1].append(sequence)
        random.shuffle(groups)
        for group in groups:
            yield make_batch(group, padding)
            made += 1
            if made == plan.steps:
                return


def learning_rate(plan: Plan, step: int) -> float:
    done = step / plan.steps
    fall = 1.0 if done < plan.flat else max(0.01, (1 - done) / (1 - plan.flat))
    return plan.learning_rate * min(1.0, (step + 1) / plan.warm_up) * fall


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
    save: Callable[[Progress], None],
) -> Progress:
    """Trains in place. `report` and `save` are called on the way, `save` also at the end."""
    random = Random(f"training {plan.seed}")
    tokenizer = build_tokenizer(vocabulary)
    optimizer = make_optimizer(network, plan)
    progress = Progress(0, 0, 0.0, 0.0, 0.0)
    tokens = 0
    loss_mean = 0.0
    started = time.monotonic()
    network.train()
    for step, batch in enumerate(batches(corpus, tokenizer, plan, random), 1):
        rate = learning_rate(plan, step - 1)
        for group in optimizer.param_groups:
            group["lr"] = rate
        logits = network(batch.ids, batch.positions, batch.visible, batch.select)
        losses = functional.cross_entropy(logits, batch.targets, reduction="none")
        loss = (losses * batch.weights).sum() / batch.weights.sum() + BALANCE_WEIGHT * network.balance()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        tokens += batch.ids.numel()
        answer_loss = losses.detach()[batch.weights == 1.0].mean().item()
        loss_mean = answer_loss if step == 1 else 0.98 * loss_mean + 0.02 * answer_loss
        progress = Progress(step, tokens, time.monotonic() - started, rate, loss_mean)
        if step % plan.report_every == 0:
            report(progress)
        if step % plan.save_every == 0 or step == plan.steps:
            save(progress)
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
