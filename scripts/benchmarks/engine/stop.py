"""From the press on Stop to the answer's last event, while the engine decodes and while it reads a long prompt."""

from __future__ import annotations

from random import Random

from app.domain.generation import FinishReason, Sampling
from app.engine.protocol import Event, PrefillProgress, PromptReady
from scripts.benchmarks.engine import dialogues
from scripts.benchmarks.engine.child import Asked, Child
from scripts.benchmarks.engine.setting import BenchmarkError, Setting
from scripts.benchmarks.engine.speed import begun, counter
from scripts.figure import Figure

PROMPT = 4000
CONTEXT = 8192
STOPS = 20
BAR_DECODE_MS, BAR_PREFILL_MS = 50.0, 250.0


def measure(setting: Setting) -> list[Figure]:
    """Stop at moments drawn at random; the bar holds for nine in ten, because the machine may be doing other things."""
    random = Random(1)
    child = Child(setting.folder / "child.log")
    try:
        child.load(setting.model, setting.plan(CONTEXT))
        dialogue = begun(child, 512, "stop")
        first = child.ask(dialogue, Sampling(temperature=0, max_tokens=16), continuing=True)
        token_s = 1 / first.decoded_per_s
        endless = Sampling(temperature=1, seed=3)
        decode: list[float] = []
        for _ in range(STOPS):
            after = token_s * random.uniform(8, 40)
            stopped = child.ask(dialogue, endless, continuing=True, stop_when=is_read, stop_after_s=after)
            decode.append(stop_ms(stopped))
        count = counter(child)
        whole = child.ask(dialogues.opening(count, PROMPT, "stop, whole"), Sampling(temperature=0, max_tokens=1))
        prefill: list[float] = []
        for number in range(STOPS):
            prompt = dialogues.opening(count, PROMPT, f"stop {number}", dialogues.day(number))
            after = whole.read_s * random.uniform(0.05, 0.7)
            stopped = child.ask(prompt, endless, stop_when=is_ready, stop_after_s=after)
            prefill.append(stop_ms(stopped))
    finally:
        child.close()
    return [
        nine_in_ten("stop to last event, decoding", decode, BAR_DECODE_MS),
        nine_in_ten(f"stop to last event, reading {PROMPT:,} tokens", prefill, BAR_PREFILL_MS),
    ]


def stop_ms(asked: Asked) -> float:
    """Milliseconds from the stop to the last event."""
    if asked.finished.reason is not FinishReason.CANCELLED:
        raise BenchmarkError(f"a stopped answer ended with {asked.finished.reason}")
    return (asked.end - asked.stopped) * 1000


def is_read(event: Event) -> bool:
    """Whether decoding begins."""
    return isinstance(event, PrefillProgress) and event.done == event.total


def is_ready(event: Event) -> bool:
    """Whether reading begins."""
    return isinstance(event, PromptReady | PrefillProgress)


def nine_in_ten(name: str, samples: list[float], bar: float) -> Figure:
    """The value that nine in ten samples do not exceed."""
    ranked = sorted(samples)
    return Figure(name, ranked[len(ranked) * 9 // 10 - 1], bar, False, "ms", tuple(samples))
