"""Random chats through the real session in a process of its own, checked against contexts that read everything anew.

After each step the logits must be those of a reference context that was fed the batches which the session names, to the
last bit; and where a context that read the same tokens in other batches is sure of its next token, the same must be
next here.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event as Flag
from typing import Any

from app.domain.conversation import Dialogue, Message, Role
from app.domain.generation import Sampling
from app.engine.protocol import (
    AnswerText,
    CommentaryText,
    Event,
    Finished,
    Generate,
    Keeping,
    Load,
    PromptReady,
    ReasoningText,
    Settled,
    SettleWhen,
    ToolCalled,
)
from tests.support.cancel_flags import AfterTokens, Countdown
from tests.support.trial_process import Result, Trial

MARGIN = 0.5
LONGEST_CHAT = 400
"""Tokens, about: what is read anew after each step costs time."""


def chatted(trial: Trial) -> Result:
    """Random chats, one after another."""
    result = Result()
    with _machine(trial) as machine:
        for seed in trial.seeds:
            Walk(machine, random.Random(seed), result, f"seed {seed}").go(trial.steps)
    return result


def aborted(trial: Trial) -> Result:
    """Batches that are given up at different moments, where the window's ring begins again and elsewhere."""
    result = Result()
    with _machine(trial) as machine:
        memory = machine.loaded.memory
        rng = random.Random(9)
        tokens = [rng.randrange(10, machine.loaded.model.n_tokens) for _ in range(400)]
        for length in (0, 1, 100, 230, 255, 256, 257, 330):
            for moment in (1, 20, 60):
                memory.keep([])
                for start in range(0, length, trial.plan.batch):
                    assert memory.read(tokens[start : min(start + trial.plan.batch, length)], lambda: False)
                batch = tokens[length : length + trial.plan.batch]
                if not memory.read(batch, Countdown(moment).is_set):
                    result.count("aborted")
                    if len(memory.tokens) != length:
                        result.problems.append(f"{moment} steps behind {length} tokens: {len(memory.tokens)} are left")
                assert memory.read(tokens[len(memory.tokens) : len(memory.tokens) + 20], lambda: False)
                if problem := machine.compare():
                    result.problems.append(f"{moment} steps behind {length} tokens: {problem}")
    return result


