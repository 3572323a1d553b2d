"""The engine child's memory: what it holds beyond what a model needs, and whether it grows. Linux only (RssAnon)."""

from __future__ import annotations

import multiprocessing
import os
import re
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from app.domain.conversation import Dialogue, Message, Role
from app.domain.generation import Sampling
from app.domain.load_plan import LoadPlan
from scripts.benchmarks.engine import dialogues
from scripts.benchmarks.engine.child import Child
from scripts.benchmarks.engine.setting import DEMO, BenchmarkError, Setting, anonymous_bytes
from scripts.benchmarks.engine.speed import begun, counter
from scripts.figure import Figure

MIB = 1024 * 1024
CONTEXT = 8192
BAR_BEYOND_MB = 120.0
BAR_GROWTH = 0.01

LOADS, GENERATIONS = 100, 1000
SETTLED_IN = CHATS = 10
"""After so many the first allocations are made; the generations go around so many chats."""

# llama.cpp's own words for its buffers; what is mapped from the file is not anonymous.
BUFFER = re.compile(r"(?P<place>\S+)\s+(?P<kind>model|KV|compute|output) buffer size\s*=\s*(?P<size>[\d.]+) MiB")


def measure_beyond(setting: Setting) -> list[Figure]:
    """RssAnon after a prompt of several thousand tokens and an answer, without what llama.cpp's log accounts for."""
    log = setting.folder / "memory.log"
    log.unlink(missing_ok=True)
    child = Child(log)
    try:
        before = anonymous_bytes(child.pid)
        child.load(setting.model, setting.plan(CONTEXT))
        child.ask(dialogues.history(counter(child), CONTEXT // 2, "memory"), Sampling(temperature=1, max_tokens=64))
        dialogue = begun(child, 512, "memory")
        child.ask(dialogue, Sampling(temperature=1, max_tokens=64), continuing=True)
        total = anonymous_bytes(child.pid)
    finally:
        child.close()
    buffers = logged_buffers(log.read_text(encoding="utf-8", errors="replace"))
    words = vocabulary_bytes(setting.model)
    beyond = total - sum(buffers.values()) - words
    figures = [
        Figure("memory, child before the model", before / 1e6, unit="MB"),
        Figure("memory, child in all (RssAnon)", total / 1e6, unit="MB"),
    ]
    figures += [Figure(f"memory, {kind}", size / 1e6, unit="MB") for kind, size in buffers.items()]
    figures.append(Figure("memory, vocabulary", words / 1e6, unit="MB"))
    return [*figures, Figure("memory beyond what the model needs", beyond / 1e6, BAR_BEYOND_MB, False, "MB")]


def logged_buffers(text: str) -> dict[str, float]:
    """Bytes of each kind of anonymous buffer, from llama.cpp's log of one load."""
    sizes: dict[str, float] = {}
    for match in BUFFER.finditer(text):
        if "Mapped" not in match["place"]:
            sizes[match["kind"]] = sizes.get(match["kind"], 0.0) + float(match["size"]) * MIB
    if "compute" not in sizes:
        raise BenchmarkError("llama.cpp's log does not say how large its buffers are")
    return sizes


def vocabulary_bytes(model: Path) -> int:
    """What llama.cpp needs for a model's vocabulary alone, measured in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=load_vocabulary, args=(theirs, str(model)))
    process.start()
    theirs.close()
    try:
        return int(ours.recv())
    except EOFError as error:
        raise BenchmarkError("the vocabulary could not be loaded by itself") from error
    finally:
        process.join()
        ours.close()


def load_vocabulary(pipe: Connection, model: str) -> None:
    """The process: RssAnon with the vocabulary, less that without."""
    from app.engine.llama.backends import load_backends
    from app.engine.llama.library import LlamaLog, llama

    messages = LlamaLog()
    load_backends(messages)
    parameters: Any = llama.llama_model_default_params()
    parameters.vocab_only = True
    before = anonymous_bytes(os.getpid())
    loaded = llama.llama_model_load_from_file(os.fsencode(model), parameters)
    if loaded is not None:
        pipe.send(anonymous_bytes(os.getpid()) - before)


def measure_growth(setting: Setting) -> list[Figure]:
    """100 loads and unloads, and 1,000 generations, on the demo model."""
    plan = LoadPlan(context=2048, threads=1)
    child = Child()
    try:
        unloaded: list[int] = []
        for _ in range(LOADS):
            child.load(DEMO, plan)
            child.ask(question(0), Sampling(temperature=1, max_tokens=8))
            child.unload()
            unloaded.append(anonymous_bytes(child.pid))
        child.load(DEMO, plan)
        answered: list[int] = []
        for number in range(GENERATIONS):
            child.ask(question(number % CHATS), Sampling(temperature=1, seed=number % CHATS, max_tokens=24))
            answered.append(anonymous_bytes(child.pid))
    finally:
        child.close()
    return [
        Figure("memory after the tenth unload", unloaded[SETTLED_IN] / 1e6, unit="MB"),
        Figure(f"growth over {LOADS} loads and unloads", growth(unloaded), BAR_GROWTH, False),
        Figure("memory after the tenth answer", answered[SETTLED_IN] / 1e6, unit="MB"),
        Figure(f"growth over {GENERATIONS:,} generations", growth(answered), BAR_GROWTH, False),
    ]


def question(number: int) -> Dialogue:
    """Chats of one to three turns, of different lengths."""
    dialogue = Dialogue((Message(Role.USER, dialogues.words(f"q {number}", 20 + number % 200)),), dialogues.DATE)
    for turn in range(number % 3):
        more = (Message(Role.ASSISTANT, "Yes."), Message(Role.USER, dialogues.words(f"{number} {turn}", 40)))
        dialogue = replace(dialogue, messages=(*dialogue.messages, *more))
    return dialogue


def growth(sizes: list[int]) -> float:
    """How much the last ten lie above the ten after the tenth, as a share."""
    return median(sizes[-SETTLED_IN:]) / median(sizes[SETTLED_IN : 2 * SETTLED_IN]) - 1
