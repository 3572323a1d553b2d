"""Decoding with two threads on two cores while another program keeps one core busy, against undisturbed.

The other program is a process in a session of its own, as a person's other programs are: Linux shares the processor
between sessions first. Both are kept to the same two cores where the machine has more. The neighbour begins with the
answer, so that noticing it counts; undisturbed is what the engine does when it has forgotten the last one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from app.domain.conversation import Dialogue
from app.domain.generation import Sampling
from scripts.benchmarks.engine.setting import Setting
from scripts.benchmarks.engine.speed import AWAKE, CONTEXT, DEPTH, begun, decoding, prepared
from scripts.benchmarks.engine.worker import Worker
from scripts.figure import Figure, middle

CORES = 2
TOKENS = 256
BAR = 0.45
RECOVERY_S = 6.0
"""The engine tries for some seconds after a neighbour has gone until it trusts the core again."""

SAMPLING = Sampling(temperature=1)


def measure(setting: Setting) -> list[Figure]:
    """Alternate undisturbed and disturbed answers."""
    quiet: list[float] = []
    busy: list[float] = []
    with two_cores():
        (dialogue,) = prepared(setting, lambda child: [begun(child, DEPTH, "steady")])
        worker = Worker(replace(setting, threads=CORES), CONTEXT)
        try:
            worker.load()
            decoding(worker, dialogue, SAMPLING, AWAKE)
            for _ in range(setting.rounds):
                recover(worker, dialogue)
                quiet.append(decoding(worker, dialogue, SAMPLING, max(setting.tokens, TOKENS)).decoded_per_s)
                with neighbour():
                    busy.append(decoding(worker, dialogue, SAMPLING, max(setting.tokens, TOKENS)).decoded_per_s)
        finally:
            worker.close()
    ratios = [a / b for a, b in zip(busy, quiet, strict=True)]
    return [
        middle("decode, two threads on two cores, undisturbed", quiet, unit="tokens/s"),
        middle("decode, beside a busy process", busy, unit="tokens/s"),
        middle("decode, busy : undisturbed", ratios, BAR),
    ]


def recover(worker: Worker, dialogue: Dialogue) -> None:
    """Decode until the last neighbour is forgotten."""
    until = time.monotonic() + RECOVERY_S
    while time.monotonic() < until:
        decoding(worker, dialogue, SAMPLING, AWAKE)


@contextmanager
def two_cores() -> Iterator[None]:
    """Keep this process, and those that it starts, to two cores (Linux)."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:CORES]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def neighbour() -> Iterator[None]:
    """A process that computes without end."""
    process = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: pass"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
