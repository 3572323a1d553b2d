"""The whole path against a bare loop on the demo model, where what the path adds to a token shows.

The bare loop is llama.cpp's decode and sampler called back to back from Python, in a process of its own, with the same
prompt and context, and makes as many tokens: greedily the same ones. What all tokens but the first take is the time
from request to last event, less that of the same request for one token: both begin and end alike, so that no late
arrival shortens it. Rounds alternate, and each question counts with the fastest of its rounds: whatever else the
machine does only ever adds time.

The demo model spends a fifth of a millisecond on a token, a hundredth of what gpt-oss-20b needs, so that the ten to
twenty microseconds of the path show: 0.9 was measured with five busy neighbours on each core, 0.8 is asked for and
would catch a path that costs twice as much.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from app.domain.conversation import Dialogue, Message, Role
from app.domain.generation import Sampling
from app.domain.load_plan import LoadPlan
from scripts.benchmarks.engine.child import Child
from scripts.benchmarks.engine.dialogues import DATE
from scripts.benchmarks.engine.setting import DEMO, Setting
from scripts.figure import Figure

CONTEXT = 4096
TOKENS = 128
BATCH = 512
BAR = 0.8
SAMPLINGS = {"greedy": Sampling(temperature=0), "temperature 1": Sampling(temperature=1, seed=7)}
QUESTIONS = ("What is Alcove?", "Is it private?", "Which model fits my computer?", "How do I stop an answer?")


def measure(setting: Setting) -> list[Figure]:
    """Run both, and compare."""
    figures: list[Figure] = []
    child = Child()
    bare = Bare()
    try:
        load_s = child.load(DEMO, LoadPlan(context=CONTEXT, threads=1))
        figures = [Figure("start of the child to its hello", child.hello_s, unit="s")]
        figures.append(Figure("load of the demo model", load_s, unit="s"))
        for name, base in SAMPLINGS.items():
            ours = compare(child, bare, replace(base, max_tokens=TOKENS), 4 * setting.rounds)
            figures.append(Figure(f"demo, {name}, whole path", ours[0], unit="tokens/s"))
            figures.append(Figure(f"demo, {name}, whole path : bare loop", ours[1], BAR))
    finally:
        child.close()
        bare.close()
    return figures


def compare(child: Child, bare: Bare, sampling: Sampling, rounds: int) -> tuple[float, float]:
    """Tokens a second of the whole path, and its ratio to the bare loop's."""
    one = replace(sampling, max_tokens=1)
    tokens: dict[str, int] = {}
    all_tokens: dict[str, float] = {}
    first_token: dict[str, float] = {}
    bare_tokens: dict[str, float] = {}
    for _ in range(rounds):
        for question in QUESTIONS:
            dialogue = Dialogue((Message(Role.USER, question),), date=DATE)
            asked = child.ask(dialogue, sampling)
            tokens[question] = asked.tokens
            all_tokens[question] = min(asked.seconds, all_tokens.get(question, math.inf))
            seconds = child.ask(dialogue, one).seconds
            first_token[question] = min(seconds, first_token.get(question, math.inf))
            seconds = bare.decode(child.render(dialogue), asked.tokens, sampling)
            bare_tokens[question] = min(seconds, bare_tokens.get(question, math.inf))
    count = sum(tokens.values()) - len(tokens)
    ours = count / (sum(all_tokens.values()) - sum(first_token.values()))
    return ours, ours * sum(bare_tokens.values()) / count


class Bare:
    """llama.cpp called back to back, in a process of its own."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, str(DEMO)), daemon=True)
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


def serve(pipe: Connection, path: str) -> None:
    """The bare loop's process: prompts in, seconds out."""
    from app.engine.llama.backends import load_backends
    from app.engine.llama.library import LlamaLog, llama

    messages = LlamaLog()
    load_backends(messages)
    model_parameters: Any = llama.llama_model_default_params()
    model_parameters.use_extra_bufts = False
    model: Any = llama.llama_model_load_from_file(os.fsencode(path), model_parameters)
    parameters: Any = llama.llama_context_default_params()
    parameters.n_ctx = CONTEXT
    parameters.n_batch = parameters.n_ubatch = BATCH
    parameters.n_threads = parameters.n_threads_batch = 1
    context: Any = llama.llama_init_from_model(model, parameters)
    memory: Any = llama.llama_get_memory(context)
    pipe.send(None)
    while (task := pipe.recv()) is not None:
        prompt, count, sampling = task
        llama.llama_memory_clear(memory, False)
        read = (llama.llama_token * len(prompt))(*prompt)
        llama.llama_decode(context, llama.llama_batch_get_one(read, len(prompt)))
        chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        greedy = sampling.temperature == 0
        choice = llama.llama_sampler_init_greedy() if greedy else llama.llama_sampler_init_dist(sampling.seed)
        llama.llama_sampler_chain_add(chain, choice)
        token = (llama.llama_token * 1)()
        batch = llama.llama_batch_get_one(token, 1)
        decode, sample = llama.llama_decode, llama.llama_sampler_sample
        token[0] = sample(chain, context, -1)
        begin = time.perf_counter()
        for _ in range(count - 1):
            decode(context, batch)
            token[0] = sample(chain, context, -1)
        pipe.send(time.perf_counter() - begin)
        llama.llama_sampler_free(chain)
    llama.llama_free(context)
    llama.llama_model_free(model)
