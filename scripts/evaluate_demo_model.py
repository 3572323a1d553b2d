"""Measures the demo guide through llama.cpp and prints a table of figure, value and bar.

    train-env/bin/python scripts/evaluate_demo_model.py [--model FILE] [--json] [--wrong]

It needs llama-cpp-python and numpy. The last figure, how far the logits of the PyTorch network and of llama.cpp are
apart, also needs the environment that `train_demo_model.py` describes; `--no-logits` leaves it out. The exit status is
1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.demo_model.conversations import Corpus
from scripts.demo_model.evaluation import Evaluation
from scripts.demo_model.runtime import Runtime
from scripts.demo_model.topics import load_topics, load_unknown
from scripts.figure import Figure, table

MODEL = Path(__file__).resolve().parent.parent / "resources" / "models" / "alcove-demo.gguf"
LARGEST_FILE = 6_000_000
SEQUENCE_LENGTH = 1500
SEQUENCES = 3


def logits_apart(model: Path, corpus: Corpus) -> float:
    """The largest difference between PyTorch's logits and llama.cpp's, F32 weights and cache, 1,500 tokens."""
    import torch

    from scripts.demo_model.gguf_file import read_gguf, write_gguf
    from scripts.demo_model.network import causal
    from scripts.demo_model.packing import lay_out
    from scripts.demo_model.tokenizer import build_tokenizer

    torch.set_num_threads(1)
    network, vocabulary = read_gguf(model)
    tokenizer = build_tokenizer(vocabulary)
    random = Random("logits")
    largest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f32.gguf"
        write_gguf(network, vocabulary, path, "F32")
        with Runtime(path, context=2048, exact=True) as runtime:
            for _ in range(SEQUENCES):
                ids: list[int] = []
                while len(ids) < SEQUENCE_LENGTH:
                    ids += lay_out(corpus.long_chat(random), tokenizer).ids
                ids = ids[:SEQUENCE_LENGTH]
                batch = torch.tensor([ids])
                with torch.no_grad():
                    expected = network(batch, *causal(batch))[0].numpy()
                largest = max(largest, float(abs(expected - runtime.logits(ids)).max()))
    return largest


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the demo guide built into Alcove.")
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--wrong", action="store_true", help="also print what was answered wrongly")
    parser.add_argument("--no-logits", action="store_true", help="do not compare with PyTorch")
    arguments = parser.parse_args()
    corpus = Corpus(load_topics(), load_unknown())
    figures = [Figure("file size in bytes", arguments.model.stat().st_size, LARGEST_FILE, at_least=False)]
    with Runtime(arguments.model) as runtime:
        evaluation = Evaluation(runtime, corpus, arguments.seed, lambda line: print(line, file=sys.stderr, flush=True))
        figures += evaluation.figures()
    if not arguments.no_logits:
        figures.append(
            Figure("logits apart, 1,500 tokens", logits_apart(arguments.model, corpus), 1e-3, at_least=False)
        )
    if arguments.wrong:
        for name, prompt, said in evaluation.wrong:
            print(f"{name}: {prompt!r} -> {said!r}")
    print(table(figures))
    if arguments.json:
        print(json.dumps({"met": all(figure.met for figure in figures), "figures": [row.plain() for row in figures]}))
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
