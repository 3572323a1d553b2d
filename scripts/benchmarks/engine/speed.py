"""Reading and decoding, tokens a second, against llama-bench.

Decoding: an answer that was begun is gone on with, so that every token is text that travels: sampled, parsed, sent,
received. The tokens after the first are counted, over the time from the arrival of the event that says that the prompt
is read to that of the last event. llama-bench decodes as many behind as many others; it feeds itself random tokens and
does not sample. Reading: a prompt of 512 tokens that the memory knows nothing of, from the arrival of the event that
it is made to that of the event that it is read, against pp512.

Each round measures all of them one after another, and a ratio pairs neighbours: whatever else the machine does meets
both. The figure is the median of the rounds' ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from app.domain.conversation import Dialogue, Message, Role
from app.domain.generation import Sampling
from app.domain.load_plan import LoadPlan
from scripts.benchmarks.engine import dialogues
from scripts.benchmarks.engine.child import Child
from scripts.benchmarks.engine.setting import BenchmarkError, Setting
from scripts.benchmarks.engine.worker import Streamed, Worker
from scripts.figure import Figure, middle

DEPTH = 512
READ, LONG_READ = 512, 2048
CONTEXT = 4096
AWAKE = 32
"""Tokens before the measured ones: the prompt is read again, the processor awake."""

PAUSE_S = 1.0
"""After the peer has run: the engine looks at what other programs hold, and the peer is none that goes on."""

ONE = Sampling(temperature=0, max_tokens=1)
SAMPLINGS = {"greedy": Sampling(temperature=0), "temperature 1": Sampling(temperature=1)}
# llama-bench does not sample; on a small model that is a larger part of a token.
SMALL_BYTES = 2_000_000_000
BAR_SMALL, BAR_LARGE, BAR_READ = 0.93, 0.97, 0.97


def decoding(worker: Worker, dialogue: Dialogue, sampling: Sampling, tokens: int) -> Streamed:
    """Go on with the dialogue's last message for so many tokens."""
    streamed = worker.answer(dialogue, replace(sampling, max_tokens=tokens), continuing=True)
    if streamed.tokens != tokens:
        raise BenchmarkError(f"an answer of {tokens} tokens ended after {streamed.tokens}")
    return streamed


def measure_decode(setting: Setting) -> list[Figure]:
    """Decode speed of the whole path, greedy and at temperature 1."""
    bar = BAR_SMALL if setting.model.stat().st_size < SMALL_BYTES else BAR_LARGE
    (dialogue,) = prepared(setting, lambda child: [begun(child, DEPTH, "decode")])
    speeds: dict[str, list[float]] = {name: [] for name in SAMPLINGS}
    peer: list[float] = []
    texts = 0
    worker = Worker(setting, CONTEXT)
    try:
        for turn in range(setting.rounds):
            worker.load()
            time.sleep(PAUSE_S)
            # Each comes next to the peer as often as the other.
            for name in sorted(SAMPLINGS, reverse=turn % 2 == 1):
                decoding(worker, dialogue, SAMPLINGS[name], AWAKE)
                streamed = decoding(worker, dialogue, SAMPLINGS[name], setting.tokens)
                speeds[name].append(streamed.decoded_per_s)
                texts = streamed.texts
            worker.rest()
            generate = {"generate": setting.tokens, "depth": DEPTH}
            peer.append(setting.peers.bench(setting.model, setting.layout, setting.threads, **generate))
    finally:
        worker.close()
    figures = [middle(f"decode, llama-bench tg{setting.tokens} at {DEPTH}", peer, unit="tokens/s")]
    for name, values in speeds.items():
        ratios = [ours / theirs for ours, theirs in zip(values, peer, strict=True)]
        figures.append(middle(f"decode, {name}", values, unit="tokens/s"))
        figures.append(middle(f"decode, {name} : llama-bench", ratios, bar))
    return [*figures, Figure(f"decode, pieces of text in {setting.tokens} tokens", texts)]


def measure_prefill(setting: Setting) -> list[Figure]:
    """Reading speed: of a prompt as long as llama-bench's, and of a long one."""
    figures: list[Figure] = []
    for tokens, rounds, bar in ((READ, setting.rounds, BAR_READ), (LONG_READ, max(setting.rounds // 2, 1), None)):
        prompts = prepared(setting, lambda child, n=tokens, r=rounds: unlike(child, n, r))
        ours: list[float] = []
        peer: list[float] = []
        worker = Worker(setting, CONTEXT)
        try:
            for prompt in prompts[:-1]:
                worker.load()
                time.sleep(PAUSE_S)
                worker.answer(prompts[-1], ONE)  # awake
                streamed = worker.answer(prompt, ONE)
                if streamed.read < tokens:
                    raise BenchmarkError(f"of a new prompt of {tokens} tokens only {streamed.read} were read")
                ours.append(streamed.read_per_s)
                worker.rest()
                peer.append(setting.peers.bench(setting.model, setting.layout, setting.threads, read=tokens))
        finally:
            worker.close()
        ratios = [a / b for a, b in zip(ours, peer, strict=True)]
        figures += [
            middle(f"prefill, llama-bench pp{tokens}", peer, unit="tokens/s"),
            middle(f"prefill, a prompt of {tokens:,}", ours, unit="tokens/s"),
            middle(f"prefill, a prompt of {tokens:,} : llama-bench", ratios, bar),
        ]
    return figures


def unlike(child: Child, tokens: int, number: int) -> list[Dialogue]:
    """Prompts that share next to nothing, and one more."""
    count = counter(child)
    return [dialogues.opening(count, tokens, f"read {turn}", dialogues.day(turn)) for turn in range(number + 1)]


def prepared(setting: Setting, make: Callable[[Child], list[Dialogue]]) -> list[Dialogue]:
    """Dialogues of the right lengths, from a child of their own: the worker renders nothing."""
    child = Child()
    try:
        child.load(setting.model, LoadPlan(context=512, threads=1))
        return make(child)
    finally:
        child.close()


def begun(child: Child, tokens: int, seed: str) -> Dialogue:
    """A dialogue whose last message is an answer's beginning, its prompt of about so many tokens."""
    count = counter(child)
    question = dialogues.opening(count, tokens - 100, seed)

    def begin(text: str) -> Dialogue:
        return replace(question, messages=(*question.messages, Message(Role.ASSISTANT, text)))

    return dialogues.sized(count, begin, tokens, f"{seed} begun")


def counter(child: Child) -> dialogues.Count:
    """Counts a dialogue's tokens with the child's model."""
    return lambda dialogue: len(child.render(dialogue))
