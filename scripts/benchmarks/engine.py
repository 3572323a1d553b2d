"""The engine's decode speed through the whole path, against a bare loop on the same model.

The whole path is what a person waits for: child, sampling, parser, pipe, client; its speed is taken from the arrival
times of events in this process. The bare loop is llama.cpp's decode and sampler called back to back in a process of
its own, with the same prompt, threads, context and seed, so that it makes the same tokens. What all tokens but the
first take is the time from request to last event, less that of the same request for one token: both begin and end
alike, so that no late arrival shortens it. Rounds alternate, and each question counts with the fastest of its rounds:
whatever else the machine does only ever adds time.

The bar. The demo model spends a fifth of a millisecond on a token, a hundredth of what gpt-oss-20b needs, so that what
the path adds, ten to twenty microseconds, shows: 0.9 was measured with five busy neighbours on each core, 0.8 is
asked for and would catch a path that costs twice as much. With a model of real vocabulary and size (`--model`, see
scripts/make_bench_model.py) the same cost is below one percent: 0.93 is asked for.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from app.domain.conversation import Dialogue, Effort, Message, Role
from app.domain.generation import Sampling
from app.engine.client import EngineClient, EngineLost
from app.engine.protocol import (
    Event,
    Failed,
    Finished,
    Generate,
    Hello,
    Load,
    Loaded,
    LoadPlan,
    Render,
    Rendered,
)
from scripts.benchmarks.figure import Figure

DEMO = Path(__file__).resolve().parents[2] / "resources" / "models" / "alcove-demo.gguf"
SMALL_BYTES = 50_000_000
CONTEXT = 4096
QUESTIONS = ("What is Alcove?", "Is it private?", "Which model fits my computer?", "How do I stop an answer?")
SAMPLINGS = {"greedy": Sampling(temperature=0), "temperature 1": Sampling(temperature=1, seed=7)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be asked of this benchmark."""
    parser.add_argument("--model", type=Path, default=DEMO, help="a GGUF file (default: the demo)")
    parser.add_argument("--rounds", type=int, default=30, help="measurements of each question and sampling")
    parser.add_argument("--threads", type=int, default=0, help="threads of both (default: the engine's choice)")
    parser.add_argument("--max-tokens", type=int, default=128, help="longest answer in tokens")


def measure(arguments: argparse.Namespace) -> list[Figure]:
    """Run both, and compare."""
    from app.engine.hardware import threads_for

    size = arguments.model.stat().st_size
    threads = arguments.threads or threads_for(size)
    begin = time.perf_counter()
    whole = WholePath(arguments.model, threads)
    bare = Bare(arguments.model, threads)
    bar = 0.8 if size < SMALL_BYTES else 0.93
    figures: list[Figure] = [
        Figure("start of the child to its hello", whole.hello_s, unit="s"),
        Figure("load", whole.load_s, unit="s"),
    ]
    try:
        for name, base in SAMPLINGS.items():
            sampling = replace(base, max_tokens=arguments.max_tokens)
            one = replace(sampling, max_tokens=1)
            tokens: dict[str, int] = {}
            all_tokens: dict[str, float] = {}
            first_token: dict[str, float] = {}
            bare_tokens: dict[str, float] = {}
            for _ in range(arguments.rounds):
                for question in QUESTIONS:
                    prompt = whole.render(question)
                    tokens[question], seconds = whole.answer(question, sampling)
                    all_tokens[question] = min(seconds, all_tokens.get(question, math.inf))
                    _, seconds = whole.answer(question, one)
                    first_token[question] = min(seconds, first_token.get(question, math.inf))
                    seconds = bare.decode(prompt, tokens[question], sampling)
                    bare_tokens[question] = min(seconds, bare_tokens.get(question, math.inf))
            count = sum(tokens.values()) - len(tokens)
            ours = count / (sum(all_tokens.values()) - sum(first_token.values()))
            figures.append(Figure(f"{name}: whole path, tokens/s", ours))
            figures.append(Figure(f"{name}: whole path : bare loop", ours * sum(bare_tokens.values()) / count, bar))
    finally:
        whole.close()
        bare.close()
    figures.append(Figure("the measurement took", time.perf_counter() - begin, unit="s"))
    return figures


