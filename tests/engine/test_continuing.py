"""An answer that was cut short goes on in place: the real child with the demo model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.domain.conversation import Dialogue, Message, Role
from app.domain.errors import ErrorCode
from app.domain.generation import FinishReason, Sampling
from app.engine.protocol import (
    AnswerText,
    Cancel,
    Failed,
    Finished,
    Generate,
    ReasoningText,
    Settled,
    SettleWhen,
)
from tests.support.engine import QUESTION, Answer, Engine, dialogue

WHOLE = Sampling(temperature=0)


def go_on(demo: Engine, begun: Message) -> Answer:
    """The rest of an answer."""
    question = dialogue(QUESTION)
    whole = Dialogue((*question.messages, begun), question.date, question.effort)
    begin = len(demo.reports)
    demo.client.send(Generate(demo.new_id(), whole, WHOLE, continuing=True))
    return Answer(demo.expect(Finished), demo.reports[begin:])


@pytest.mark.parametrize("cut", ["reasoning", "answer"])
def test_it_ends_as_if_it_had_not_been_cut(demo: Engine, cut: str) -> None:
    whole = demo.ask(dialogue(QUESTION), WHOLE)
    assert whole.reasoning
    assert whole.answer
    # Cut between words, which is where the same text has the same tokens.
    if cut == "reasoning":
        begun = Message(Role.ASSISTANT, reasoning=whole.reasoning[: whole.reasoning.rindex(" ")])
    else:
        begun = Message(Role.ASSISTANT, whole.answer[: whole.answer.index(" ")], whole.reasoning)

    rest = go_on(demo, begun)

    assert begun.reasoning + rest.reasoning == whole.reasoning
    assert begun.content + rest.answer == whole.answer
    assert rest.finished.reason is FinishReason.STOP
    assert rest.finished.usage.completion_tokens < whole.finished.usage.completion_tokens


def cut_between_words(demo: Engine, whole: Answer, settle: SettleWhen) -> Answer:
    """The same answer, ended by its limit in the middle of its text, where a word ends."""
    for limit in range(whole.finished.usage.completion_tokens - 2, 1, -1):
        begin = len(demo.reports)
        demo.client.send(Generate(demo.new_id(), dialogue(QUESTION), replace(WHOLE, max_tokens=limit), settle=settle))
        cut = Answer(demo.expect(Finished), demo.reports[begin:])
        if settle is not SettleWhen.NEVER and cut.answer:
            demo.expect(Settled)
        if whole.answer[len(cut.answer) :].startswith(" "):
            assert cut.answer
            return cut
    raise AssertionError("no word ends in it")


@pytest.mark.parametrize("settle", [SettleWhen.NEVER, SettleWhen.ALWAYS])
def test_its_reasoning_is_read_whether_or_not_the_next_turn_was_prepared_without_it(
    demo: Engine, settle: SettleWhen
) -> None:
    whole = demo.ask(dialogue(QUESTION), WHOLE)
    cut = cut_between_words(demo, whole, settle)
    assert cut.reasoning == whole.reasoning

    rest = go_on(demo, Message(Role.ASSISTANT, cut.answer, cut.reasoning))

    before, after = cut.finished.usage, rest.finished.usage
    assert after.prompt_tokens == before.prompt_tokens + before.completion_tokens  # every token of it, none else
    if settle is SettleWhen.NEVER:
        assert after.reused_tokens >= after.prompt_tokens - 2
    assert rest.reasoning == ""
    assert cut.answer + rest.answer == whole.answer
    assert rest.finished.reason is FinishReason.STOP


def test_one_that_was_stopped_and_settled_goes_on_as_one_that_was_not(demo: Engine) -> None:
    begin = len(demo.reports)
    request_id = demo.new_id()
    demo.client.send(Generate(request_id, dialogue(QUESTION), WHOLE, settle=SettleWhen.ALWAYS))
    demo.expect(AnswerText)
    demo.client.send(Cancel(request_id))
    cut = Answer(demo.expect(Finished), demo.reports[begin:])
    demo.expect(Settled)
    begun = Message(Role.ASSISTANT, cut.answer, cut.reasoning)
    settled = go_on(demo, begun)
    demo.load()
    fresh = go_on(demo, begun)
    assert fresh.finished.usage.reused_tokens == 0
    assert settled.text == fresh.text
    assert settled.finished.usage.prompt_tokens == fresh.finished.usage.prompt_tokens


def test_one_that_has_not_begun_is_answered_whole(demo: Engine) -> None:
    assert go_on(demo, Message(Role.ASSISTANT)).text == demo.ask(dialogue(QUESTION), WHOLE).text


def test_a_question_cannot_be_gone_on_with(demo: Engine) -> None:
    demo.client.send(Generate(demo.new_id(), dialogue(QUESTION), WHOLE, continuing=True))
    assert demo.expect(Failed).code == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("limit", [0, 1, 7])
def test_the_tokens_of_an_answer_are_told_while_it_grows(demo: Engine, limit: int) -> None:
    """All but those that bring no text: that which ends the answer counts, too, and headers before the first word."""
    answer = demo.ask(dialogue(QUESTION), Sampling(temperature=0, max_tokens=limit))
    told = sum(report.tokens for report in answer.reports if isinstance(report, AnswerText | ReasoningText))
    made = answer.finished.usage.completion_tokens
    if limit:
        assert made == limit
        assert told == (made if answer.reasoning else 0)
    else:
        assert answer.finished.reason is FinishReason.STOP
        assert told == made - 1
