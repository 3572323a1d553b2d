"""The next turn is prepared while nobody asks anything: through the real child with the demo model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.domain.conversation import Dialogue, Message, Role
from app.domain.generation import FinishReason, Sampling
from app.domain.load_plan import LoadPlan
from app.engine.protocol import (
    AnswerText,
    Cancel,
    Finished,
    Generate,
    PrefillProgress,
    Render,
    Rendered,
    Settled,
    SettleWhen,
)
from app.engine.slices import WORTHWHILE
from tests.support.engine import QUESTION, Answer, Engine, dialogue, started

GREEDY = Sampling(temperature=0)
LONG = "Tell me more about models, please. " * 40


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine with a small batch, so that prompts have several."""
    with started() as with_model:
        with_model.load(plan=LoadPlan(context=4096, threads=1, batch=64))
        yield with_model


def ask(engine: Engine, question: Dialogue, sampling: Sampling = GREEDY, *, settle: SettleWhen) -> Answer:
    """Generate and wait for the answer's end."""
    request_id = engine.new_id()
    begin = len(engine.reports)
    engine.client.send(Generate(request_id, question, sampling, settle=settle))
    finished = engine.expect(Finished)
    assert finished.request_id == request_id
    return Answer(finished, engine.reports[begin:])


def said(question: Dialogue, answer: Answer, *more: str) -> Dialogue:
    """The dialogue with an answer as it is stored, and what the user says next."""
    message = Message(Role.ASSISTANT, answer.answer, reasoning=answer.reasoning, commentary=answer.commentary)
    users = (Message(Role.USER, text) for text in more)
    return replace(question, messages=(*question.messages, message, *users))


def new_tokens(engine: Engine, before: Dialogue, text: str) -> int:
    """The tokens that a message adds to a prompt, from its first word to the answer's beginning."""
    tokens = [len(engine.render(said_user(before, words)).tokens) for words in (text, "")]
    return tokens[0] - tokens[1] + 3  # <|end|> <|start|> assistant


def said_user(before: Dialogue, text: str) -> Dialogue:
    return replace(before, messages=(*before.messages, Message(Role.USER, text)))


def test_the_next_turn_costs_only_what_is_new(engine: Engine) -> None:
    question = dialogue(LONG + QUESTION)
    answer = ask(engine, question, settle=SettleWhen.ALWAYS)
    assert answer.reasoning
    settled = engine.expect(Settled)
    assert settled.request_id == answer.finished.request_id
    assert settled.tokens > 0
    assert settled.seconds > 0

    following = said(question, answer, "And what else?")
    usage = ask(engine, following, settle=SettleWhen.NEVER).finished.usage
    assert usage.prompt_tokens - usage.reused_tokens == new_tokens(engine, said(question, answer), "And what else?")


def test_without_it_the_answer_is_read_again(engine: Engine) -> None:
    question = dialogue(LONG + "Who made you?")
    answer = ask(engine, question, settle=SettleWhen.NEVER)
    following = said(question, answer, "And what else?")
    usage = ask(engine, following, settle=SettleWhen.NEVER).finished.usage
    new = new_tokens(engine, said(question, answer), "And what else?")
    prompt = len(engine.render(question).tokens)
    # All of the prompt, nothing behind it.
    assert usage.reused_tokens == prompt
    assert usage.prompt_tokens - usage.reused_tokens > new


def test_what_is_said_after_settling_is_what_is_said_without(engine: Engine) -> None:
    question = dialogue("What is a model?")
    texts: list[tuple[str, str, str]] = []
    for settle in (SettleWhen.ALWAYS, SettleWhen.NEVER):
        ask(engine, dialogue("Goodbye."), settle=SettleWhen.NEVER)
        answer = ask(engine, question, settle=settle)
        if settle is SettleWhen.ALWAYS:
            engine.expect(Settled)
        texts.append(ask(engine, said(question, answer, QUESTION), settle=SettleWhen.NEVER).text)
    assert texts[0] == texts[1]


def test_it_gives_way_and_goes_on(engine: Engine) -> None:
    """Requests that are there when the answer ends come first; settling follows when there are no more."""
    question = dialogue(LONG + "How do I add a model?")
    first = engine.new_id()
    engine.client.send(Generate(first, question, GREEDY, settle=SettleWhen.ALWAYS))
    others = [engine.new_id() for _ in range(3)]
    for other in others:
        engine.client.send(Render(other, question))
    begin = len(engine.reports)
    settled = engine.expect(Settled)
    assert settled.request_id == first
    seen = [type(report) for report in engine.reports[begin:] if isinstance(report, Finished | Rendered | Settled)]
    assert seen == [Finished, Rendered, Rendered, Rendered, Settled]