def dialogue(question: str) -> Dialogue:
    """A first message, with the reasoning of an everyday question."""
    return Dialogue((Message(Role.USER, question),), date="2026-01-01", effort=Effort.MEDIUM)


class WholePath:
    """The engine as the program uses it."""

    def __init__(self, model: Path, threads: int) -> None:
        self._client = EngineClient()
        self._id = 0
        begin = time.perf_counter()
        self._client.start()
        self._wait(Hello)
        self.hello_s = time.perf_counter() - begin
        begin = time.perf_counter()
        self._client.send(Load(self._next_id(), str(model), LoadPlan(CONTEXT, threads)))
        self._wait(Loaded)
        self.load_s = time.perf_counter() - begin

    def render(self, question: str) -> tuple[int, ...]:
        """The prompt's tokens."""
        self._client.send(Render(self._next_id(), dialogue(question)))
        return self._wait(Rendered).tokens

    def answer(self, question: str, sampling: Sampling) -> tuple[int, float]:
        """Tokens generated, and seconds from the request to the last event."""
        begin = time.perf_counter()
        self._client.send(Generate(self._next_id(), dialogue(question), sampling))
        finished = self._wait(Finished)
        return finished.usage.completion_tokens, time.perf_counter() - begin

    def close(self) -> None:
        """End the child."""
        self._client.close()

    def _next_id(self) -> int:
        self._id += 1
        return self._id

    def _wait(self, kind: type[Any]) -> Any:
        while True:
            event: Event | object = self._client.receive(None)
            if isinstance(event, Failed | EngineLost):
                raise RuntimeError(f"the engine failed: {event}")
            if isinstance(event, kind):
                return event


class Bare:
    """llama.cpp called back to back, in a process of its own."""

    def __init__(self, model: Path, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve_bare, args=(theirs, str(model), threads), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def decode(self, prompt: tuple[int, ...], count: int, sampling: Sampling) -> float:
        """Seconds for ``count`` tokens after the prompt, the first not counted."""
        self._pipe.send((prompt, count, sampling))
        return float(self._pipe.recv())

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join()
        self._pipe.close()


def serve_bare(pipe: Connection, model: str, threads: int) -> None:
    """The bare loop's process: prompts in, seconds out."""
    from app.engine.child import spin_briefly
    from app.engine.llama.library import LlamaLog, llama, load_backends
    from app.engine.llama.model import LlamaModel

    log = LlamaLog()
    spin_briefly()
    load_backends()
    loaded = LlamaModel(Path(model), LoadPlan(), log, lambda _: True)
    context = loaded.context(LoadPlan(CONTEXT, threads))
    raw: Any = context._context  # pyright: ignore[reportPrivateUsage]
    pipe.send(None)
    while (task := pipe.recv()) is not None:
        prompt, count, sampling = task
        context.clear()
        for begin in range(0, len(prompt), 256):
            context.prefill(prompt[begin : begin + 256], lambda: False)
        chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        greedy = sampling.temperature == 0
        choice = llama.llama_sampler_init_greedy() if greedy else llama.llama_sampler_init_dist(sampling.seed)
        llama.llama_sampler_chain_add(chain, choice)
        token = (llama.llama_token * 1)()
        batch = llama.llama_batch_get_one(token, 1)
        decode, sample = llama.llama_decode, llama.llama_sampler_sample
        token[0] = sample(chain, raw, -1)
        begin = time.perf_counter()
        for _ in range(count - 1):
            decode(raw, batch)
            token[0] = sample(chain, raw, -1)
        pipe.send(time.perf_counter() - begin)
        llama.llama_sampler_free(chain)
    context.close()
    loaded.close()
