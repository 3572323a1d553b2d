"""Time to the first token of a turn in a long chat: against llama-server, after a restart, and over its length.

A turn is: the history, whose last message is the user's; an answer with its reasoning; a new message. The answer has to
end up in the engine's memory as a generated one does, reasoning and all, and the model says only noise: so all but its
last words are given as an answer that was cut short, and the engine goes on with it. The next request leaves the
reasoning out, as every later prompt does, and asks for one token; the time is from the request to the arrival of the
last event. The server gets the very same prompts as token ids, in the same order, and its time is that of its first
piece. Both then have to read the answer again, unless the engine has settled.

Every round has words of its own behind the same history.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from app.domain.conversation import Dialogue
from app.domain.generation import Sampling
from app.engine.protocol import Keeping, SettleWhen
from scripts.benchmarks.engine import dialogues
from scripts.benchmarks.engine.child import Asked, Child
from scripts.benchmarks.engine.setting import BenchmarkError, Setting
from scripts.benchmarks.engine.speed import ONE, counter
from scripts.figure import Figure, middle

REASONING, ANSWER, MESSAGE = 300, 400, 40
ROOM = 1024
"""Context beyond the history."""

LAST_WORDS = 16
"""Tokens of the answer that are generated."""

CLOSING = 12
"""Tokens that a finished answer's prompt has behind its last word, at most."""

LENGTHS = (1024, 2048, 4096, 8192, 16384, 32768)

KEPT_BYTES = 2_000_000_000
"""The space that chats' memories may take, as the program's default is."""

BAR_PLAIN, BAR_SETTLED, BAR_RESTART, BAR_SLOPE = 1.0, 0.25, 0.05, 0.05
WORDS = Sampling(temperature=0, max_tokens=LAST_WORDS)


@dataclass(frozen=True, slots=True)
class Turn:
    """The dialogue before the new message, its answer whole, and with the message."""

    before: Dialogue
    after: Dialogue


def answered(child: Child, history: Dialogue, seed: str, settle: SettleWhen, chat: str = "") -> Turn:
    """Have the engine answer the history, and add the next message. With ``settle`` it has prepared for it."""
    count = counter(child)
    begun = dialogues.answering(count, history, REASONING, ANSWER - LAST_WORDS, seed)
    asked = child.ask(begun, WORDS, chat=chat, settle=settle, continuing=True)
    if asked.tokens != LAST_WORDS:
        raise BenchmarkError(f"an answer of {LAST_WORDS} tokens ended after {asked.tokens}")
    if settle is not SettleWhen.NEVER:
        child.settled(asked)
    said = begun.messages[-1]
    whole = replace(said, content=said.content + asked.answer)
    before = replace(begun, messages=(*begun.messages[:-1], whole))
    return Turn(before, dialogues.next_turn(count, before, MESSAGE, f"{seed} next"))


def measure_next_turn(setting: Setting) -> list[Figure]:
    """Turn N against llama-server, without and with settling."""
    context = setting.history + 2 * ROOM
    seconds: dict[SettleWhen, list[float]] = {SettleWhen.NEVER: [], SettleWhen.ALWAYS: []}
    read: dict[SettleWhen, list[int]] = {SettleWhen.NEVER: [], SettleWhen.ALWAYS: []}
    peer: list[float] = []
    peer_read: list[int] = []
    child = Child(setting.folder / "child.log")
    try:
        child.load(setting.model, setting.plan(context))
        history = dialogues.history(counter(child), setting.history, "turn")
        child.ask(history, ONE)
        prompt = child.render(history)
        log = setting.folder / "server.log"
        with setting.peers.server(setting.model, setting.layout, setting.threads, context, log) as server:
            server.complete(prompt, 1)
            for number in range(setting.rounds):
                for settle, values in seconds.items():
                    turn = answered(child, history, f"{settle} {number}", settle)
                    asked = child.ask(turn.after, ONE)
                    values.append(asked.seconds)
                    read[settle].append(asked.read)
                    if settle is SettleWhen.NEVER:
                        server.complete(child.render(turn.before)[: -LAST_WORDS - CLOSING], LAST_WORDS)
                        reply = server.complete(child.render(turn.after), 1)
                        peer.append(reply.first_token_s)
                        peer_read.append(reply.read)
    finally:
        child.close()
    name = f"first token of turn N, {setting.history:,} tokens of history"
    figures = [
        middle(f"{name}, llama-server", peer, unit="s"),
        Figure("... tokens it read", median(peer_read)),
    ]
    bars = {SettleWhen.NEVER: ("not settled", BAR_PLAIN), SettleWhen.ALWAYS: ("settled", BAR_SETTLED)}
    for settle, (word, bar) in bars.items():
        ratios = [ours / theirs for ours, theirs in zip(seconds[settle], peer, strict=True)]
        figures += [
            middle(f"{name}, {word}", seconds[settle], unit="s"),
            Figure("... tokens read", median(read[settle])),
            middle(f"{name}, {word} : llama-server", ratios, bar, at_least=False),
        ]
    return figures


