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

from dataclasses import replace
from statistics import median

from app.domain.conversation import Dialogue, Message, Role
from app.domain.generation import Sampling
from scripts.benchmarks.engine import dialogues
from scripts.benchmarks.engine.child import Asked, Child
from scripts.benchmarks.engine.setting import BenchmarkError, Setting
from scripts.figure import Figure, middle

DEPTH = 512
READ = 512
CONTEXT = 2048
SAMPLINGS = {"greedy": Sampling(temperature=0), "temperature 1": Sampling(temperature=1, seed=7)}
# llama-bench does not sample; on a small model that is a larger part of a token.
SMALL_BYTES = 2_000_000_000
BAR_SMALL, BAR_LARGE, BAR_READ = 0.93, 0.97, 0.97


class Alcove:
    """The child with the model; where the machine does not hold it twice, it is loaded only while it is measured."""

    def __init__(self, setting: Setting, context: int) -> None:
        self._setting = setting
        self._plan = setting.plan(context)
        self.child = Child(setting.folder / "child.log")
        self._loaded = False
        self.load()

    def load(self) -> Child:
        """Have the model loaded and warm."""
        if not self._loaded:
            self.child.load(self._setting.model, self._plan)
            self._loaded = True
        return self.child

    def rest(self) -> None:
        """Make room for a peer."""
        if self._setting.apart:
            self.child.unload()
            self._loaded = False

    def close(self) -> None:
        """End the child."""
        self.child.close()


def decoding(child: Child, dialogue: Dialogue, sampling: Sampling, tokens: int) -> Asked:
    """Go on with the dialogue's last message for so many tokens."""
    asked = child.ask(dialogue, replace(sampling, max_tokens=tokens), continuing=True)
    if asked.tokens != tokens:
        raise BenchmarkError(f"an answer of {tokens} tokens ended after {asked.tokens}")
    return asked


def measure_decode(setting: Setting) -> list[Figure]:
    """Decode speed of the whole path, greedy and at temperature 1."""
    bar = BAR_SMALL if setting.model.stat().st_size < SMALL_BYTES else BAR_LARGE
    speeds: dict[str, list[float]] = {name: [] for name in SAMPLINGS}
    peer: list[float] = []
    events = 0
    alcove = Alcove(setting, CONTEXT)
    try:
        dialogue = begun(alcove.child, DEPTH, "decode")
        for _ in range(setting.rounds):
            for index, (name, sampling) in enumerate(SAMPLINGS.items()):
                child = alcove.load()
                decoding(child, dialogue, sampling, 8)  # the prompt is read, the processor awake
                asked = decoding(child, dialogue, sampling, setting.tokens)
                speeds[name].append(asked.decoded_per_s)
                events = asked.text_events
                if index == 0:
                    alcove.rest()
                    generate = {"generate": setting.tokens, "depth": DEPTH}
                    peer.append(setting.peers.bench(setting.model, setting.layout, setting.threads, **generate))
    finally:
        alcove.close()
    figures = [middle(f"decode, llama-bench tg{setting.tokens} at {DEPTH}", peer, unit="tokens/s")]
    for name, values in speeds.items():
        ratios = [ours / theirs for ours, theirs in zip(values, peer, strict=True)]
        figures.append(middle(f"decode, {name}", values, unit="tokens/s"))
        figures.append(middle(f"decode, {name} : llama-bench", ratios, bar))
    return [*figures, Figure("decode, events with text in an answer", events)]


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


def measure_prefill(setting: Setting) -> list[Figure]:
    """Reading speed."""
    ours: list[float] = []
    peer: list[float] = []
    alcove = Alcove(setting, CONTEXT)
    one = Sampling(temperature=0, max_tokens=1)
    try:
        alcove.child.ask(dialogues.opening(counter(alcove.child), READ, "warm"), one)
        for turn in range(setting.rounds):
            child = alcove.load()
            asked = child.ask(dialogues.opening(counter(child), READ, f"read {turn}"), one)
            ours.append(asked.read / asked.read_s)
            alcove.rest()
            peer.append(setting.peers.bench(setting.model, setting.layout, setting.threads, read=READ))
    finally:
        alcove.close()
    ratios = [a / b for a, b in zip(ours, peer, strict=True)]
    return [
        middle(f"prefill, llama-bench pp{READ}", peer, unit="tokens/s"),
        middle("prefill", ours, unit="tokens/s"),
        middle("prefill : llama-bench", ratios, BAR_READ),
        Figure("prefill, slowest of fastest", median(ours) / max(ours)),
    ]