def test_a_request_that_comes_first_takes_its_place(engine: Engine) -> None:
    """The answer to the next request is what is settled then, and its prompt is read rightly."""
    first, second = engine.new_id(), engine.new_id()
    engine.client.send(Generate(first, dialogue(LONG + "What is Alcove?"), GREEDY, settle=SettleWhen.ALWAYS))
    engine.client.send(Generate(second, dialogue(QUESTION), GREEDY, settle=SettleWhen.ALWAYS))
    begin = len(engine.reports)
    assert engine.expect(Settled).request_id == second
    reports = engine.reports[begin:]
    finished = [report.request_id for report in reports if isinstance(report, Finished)]
    assert finished == [first, second]
    text = "".join(r.text for r in reports if isinstance(r, AnswerText) and r.request_id == second)
    assert text == engine.ask(dialogue(QUESTION)).answer


def test_a_stopped_answer_is_settled_as_far_as_it_came(engine: Engine) -> None:
    question = dialogue(QUESTION)
    request_id = engine.new_id()
    begin = len(engine.reports)
    engine.client.send(Generate(request_id, question, GREEDY, settle=SettleWhen.ALWAYS))
    engine.expect(AnswerText)
    engine.client.send(Cancel(request_id))
    finished = engine.expect(Finished)
    answer = Answer(finished, engine.reports[begin:])
    settled = engine.expect(Settled)
    assert settled.request_id == request_id
    following = said(question, answer, "Go on.")
    usage = ask(engine, following, settle=SettleWhen.NEVER).finished.usage
    assert usage.prompt_tokens - usage.reused_tokens == new_tokens(engine, said(question, answer), "Go on.")


def test_nothing_is_settled_when_nothing_was_said_or_settling_is_off(engine: Engine) -> None:
    cancelled = engine.new_id()
    begin = len(engine.reports)
    engine.client.send(Generate(cancelled, dialogue(LONG * 4), GREEDY, settle=SettleWhen.ALWAYS))
    engine.client.send(Cancel(cancelled))
    assert engine.expect(Finished).reason is FinishReason.CANCELLED
    ask(engine, dialogue(QUESTION), settle=SettleWhen.NEVER)
    ask(engine, dialogue(QUESTION), Sampling(temperature=0, max_tokens=1), settle=SettleWhen.ALWAYS)
    engine.render(dialogue(QUESTION))
    # The last is settled once it is there: then all before it would have been.
    last = ask(engine, dialogue(QUESTION), settle=SettleWhen.ALWAYS)
    assert engine.expect(Settled).request_id == last.finished.request_id
    assert [r.request_id for r in engine.reports[begin:] if isinstance(r, Settled)] == [last.finished.request_id]


def test_on_mains_it_settles_where_there_is_no_battery_in_use(engine: Engine) -> None:
    import psutil

    answer = ask(engine, dialogue(QUESTION), settle=SettleWhen.ON_MAINS)
    read = getattr(psutil, "sensors_battery", None)
    battery = read() if read is not None else None
    if battery is not None and battery.power_plugged is False:
        pytest.skip("this machine runs on its battery")
    assert engine.expect(Settled).request_id == answer.finished.request_id


def test_regenerating_and_editing_read_only_what_changes(engine: Engine) -> None:
    history = dialogue(LONG, "Yes.", LONG + "one", "No.", LONG + "What is Alcove?")
    ask(engine, history, settle=SettleWhen.NEVER)
    prompt = len(engine.render(history).tokens)
    again = ask(engine, history, settle=SettleWhen.NEVER).finished.usage
    assert 2 <= again.prompt_tokens - again.reused_tokens < WORTHWHILE + 2
    edited = replace(history, messages=(*history.messages[:-1], Message(Role.USER, "Something else?")))
    usage = ask(engine, edited, settle=SettleWhen.NEVER).finished.usage
    before = len(engine.render(replace(history, messages=history.messages[:-1])).tokens)
    assert before - WORTHWHILE <= usage.reused_tokens <= before
    further = replace(history, messages=(*history.messages[:2], Message(Role.USER, "Or this?")))
    usage = ask(engine, further, settle=SettleWhen.NEVER).finished.usage
    least = len(engine.render(replace(history, messages=history.messages[:2])).tokens) - 2 - 64
    assert least <= usage.reused_tokens < prompt


def test_another_chat_reuses_the_instructions(engine: Engine) -> None:
    instructions = "You are a guide to this program and speak plainly. " * 20
    chats = [replace(dialogue(text), instructions=instructions) for text in (LONG, "Another matter: what is a chat?")]
    ask(engine, chats[0], settle=SettleWhen.NEVER)
    usage = ask(engine, chats[1], settle=SettleWhen.NEVER).finished.usage
    shared = len(engine.render(replace(chats[0], messages=())).tokens) - 2
    assert shared - WORTHWHILE < usage.reused_tokens <= shared


def test_a_stop_while_reading_keeps_what_was_read(engine: Engine) -> None:
    question = dialogue(LONG * 10)
    total = len(engine.render(question).tokens)
    request_id = engine.new_id()
    engine.client.send(Generate(request_id, question, GREEDY))
    read = 0
    while read <= 0:
        read = engine.expect(PrefillProgress).done
    engine.client.send(Cancel(request_id))
    finished = engine.expect(Finished)
    assert finished.reason is FinishReason.CANCELLED
    again = ask(engine, question, settle=SettleWhen.NEVER).finished.usage
    assert again.prompt_tokens == total
    assert again.reused_tokens >= read