def measure_restart(setting: Setting) -> list[Figure]:
    """Turn N after a restart of the program, from the snapshot, against a fresh read of the same prompt."""
    context = setting.history + 2 * ROOM
    fresh: list[float] = []
    restored: list[float] = []
    keeping = Keeping(str(setting.folder / "chats"), KEPT_BYTES, least_s=0.0)
    saved = 0
    read = 0
    for number in range(max(setting.rounds // 2, 1)):
        chat = f"bench-{secrets.token_hex(8)}"
        child = Child(setting.folder / "child.log")
        try:
            child.load(setting.model, setting.plan(context), keeping)
            history = dialogues.history(counter(child), setting.history, f"restart {number}")
            turn = answered(child, history, f"restart {number}", SettleWhen.ALWAYS, chat)
            saved = child.leave()
        finally:
            child.close()
        child = Child(setting.folder / "child.log")
        try:
            child.load(setting.model, setting.plan(context), keeping)
            asked = child.ask(turn.after, ONE, chat=chat)
            restored.append(asked.seconds)
            read = asked.read
        finally:
            child.close()
        child = Child(setting.folder / "child.log")
        try:
            child.load(setting.model, setting.plan(context))
            fresh.append(child.ask(turn.after, ONE).seconds)
        finally:
            child.close()
    ratios = [a / b for a, b in zip(restored, fresh, strict=True)]
    return [
        Figure("after a restart, size of the snapshot", saved / 1e6, unit="MB"),
        middle("after a restart, first token, a fresh read", fresh, unit="s"),
        middle("after a restart, first token, from the snapshot", restored, unit="s"),
        Figure("... tokens read", read),
        middle("after a restart, snapshot : fresh read", ratios, BAR_RESTART, at_least=False),
    ]


def measure_over_history(setting: Setting) -> list[Figure]:
    """The first token's time over the history's length, settled, against a fresh read's."""
    lengths = [length for length in LENGTHS if length <= setting.longest]
    fresh: list[Asked] = []
    later: list[Asked] = []
    child = Child(setting.folder / "child.log")
    try:
        child.load(setting.model, setting.plan(max(lengths) + 2 * ROOM))
        for length in lengths:
            history = dialogues.history(counter(child), length, f"length {length}")
            fresh.append(child.ask(history, ONE))
            times: list[Asked] = []
            for number in range(3):
                turn = answered(child, history, f"length {length} {number}", SettleWhen.ALWAYS)
                times.append(child.ask(turn.after, ONE))
            later.append(sorted(times, key=lambda asked: asked.seconds)[1])
    finally:
        child.close()
    steep = slope(lengths, [asked.seconds for asked in fresh])
    flat = slope(lengths, [asked.seconds for asked in later])
    figures: list[Figure] = []
    for length, first, then in zip(lengths, fresh, later, strict=True):
        figures.append(Figure(f"first token behind {length:,} tokens, fresh", first.seconds, unit="s"))
        figures.append(Figure(f"first token behind {length:,} tokens, next turn", then.seconds, unit="s"))
    return [*figures, Figure("first token over history, slope : fresh read", flat / steep, BAR_SLOPE, at_least=False)]


def slope(across: Sequence[float], up: Sequence[float]) -> float:
    """Of the straight line with the least squares."""
    middle_across, middle_up = sum(across) / len(across), sum(up) / len(up)
    above = sum((x - middle_across) * (y - middle_up) for x, y in zip(across, up, strict=True))
    return above / sum((x - middle_across) ** 2 for x in across)
