"""The engine against llama.cpp's own programs, each figure a ratio inside one run.

Every part is a module of its own, which says how it measures; docs/measurements.md has the figures. Speeds are taken
from the arrival times of events in this process, which stands for the window's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from scripts.benchmarks.engine import bare, first_token, memory, speed, steady, stop
from scripts.benchmarks.engine.child import Child
from scripts.benchmarks.engine.neighbours import Neighbours
from scripts.benchmarks.engine.peers import Peers
from scripts.benchmarks.engine.setting import BenchmarkError, Setting
from scripts.figure import Figure, table
from scripts.make_bench_model import SHAPES, cached_model
from scripts.steps import say

PARTS: dict[str, Callable[[Setting], list[Figure]]] = {
    "decode": speed.measure_decode,
    "prefill": speed.measure_prefill,
    "next-turn": first_token.measure_next_turn,
    "restart": first_token.measure_restart,
    "history": first_token.measure_over_history,
    "memory": memory.measure_beyond,
    "stop": stop.measure,
    "steady": steady.measure,
    "growth": memory.measure_growth,
    "bare": bare.measure,
}
# Whatever else the machine does, these say the same.
ANYWHERE = frozenset({"memory", "growth", "bare"})
MOST_SHARE = 0.1
"""Of the machine's time. llama.cpp's programs suffer more from neighbours than Alcove: a ratio would flatter."""

LAYOUTS = ("repacked", "mapped")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be asked of this benchmark."""
    parser.add_argument("--model", type=Path, help="a GGUF file (default: a generated one, see --shape)")
    parser.add_argument("--shape", choices=SHAPES, default="small", help="of the generated model (default: small)")
    parser.add_argument(
        "--part", action="append", choices=PARTS, help="what to measure (default: all); may be repeated"
    )
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each thing (default: 7)")
    parser.add_argument("--tokens", type=int, default=128, help="tokens of a measured answer (default: 128)")
    parser.add_argument("--threads", type=int, default=0, help="threads of both (default: the engine's choice)")
    parser.add_argument("--history", type=int, default=8000, help="tokens of history before turn N (default: 8000)")
    parser.add_argument("--longest", type=int, default=32768, help="tokens of the longest history (default: 32768)")
    parser.add_argument("--layout", choices=LAYOUTS, default="repacked", help="of the weights, in both")
    parser.add_argument("--logs", type=Path, help="a folder that keeps what the programs say (default: none)")


def measure(arguments: argparse.Namespace) -> list[Figure]:
    """Run the chosen parts one after another; each part's figures are shown as soon as it is done."""
    import psutil

    from app.engine.hardware import threads_for

    model: Path = arguments.model or cached_model(arguments.shape)
    size = model.stat().st_size
    begin = time.perf_counter()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="alcove-bench-") as temporary:
        logs = arguments.logs or Path(temporary)
        logs.mkdir(parents=True, exist_ok=True)
        child = Child()
        variant = child.variant
        child.close()
        say(f"{model.name}, {size / 1e6:,.0f} MB, {arguments.layout}, processor variant {variant or 'none'}")
        setting = Setting(
            model=model,
            layout=arguments.layout,
            threads=arguments.threads or threads_for(size),
            rounds=arguments.rounds,
            tokens=arguments.tokens,
            history=arguments.history,
            longest=arguments.longest,
            apart=4 * size > psutil.virtual_memory().total,
            folder=logs,
            peers=Peers(Path(temporary) / "peers", variant),
        )
        for part in arguments.part or PARTS:
            with Neighbours() as neighbours:
                found = run(part, setting)
            bar = None if part in ANYWHERE else MOST_SHARE
            found.append(
                Figure(f"{part}: share of the machine that others took", neighbours.share, bar, at_least=False)
            )
            say(table(found))
            figures += found
    return [*figures, Figure("the measurement took", time.perf_counter() - begin, unit="s")]


def run(part: str, setting: Setting) -> list[Figure]:
    """The figures of a part; one that does not run is a bar missed, and the others go on."""
    try:
        return PARTS[part](setting)
    except BenchmarkError as error:
        say(f"{part}: {error}")
        return [Figure(f"{part} did not run", 1.0, 0.0, at_least=False)]
