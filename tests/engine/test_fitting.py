"""A chat that is longer than the model's memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import cast

import pytest

from app.domain.conversation import Dialogue, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.domain.generation import FinishReason, Sampling
from app.engine.chat_format import ChatFormat, Prompt
from app.engine.fitting import Fitted, fit, next_dialogue
from app.engine.protocol import LoadPlan, PromptReady
from tests.support.engine import Answer, Engine, dialogue

ROOM = 1600


def never() -> bool:
    return False


class Words:
    """A chat format of one token a word; ``seam`` more where two messages of one role meet, as some templates write."""

    def __init__(self, seam: int = 0) -> None:
        self._seam = seam
        self.prompts = 0
        self.longest = 0

    def prompt(self, dialogue: Dialogue, given_up: Callable[[], bool], *, continuing: bool = False) -> Prompt | None:
        self.prompts += 1
        tokens, starts = [0] * 10, []
        before: Role | None = None
        for message in dialogue.messages:
            starts.append(len(tokens))
            words = len(message.content.split())
            self.longest = max(self.longest, words)
            tokens += [1] * (words + (self._seam if message.role is before else 0))
            before = message.role
            if given_up():
                return None
        return Prompt([*tokens, 2, 2], (*starts, len(tokens)))


def fitted(words: Words, chat: Dialogue, *, room: int = ROOM, max_tokens: int = 0) -> Fitted:
    found = fit(cast("ChatFormat", words), chat, room, max_tokens, lambda: False)
    assert found is not None
    return found


def chat(*sizes: int) -> Dialogue:
    """Messages of so many words, by turns; the first word of each is its place."""
    return dialogue(*(" ".join([str(place), *["w"] * (size - 1)]) for place, size in enumerate(sizes)))


def test_what_fits_is_made_into_a_prompt_once() -> None:
    words = Words()
    found = fitted(words, chat(100, 500, 100))
    assert found.left_out == ()
    assert len(found.prompt.tokens) == 712
    assert found.dialogue == chat(100, 500, 100)
    assert words.prompts == 1


def test_what_leaves_is_not_in_the_prompt() -> None:
    found = fitted(Words(), chat(100, 150, 100, 300, 100, 300, 100, 200, 100))
    assert found.left_out == (2, 3)
    assert [message.content.split()[0] for message in found.dialogue.messages] == list("0145678")
    assert len(found.prompt.tokens) == 1062


def test_a_prompt_that_comes_out_longer_loses_more() -> None:
    # 1,198 of 1,200 once the first answer has left; but then two questions stand side by side.
    long = chat(100, 400, 100, 300, 100, 286, 100, 100, 100)
    assert fitted(Words(), long).left_out == (1,)
    assert len(fitted(Words(), long).prompt.tokens) == 1198
    assert fitted(Words(seam=3), long).left_out == (1, 2, 3)
    assert len(fitted(Words(seam=3), long).prompt.tokens) == 801


def test_it_can_be_given_up_at_any_time() -> None:
    long = chat(100, 150, 100, 300, 100, 300, 100, 200, 100)
    for patience in range(17):
        answers = iter([False] * patience + [True] * 20)
        found = fit(cast("ChatFormat", Words()), long, ROOM, 0, partial(next, answers))
        assert (found is None) is (patience < 16)


def test_a_text_that_cannot_fit_is_not_read_to_find_out() -> None:
    words = Words()
    endless = "w " * (ROOM * 256)
    whole = dialogue("first", endless, "second", "x", "third")
    found = fitted(words, whole)
    assert found.left_out == (1,)
    assert words.longest == 1
    with pytest.raises(UserError) as refused:
        fitted(words, dialogue("first", "answer", endless))
    assert refused.value.code is ErrorCode.MESSAGE_TOO_LONG
    assert refused.value.values == {"tokens": "more than 3200", "room": "1600"}
    with pytest.raises(UserError) as refused:  # its own size, not that of a longer one which could leave
        fitted(words, dialogue("first", endless * 2, endless))
    assert refused.value.values["tokens"] == "more than 3200"
    pinned = replace(whole, messages=tuple(replace(m, pinned=len(m.content) > 10) for m in whole.messages))
    with pytest.raises(UserError) as refused:
        fitted(words, pinned)
    assert refused.value.code is ErrorCode.PINNED_TOO_LONG


def test_the_next_turn_is_known_as_far_as_it_can_be() -> None:
    words = cast("ChatFormat", Words())
    long = chat(100, 150, 100, 300, 100, 300, 100, 200)
    assert next_dialogue(words, long, ROOM, 0, never) == replace(
        long, messages=(*long.messages[:2], *long.messages[4:])
    )
    assert next_dialogue(words, chat(100, 100), ROOM, 0, never) == chat(100, 100)
    full = replace(long, messages=tuple(replace(message, pinned=True) for message in chat(1000, 1000).messages))
    assert next_dialogue(words, full, ROOM, 0, never) == full
    assert next_dialogue(words, long, ROOM, 0, lambda: True) is None


# ---- With the engine ----

QUESTIONS = (
    "What is Alcove?", "Is it private?", "What is temperature?", "What is reasoning effort?", "What is a token?",
    "How do I get gpt-oss-20b?", "Which model fits 16 GB?", "Can I use Alcove in a terminal?",
)  # fmt: skip


def say(chat: Dialogue, text: str, *, pinned: bool = False) -> Dialogue:
    return replace(chat, messages=(*chat.messages, Message(Role.USER, text, pinned=pinned)))


def heard(chat: Dialogue, answer: Answer) -> Dialogue:
    reasoning, commentary, content = answer.text
    return replace(chat, messages=(*chat.messages, Message(Role.ASSISTANT, content, reasoning, commentary)))


def ready(answer: Answer) -> PromptReady:
    [event] = [report for report in answer.reports if isinstance(report, PromptReady)]
    return event


def test_a_chat_goes_on_and_on(engine: Engine) -> None:
    """Forty turns in 512 tokens: every one is answered, what left stays away, and between two cuts nothing is read
    twice.
    """
    room = engine.load(plan=LoadPlan(context=512)).context
    assert room == 512
    chat = dialogue()
    before: PromptReady | None = None
    cuts: list[tuple[int, ...]] = []
    for turn in range(40):
        chat = say(chat, QUESTIONS[turn % len(QUESTIONS)], pinned=turn == 2)
        answer = engine.ask(chat)
        usage, prompt = answer.finished.usage, ready(answer)
        assert answer.finished.reason is FinishReason.STOP, turn
        assert usage.completion_tokens
        assert prompt.prompt_tokens == usage.prompt_tokens <= room - room // 4
        assert usage.left_out == len(prompt.left_out)
        # The first message, the pinned one and their short answers stay.
        assert usage.kept == ((0, 1, 4, 5) if turn > 8 else usage.kept)
        assert not {0, 1, 4, 5} & set(prompt.left_out)
        if before is not None:
            assert set(before.left_out) <= set(prompt.left_out)
            if prompt.left_out == before.left_out:
                assert prompt.reused_tokens >= before.prompt_tokens - 1
        before = prompt
        cuts.append(prompt.left_out)
        chat = heard(chat, answer)
    assert len(cuts[-1]) > 50
    moves = sum(one != other for one, other in pairwise(cuts))
    assert moves <= len(cuts) // 2
    rendered = engine.render(replace(chat, messages=tuple(m for i, m in enumerate(chat.messages) if i not in cuts[-1])))
    assert QUESTIONS[2] in "".join(rendered.pieces)


def test_a_message_that_is_too_long_is_refused_with_its_size(engine: Engine) -> None:
    engine.load(plan=LoadPlan(context=512))
    long = "What is Alcove? " * 60
    for chat, code in (
        (dialogue(long * 2), ErrorCode.MESSAGE_TOO_LONG),
        (replace(dialogue(QUESTIONS[0]), instructions=long * 2), ErrorCode.INSTRUCTIONS_TOO_LONG),
        (say(say(dialogue(QUESTIONS[0], "x"), long, pinned=True), long), ErrorCode.PINNED_TOO_LONG),
    ):
        with pytest.raises(AssertionError) as failure:
            engine.ask(chat)
        assert code in str(failure.value)
    assert engine.ask(dialogue(QUESTIONS[0])).finished.reason is FinishReason.STOP


def test_a_limit_of_the_answer_is_kept_free(engine: Engine) -> None:
    engine.load(plan=LoadPlan(context=512))
    chat = dialogue()
    left_out = 0
    for question in QUESTIONS:
        chat = say(chat, question)
        answer = engine.ask(chat, Sampling(temperature=0, max_tokens=200))
        assert answer.finished.usage.prompt_tokens <= 512 - 200
        assert answer.finished.reason is FinishReason.STOP
        left_out = answer.finished.usage.left_out
        chat = heard(chat, answer)
    assert left_out
