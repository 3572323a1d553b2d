"""Trains the demo guide built into Alcove and writes it as a GGUF file.

It needs PyTorch and three more packages that the program itself does without; give them an environment of their own:

    python3 -m venv train-env
    train-env/bin/pip install torch==2.13.0 tokenizers==0.23.3 gguf==0.19.0 numpy
    train-env/bin/python scripts/train_demo_model.py

This takes about three quarters of an hour on one quiet processor core (more threads are slower: the matrices are
small). Every few minutes the GGUF file and the checkpoint are replaced, so that a usable file exists early. The card
beside the model names the commands that made the released file.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.demo_model.conversations import Corpus
from scripts.demo_model.gguf_file import SHARPNESS, write_gguf
from scripts.demo_model.network import Network, Shape
from scripts.demo_model.tokenizer import learn_corpus_vocabulary
from scripts.demo_model.topics import load_topics, load_unknown
from scripts.demo_model.training import Plan, Progress, load_checkpoint, save_checkpoint, train

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "resources" / "models" / "alcove-demo.gguf"
CHECKPOINT = ROOT / "build" / "alcove-demo.pt"
FIRST_STEPS = 2500
SECOND_STEPS = 2500
CONTINUED_RATE = 1.2e-3


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the demo guide built into Alcove.")
    parser.add_argument("--out", type=Path, default=MODEL, help="the GGUF file to write")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT, help="where the PyTorch weights go")
    parser.add_argument("--resume", type=Path, help="a checkpoint: only the second stretch is trained")
    parser.add_argument(
        "--continue", dest="goes_on", action="store_true", help="the checkpoint has the heads that copy"
    )
    parser.add_argument("--first-steps", type=int, default=FIRST_STEPS, help="before the heads that copy are added")
    parser.add_argument("--second-steps", type=int, default=SECOND_STEPS, help="after that, at a falling rate")
    parser.add_argument("--minutes", type=float, default=0.0, help="end the second stretch after this time")
    parser.add_argument("--seed", type=int, default=0)
    for field in fields(Shape):
        if isinstance(field.default, int):
            parser.add_argument(f"--{field.name.replace('_', '-')}", type=int, default=field.default)
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    shape = Shape(**{field.name: getattr(arguments, field.name) for field in fields(Shape) if field.type == "int"})
    first_steps = 0 if arguments.resume else arguments.first_steps
    plan = Plan(first_steps, arguments.second_steps, arguments.minutes, seed=arguments.seed)
    if arguments.goes_on:
        plan = replace(plan, add_heads=False, copying=0.12, flat=0.1, second_learning_rate=CONTINUED_RATE)
    checkpoint = arguments.checkpoint
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    corpus = Corpus(load_topics(), load_unknown())
    if arguments.resume:
        network, vocabulary = load_checkpoint(arguments.resume)
    else:
        network, vocabulary = Network(shape), learn_corpus_vocabulary(corpus, shape.vocabulary, plan.seed)
    size = sum(parameter.numel() for parameter in network.parameters())
    print(f"{size:,} parameters{'' if arguments.goes_on else ' before the heads that copy are added'}", flush=True)

    def report(progress: Progress) -> None:
        print(
            f"step {progress.step:,}  {progress.tokens / 1e6:.2f} M tokens  {progress.seconds:.0f} s  "
            f"learning rate {progress.learning_rate:.5f}  loss {progress.loss:.4f}",
            flush=True,
        )

    def save(network: Network, progress: Progress) -> None:
        save_checkpoint(network, vocabulary, checkpoint)
        write_gguf(network, vocabulary, arguments.out, sharpness=SHARPNESS)

    train(network, corpus, vocabulary, plan, report, save)
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