class Machine:
    """A session with its model, and the two contexts that it is compared with."""

    def __init__(self, trial: Trial) -> None:
        from app.engine.child import spin_briefly

        spin_briefly()
        from app.engine.llama.backends import load_backends
        from app.engine.llama.library import LlamaLog
        from app.engine.session import EngineSession

        log = LlamaLog()
        load_backends(log, graphics=False)
        self.events: list[Event] = []
        self.session = EngineSession(self.events.append, log)
        self.trial = trial
        self.restored = 0
        self._begin()

    def _begin(self) -> None:
        trial = self.trial
        keeping = Keeping(trial.folder, 100_000_000 if trial.folder else 0, least_s=0.0)
        self.session.load(Load(1, trial.model, trial.plan, keeping=keeping), Flag())
        loaded: Any = self.session._loaded  # pyright: ignore[reportPrivateUsage]
        self.loaded = loaded
        self.checkpoints: Any = loaded.memory._checkpoints
        self.checkpoints._most = trial.checkpoints
        self._reference = loaded.model.context(trial.plan)
        self._reference_fed: list[tuple[tuple[int, int], list[int]]] = []
        self._other = loaded.model.context(replace(trial.plan, batch=trial.plan.batch * 3 + 1))
        self._watch(loaded.context)
        self.live = False
        self.decoded = 0
        adopt = loaded.memory.adopt

        def adopted(image: Any) -> bool:
            fits: bool = adopt(image)
            self.restored += fits
            return fits

        loaded.memory.adopt = adopted

    def restart(self) -> None:
        """End, with all that is done then, and begin again."""
        self.close()
        self._begin()

    def close(self) -> None:
        self._reference.close()
        self._other.close()
        self.session.close()

    def _watch(self, context: Any) -> None:
        """Note whether the context's logits are those of what is in memory."""

        def watched(function: Callable[..., Any], live: Callable[[Any], bool]) -> Callable[..., Any]:
            def call(*arguments: Any, more: bool = False) -> Any:
                self.live = False
                value = function(*arguments, more=True) if more else function(*arguments)
                self.live = live(value) and not more  # with more to come there are none
                return value

            return call

        context.prefill = watched(context.prefill, lambda read: read)
        context.decode = watched(context.decode, self._count_decoded)
        for name in ("trim", "clear", "restore", "restore_window"):
            setattr(context, name, watched(getattr(context, name), lambda _: False))

    def _count_decoded(self, _: object) -> bool:
        self.decoded += 1
        return True

    def compare(self) -> str:
        """What is wrong with the logits of the last token in memory, "" when nothing is."""
        memory = self.loaded.memory
        fed = [(batch, memory.tokens[batch[0] : sum(batch)]) for batch in memory.batches]
        known = self._reference_fed
        if fed[: len(known)] != known:
            self._reference.clear()
            known.clear()
        for batch, tokens in fed[len(known) :]:
            assert self._reference.prefill(tokens, lambda: False)
            known.append((batch, tokens))
        place = 0
        for start, length in memory.batches:
            if start != place:
                return f"the batches have a gap at {place}"
            place += length
        if place != len(memory.tokens):
            return f"the batches end at {place}, the tokens at {len(memory.tokens)}"
        here, there = _logits(self.loaded), _logits(self.loaded, self._reference)
        if here.tobytes() != there.tobytes():
            return f"{max(abs(a - b) for a, b in zip(here, there, strict=True))} off at {len(memory.tokens)} tokens"
        return self._compare_margin(here) if self.trial.margins else ""

    def _compare_margin(self, here: Any) -> str:
        tokens = self.loaded.memory.tokens
        self._other.clear()
        for start in range(0, len(tokens), self._other.batch):
            assert self._other.prefill(tokens[start : start + self._other.batch], lambda: False)
        other = _logits(self.loaded, self._other)
        order = sorted(range(len(other)), key=other.__getitem__)
        sure = other[order[-1]] - other[order[-2]] > MARGIN
        if sure and max(range(len(here)), key=here.__getitem__) != order[-1]:
            return f"another top token at {len(tokens)} tokens"
        return ""


@contextlib.contextmanager
def _machine(trial: Trial) -> Iterator[Machine]:
    machine = Machine(trial)
    try:
        yield machine
    finally:
        machine.close()


def _logits(loaded: Any, context: Any = None) -> Any:
    import array
    import ctypes

    from app.engine.llama.library import llama

    handle = (context or loaded.context)._context
    place = llama.llama_get_logits_ith(handle, -1)
    return array.array("f", ctypes.string_at(place, 4 * loaded.model.n_tokens))


WORDS = (
    *("what", "is", "alcove", "model", "a", "file", "chat", "the", "laptop", "memory", "of", "network", "why", "how"),
    *("42", "read", "again", "and", "then", "<|end|>"),
)


