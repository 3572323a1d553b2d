"""What is settled and what is not, without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from app.domain.conversation import Dialogue, Message, Role
from app.domain.generation import FinishReason
from app.engine import settling
from app.engine.chat_format import Prompt
from app.engine.protocol import Event, Generate, Settled, SettleWhen
from app.engine.settling import Outcome, settling_after

ANSWER = Message(Role.ASSISTANT, "Yes.", reasoning="Hm.")
DIALOGUE = Dialogue((Message(Role.USER, "Well?"),), date="2026-01-01")


class Memory:
    """Notes what is read into it. ``gives_way`` after so many slices."""

    def __init__(self, tokens: Sequence[int] = ()) -> None:
        self.tokens = list(tokens)
        self.slices: list[int] = []
        self.checkpoints: list[int] = []

    def keep(self, prompt: Sequence[int], *, whole: bool) -> int:
        assert whole
        same = next((i for i, t in enumerate(self.tokens) if i >= len(prompt) or t != prompt[i]), len(self.tokens))
        del self.tokens[same:]
        return same

    def read(self, tokens: Sequence[int], abort: Callable[[], bool], *, more: bool) -> bool:
        assert more  # nobody asks for logits
        if abort():
            return False
        self.tokens += tokens
        self.slices.append(len(tokens))
        return True

    def spare_checkpoint(self) -> None:
        self.checkpoints.append(len(self.tokens))


class Format:
    """Every message is ten tokens, and the opening of the next turn three."""

    def prompt(self, dialogue: Dialogue, _given_up: object, *, continuing: bool = False) -> Prompt:
        count = 10 * len(dialogue.messages)
        return Prompt(list(range(count + 3)), tuple(range(0, count + 1, 10)))

    patience = 100

    def next_opening(self, dialogue: Dialogue, given_up: Callable[[], bool]) -> Prompt | None:
        self.asked = dialogue
        self.patience -= 1
        if self.patience < 0 and given_up():
            return None
        return Prompt(list(range(10 * len(dialogue.messages) + 3)))


def loaded_with(memory: Memory, size: int = 1000, batch: int = 8) -> Any:
    return SimpleNamespace(
        memory=memory, format=Format(), context=SimpleNamespace(size=size, batch=batch, steps_of_a_batch=4)
    )


def request(settle: SettleWhen = SettleWhen.ALWAYS, **more: Any) -> Generate:
    return Generate(7, DIALOGUE, settle=settle, **more)


@pytest.mark.parametrize(
    ("settle", "message", "reason"),
    [
        (SettleWhen.NEVER, ANSWER, FinishReason.STOP),
        (SettleWhen.ALWAYS, ANSWER, FinishReason.TOOL_CALL),
        (SettleWhen.ALWAYS, Message(Role.ASSISTANT, reasoning="Hm."), FinishReason.CANCELLED),
        (SettleWhen.ALWAYS, Message(Role.ASSISTANT), FinishReason.CANCELLED),
    ],
)
def test_what_needs_no_settling(settle: SettleWhen, message: Message, reason: FinishReason) -> None:
    assert settling_after(loaded_with(Memory()), request(settle), message, reason, [].append) is None


def test_all_is_read_and_said_once() -> None:
    memory, events = Memory(range(12)), list[Event]()
    loaded = loaded_with(memory)
    work = settling_after(loaded, request(), ANSWER, FinishReason.STOP, events.append)
    assert work is not None
    assert work.go_on(lambda: False) is Outcome.DONE
    assert memory.tokens == list(range(23))
    assert memory.checkpoints == [23]
    assert max(memory.slices) <= 8
    assert loaded.format.asked.messages == (*DIALOGUE.messages, ANSWER)
    (settled,) = events
    assert isinstance(settled, Settled)
    assert (settled.request_id, settled.tokens) == (7, 11)


def test_it_goes_on_where_it_gave_way() -> None:
    memory, events = Memory(range(10)), list[Event]()
    work = settling_after(loaded_with(memory), request(), ANSWER, FinishReason.CANCELLED, events.append)
    assert work is not None
    answers = iter((False, False, True))
    assert work.go_on(lambda: next(answers)) is Outcome.GAVE_WAY
    assert memory.tokens == list(range(18))
    assert (events, memory.checkpoints) == ([], [])
    assert work.go_on(lambda: True) is Outcome.GAVE_WAY
    assert work.go_on(lambda: False) is Outcome.DONE
    assert memory.tokens == list(range(23))
    assert [event.tokens for event in events if isinstance(event, Settled)] == [13]


def test_it_gives_way_while_it_prepares() -> None:
    memory, events = Memory(range(10)), list[Event]()
    loaded = loaded_with(memory)
    loaded.format.patience = 0
    work = settling_after(loaded, request(), ANSWER, FinishReason.STOP, events.append)
    assert work is not None
    assert work.go_on(lambda: True) is Outcome.GAVE_WAY
    assert memory.tokens == list(range(10))
    assert work.go_on(lambda: False) is Outcome.DONE
    assert memory.tokens == list(range(23))


def test_what_is_in_memory_already_stays_however_little_is_known_of_the_next_prompt() -> None:
    memory, events = Memory(range(500)), list[Event]()
    work = settling_after(loaded_with(memory), request(), ANSWER, FinishReason.STOP, events.append)
    assert work is not None
    assert work.go_on(lambda: False) is Outcome.DONE
    assert memory.tokens == list(range(500))
    assert [event.tokens for event in events if isinstance(event, Settled)] == [0]


def test_an_answer_that_was_gone_on_with_counts_once() -> None:
    loaded = loaded_with(Memory())
    begun = Dialogue((*DIALOGUE.messages, Message(Role.ASSISTANT, "Y")), date="2026-01-01")
    asked = Generate(7, begun, settle=SettleWhen.ALWAYS, continuing=True)
    work = settling_after(loaded, asked, ANSWER, FinishReason.LENGTH, [].append)
    assert work is not None
    assert work.go_on(lambda: False) is Outcome.DONE
    assert loaded.format.asked.messages == (*DIALOGUE.messages, ANSWER)


def test_a_full_memory_is_not_settled() -> None:
    memory = Memory(range(20))
    work = settling_after(loaded_with(memory, size=23), request(), ANSWER, FinishReason.STOP, [].append)
    assert work is not None
    assert work.go_on(lambda: False) is Outcome.USELESS
    assert memory.tokens == list(range(20))


@pytest.mark.parametrize(("battery", "settles"), [(True, False), (False, True), (None, True)])
def test_a_battery_is_spared(monkeypatch: pytest.MonkeyPatch, battery: bool | None, *, settles: bool) -> None:
    monkeypatch.setattr(settling, "on_battery", lambda: battery)
    for when, expected in ((SettleWhen.ON_MAINS, settles), (SettleWhen.ALWAYS, True)):
        work = settling_after(loaded_with(Memory()), request(when), ANSWER, FinishReason.STOP, [].append)
        assert work is not None
        assert work.go_on(lambda: False) is (Outcome.DONE if expected else Outcome.USELESS)
