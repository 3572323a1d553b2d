"""An answer that was cut short goes on in place: the real child with the demo model."""

from __future__ import annotations

import pytest

from app.domain.conversation import Dialogue, Message, Role
from app.domain.errors import ErrorCode
from app.domain.generation import FinishReason, Sampling
from app.engine.protocol import AnswerText, Failed, Finished, Generate, ReasoningText
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