class Walk:
    """One user's random chats, all with the same instructions."""

    def __init__(self, machine: Machine, rng: random.Random, result: Result, name: str) -> None:
        self._machine = machine
        self._rng = rng
        self._result = result
        self._name = name
        instructions = self._text(rng.choice((0, 30, 100)))
        self._empty = Dialogue((), date="2026-01-01", instructions=instructions)
        self._chats = [self._empty]
        self._chat = 0
        self._id = 100

    def go(self, steps: int) -> None:
        for number in range(steps):
            kinds: list[Callable[[], None]] = [self._send, self._send, self._edit, self._regenerate, self._switch]
            kinds += [self._settle, self._settle]
            if self._machine.trial.folder:
                kinds.append(self._restart)
            step = self._rng.choice(kinds)
            step()
            self._result.note_most("most checkpoints", len(list(self._machine.checkpoints)))
            if self._machine.live and self._machine.loaded.memory.tokens:
                self._result.count("compared")
                if problem := self._machine.compare():
                    self._result.problems.append(f"{self._name} step {number} {step.__name__}: {problem}")

    @property
    def _dialogue(self) -> Dialogue:
        return self._chats[self._chat]

    def _text(self, words: int) -> str:
        return " ".join(self._rng.choices(WORDS, k=words))

    def _send(self, sampling: Sampling | None = None, flag: Flag | None = None) -> None:
        if len(self._machine.loaded.memory.tokens) > LONGEST_CHAT:
            self._chats[self._chat] = self._empty
        text = self._text(self._rng.choice((1, 5, 20, 60, 120)))
        self._ask(
            replace(self._dialogue, messages=(*self._dialogue.messages, Message(Role.USER, text))), sampling, flag
        )

    def _edit(self) -> None:
        places = [i for i, message in enumerate(self._dialogue.messages) if message.role is Role.USER]
        if places:
            place = self._rng.choice(places)
            self._result.count("edited")
            text = self._dialogue.messages[place].content + " " + self._text(self._rng.choice((1, 30)))
            before = self._dialogue.messages[:place]
            self._ask(replace(self._dialogue, messages=(*before, Message(Role.USER, text))))

    def _regenerate(self) -> None:
        if len(self._dialogue.messages) > 1:
            self._result.count("regenerated")
            self._ask(replace(self._dialogue, messages=self._dialogue.messages[:-1]))

    def _switch(self) -> None:
        if len(self._chats) < 3:
            self._chats.append(self._empty)
        self._chat = self._rng.randrange(len(self._chats))
        self._result.count("switched")
        self._send()

    def _restart(self) -> None:
        """The program ends and begins again, and the same chat goes on."""
        self._machine.restart()
        self._result.count("restarted")
        before = self._machine.restored
        self._send()
        if self._machine.restored > before:
            self._result.count("restored after a restart")

    def _settle(self) -> None:
        """A plain answer, and idle time, long enough or not."""
        machine = self._machine
        if self._rng.random() < 0.7:
            self._send(Sampling(temperature=0, max_tokens=90), Flag())
        before = len(machine.events)
        machine.session.idle(Countdown(self._rng.choice((0, 5, 40, 150, 100_000))).is_set)
        if any(isinstance(event, Settled) for event in machine.events[before:]):
            self._result.count("settled")
        elif machine.session._settling is not None:  # pyright: ignore[reportPrivateUsage]
            self._result.count("gave way")

    def _ask(self, dialogue: Dialogue, sampling: Sampling | None = None, flag: Flag | None = None) -> None:
        machine, rng = self._machine, self._rng
        self._id += 1
        # Hot, so that the answer goes another way each time, and is not written as it would be read.
        sampling = sampling or Sampling(
            temperature=rng.choice((0, 1, 3)), seed=rng.randrange(1000), max_tokens=rng.choice((1, 2, 10, 30, 80))
        )
        if flag is None:
            stops = (
                Flag(),
                Flag(),
                Countdown(rng.choice((2, 60, 300, 700))),
                AfterTokens(machine, rng.randrange(1, 40)),
            )
            flag = rng.choice(stops)
        before = len(machine.events)
        chat = str(self._chat) if machine.trial.folder else ""
        machine.session.generate(Generate(self._id, dialogue, sampling, chat, SettleWhen.ALWAYS), flag)
        events = machine.events[before:]
        finished = events[-1]
        assert isinstance(finished, Finished), events[-1]
        ready = [event for event in events if isinstance(event, PromptReady)]
        self._check_account(finished, ready)
        message = _answer(events)
        if finished.reason.value == "cancelled":
            self._result.count("stopped" if message.reasoning or message.content else "stopped reading")
        if finished.usage.reused_tokens:
            self._result.count("reused")
        self._chats[self._chat] = replace(dialogue, messages=(*dialogue.messages, message))

    def _check_account(self, finished: Finished, ready: list[PromptReady]) -> None:
        usage = finished.usage
        if not ready:  # stopped before the prompt was made
            assert not usage.prompt_tokens
            return
        assert [(r.prompt_tokens, r.reused_tokens) for r in ready] == [(usage.prompt_tokens, usage.reused_tokens)]
        assert usage.reused_tokens < usage.prompt_tokens


def _answer(events: list[Event]) -> Message:
    """The answer as the window's process puts it together."""
    from app.domain.conversation import ToolCall

    return Message(
        Role.ASSISTANT,
        content="".join(e.text for e in events if isinstance(e, AnswerText)),
        reasoning="".join(e.text for e in events if isinstance(e, ReasoningText)),
        commentary="".join(e.text for e in events if isinstance(e, CommentaryText)),
        tool_calls=tuple(ToolCall(e.name, e.arguments) for e in events if isinstance(e, ToolCalled)),
    )
