"""Load, render, generate, cancel, unload: the real child with the demo model."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from app.domain.conversation import Dialogue
from app.domain.errors import ErrorCode
from app.domain.generation import FinishReason, Sampling
from app.engine.protocol import (
    AnswerText,
    Cancel,
    CommentaryText,
    Failed,
    Finished,
    Generate,
    Load,
    Loaded,
    LoadPlan,
    LoadProgress,
    PrefillProgress,
    PromptReady,
    ReasoningText,
    Render,
    Shutdown,
    Unload,
    Unloaded,
)
from tests.support import engine_children as children
from tests.support.engine import DEMO, QUESTION, Engine, dialogue, started

GREEDY = Sampling(temperature=0)
LONG = "Tell me more about models, please. " * 2600


@pytest.fixture(scope="module")
def endless(demo: Engine) -> Sampling:
    """Sampling with which the demo does not come to an end by itself soon."""
    return demo.endless()


def test_loading_reports_progress_and_what_was_loaded(engine: Engine) -> None:
    loaded = engine.load(plan=LoadPlan(context=1024, threads=1))

    fractions = [report.fraction for report in engine.reports if isinstance(report, LoadProgress)]
    assert fractions[0] == 0
    assert fractions[-1] == 1
    assert fractions == sorted(fractions)
    assert loaded.architecture == "gpt-oss"
    assert loaded.name
    assert loaded.context == 1024
    assert loaded.trained_context >= 4096
    assert 0 < loaded.load_s < 30


def test_nothing_is_left_to_be_made_ready_for_the_first_answer() -> None:
    with started(entry=children.reads_ahead_of_numpy) as engine:
        engine.load()
        assert engine.ask(dialogue(QUESTION)).answer


def test_an_answer_comes_in_order_and_is_accounted_for(demo: Engine) -> None:
    answer = demo.ask(dialogue(QUESTION))

    kinds = [type(report) for report in answer.reports]
    assert kinds[:2] == [PromptReady, PrefillProgress]
    assert kinds[-1] is Finished
    assert answer.answer.strip()
    assert kinds.index(AnswerText) > max(i for i, kind in enumerate(kinds) if kind is PrefillProgress)
    assert "<|" not in "".join(answer.text)
    finished = answer.finished
    assert finished.reason is FinishReason.STOP
    assert finished.usage.prompt_tokens == len(demo.render(dialogue(QUESTION)).tokens)
    assert finished.usage.completion_tokens > 3
    assert 0 < finished.timings.prefill_s <= finished.timings.first_token_s
    assert finished.timings.decode_tokens_per_s > 1
    assert {report.request_id for report in answer.reports} == {finished.request_id}  # type: ignore[union-attr]


def test_prefill_progress_ends_at_the_prompts_length(demo: Engine) -> None:
    answer = demo.ask(dialogue("Hello, who are you? " * 200))

    steps = [report for report in answer.reports if isinstance(report, PrefillProgress)]
    assert (steps[-1].done, steps[-1].total) == (answer.finished.usage.prompt_tokens,) * 2
    assert [step.done for step in steps] == sorted(step.done for step in steps)


def test_rendering_gives_the_prompt_that_is_read(demo: Engine) -> None:
    rendered = demo.render(dialogue("Is <|end|> a token?"))

    assert "".join(rendered.pieces).endswith("<|start|>user<|message|>Is <|end|> a token?<|end|><|start|>assistant")
    names = [piece for piece, control in zip(rendered.pieces, rendered.control, strict=True) if control]
    assert names == [
        "<|start|>", "<|message|>", "<|end|>", "<|start|>", "<|message|>", "<|end|>", "<|start|>",
    ]  # fmt: skip
    end = rendered.tokens[-3]  # <|end|> <|start|> assistant..., whose length depends on the vocabulary
    assert rendered.tokens.count(end) <= 3


def test_a_prompt_too_large_to_be_sent_is_refused_in_words_a_person_knows() -> None:
    with started(entry=children.small_frames) as engine:
        engine.load()
        assert engine.render(dialogue(QUESTION)).tokens
        engine.client.send(Render(engine.new_id(), dialogue(QUESTION * 1000)))
        failed = engine.expect(Failed)
    assert failed.code == ErrorCode.PROMPT_TOO_LONG
    assert int(failed.values["tokens"]) > 1000
    assert failed.values["room"] == "8192"


def test_temperature_zero_says_the_same_twice(demo: Engine) -> None:
    assert demo.ask(dialogue(QUESTION), GREEDY).text == demo.ask(dialogue(QUESTION), GREEDY).text


def test_a_seed_says_the_same_twice_and_others_differ(demo: Engine) -> None:
    def said(seed: int | None) -> tuple[str, str, str]:
        return demo.ask(dialogue(QUESTION), Sampling(temperature=3, seed=seed, max_tokens=40)).text

    assert said(1) == said(1)
    assert len({said(seed) for seed in range(6)}) > 1
    assert len({said(None) for _ in range(6)}) > 1
    assert said(2**64 + 5) == said(2**64 + 5)
    assert said(-1) == said(-1)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=0.7, top_k=1, seed=3),
        Sampling(temperature=1, top_p=1e-6, seed=3),
        Sampling(temperature=1, top_p=0, seed=3),
        Sampling(temperature=1, min_p=1, seed=3),
        Sampling(temperature=1e-6, seed=3),
    ],
    ids=["top_k", "top_p", "top_p=0", "min_p", "temperature"],
)
def test_each_parameter_drawn_tight_is_greedy(demo: Engine, sampling: Sampling) -> None:
    assert demo.ask(dialogue(QUESTION), sampling).text == demo.ask(dialogue(QUESTION), GREEDY).text


def test_the_repeat_penalty_changes_what_is_said(demo: Engine) -> None:
    plain = demo.ask(dialogue(QUESTION), Sampling(temperature=0, max_tokens=80))
    punished = demo.ask(dialogue(QUESTION), Sampling(temperature=0, repeat_penalty=50, max_tokens=80))
    assert punished.text != plain.text


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=-1),
        Sampling(top_p=-0.1),
        Sampling(top_p=1.5),
        Sampling(top_k=-1),
        Sampling(top_k=2**31),
        Sampling(min_p=2),
        Sampling(repeat_penalty=0),
        Sampling(max_tokens=-1),
    ],
    ids=repr,
)
def test_parameters_out_of_bounds_are_refused(demo: Engine, sampling: Sampling) -> None:
    demo.client.send(Generate(demo.new_id(), dialogue(QUESTION), sampling))
    assert demo.expect(Failed).code == ErrorCode.INVALID_REQUEST


def test_max_tokens_bounds_the_answer(demo: Engine) -> None:
    for limit in (1, 2, 5):
        finished = demo.ask(dialogue(QUESTION), Sampling(temperature=0, max_tokens=limit)).finished
        assert (finished.reason, finished.usage.completion_tokens) == (FinishReason.LENGTH, limit)


def test_the_whole_answer_is_said_when_the_limit_is_its_length(demo: Engine) -> None:
    whole = demo.ask(dialogue(QUESTION))
    tokens = whole.finished.usage.completion_tokens
    exact = demo.ask(dialogue(QUESTION), Sampling(temperature=0, max_tokens=tokens))
    assert exact.finished.reason is FinishReason.STOP
    assert exact.text == whole.text


def test_a_full_context_ends_the_answer(engine: Engine, endless: Sampling) -> None:
    context = engine.load(plan=LoadPlan(context=256)).context
    finished = engine.ask(dialogue(QUESTION), endless).finished
    assert finished.reason is FinishReason.LENGTH
    # The last token need not be in memory.
    assert finished.usage.prompt_tokens + finished.usage.completion_tokens == context + 1
    assert engine.ask(dialogue(QUESTION)).finished.reason is FinishReason.STOP


@pytest.mark.parametrize("times", [4000, 1_500_000], ids=["long", "gigantic"])
def test_a_message_larger_than_the_context_is_refused(demo: Engine, times: int) -> None:
    demo.client.send(Generate(demo.new_id(), dialogue("What is Alcove? " * times)))
    failed = demo.expect(Failed)
    assert failed.code == ErrorCode.MESSAGE_TOO_LONG
    assert 7500 < int(failed.values["room"]) <= 8192
    assert int(failed.values["tokens"].removeprefix("more than ")) > 8192
    assert demo.ask(dialogue(QUESTION)).finished.reason is FinishReason.STOP


def test_an_empty_dialogue_is_refused(demo: Engine) -> None:
    demo.client.send(Generate(demo.new_id(), dialogue()))
    assert demo.expect(Failed).code == ErrorCode.EMPTY_PROMPT


@pytest.mark.parametrize("run", ["a", " ", "\n", "-", "你", "👩\u200d"], ids=repr)
def test_long_runs_do_not_overflow_the_tokenizer(demo: Engine, run: str) -> None:
    rendered = demo.render(dialogue(run * 100_000))
    assert run * 100_000 in "".join(rendered.pieces)


def test_nothing_is_generated_unseen_after_the_answers_end() -> None:
    with started(entry=children.talks_on) as engine:
        engine.load()
        answer = engine.ask(dialogue(QUESTION))
    assert answer.text == ("", "", "Yes.")
    assert answer.finished.reason is FinishReason.STOP
    assert answer.finished.usage.completion_tokens < 20


def test_only_what_is_new_is_read_when_the_prompt_continues(engine: Engine) -> None:
    engine.load()
    first = engine.ask(dialogue(QUESTION), Sampling(temperature=0, max_tokens=1)).finished.usage
    longer = dialogue(QUESTION, "It is a desktop program.", "Thank you!")
    second = engine.ask(longer)
    assert first.reused_tokens == 0
    assert second.finished.usage.reused_tokens == first.prompt_tokens
    progress = [report.done for report in second.reports if isinstance(report, PrefillProgress)]
    assert progress[0] == first.prompt_tokens
    third = engine.ask(longer)
    assert third.text == second.text
    # Not much is read again.
    usage = third.finished.usage
    assert first.prompt_tokens <= usage.reused_tokens < usage.prompt_tokens
    assert engine.ask(dialogue("Goodbye!")).finished.usage.reused_tokens < first.prompt_tokens


def test_a_stop_while_decoding_keeps_what_was_said(demo: Engine, endless: Sampling) -> None:
    request_id = demo.new_id()
    demo.client.send(Generate(request_id, dialogue(QUESTION), endless))
    demo.expect(ReasoningText, AnswerText, CommentaryText)
    demo.client.send(Cancel(request_id))
    finished = demo.expect(Finished)
    assert finished.reason is FinishReason.CANCELLED
    assert 0 < finished.usage.completion_tokens < 1500
    assert demo.ask(dialogue(QUESTION)).finished.reason is FinishReason.STOP


def test_a_stop_acts_while_a_prompt_is_made_into_tokens(engine: Engine) -> None:
    engine.load(plan=LoadPlan(context=32768))
    request_id = engine.new_id()
    engine.client.send(Generate(request_id, dialogue("It is a line of words.\n" * 300_000)))  # seconds of work
    engine.client.send(Cancel(request_id))
    finished = engine.expect(Finished)
    assert finished.reason is FinishReason.CANCELLED
    assert finished.usage.prompt_tokens == 0


def test_a_stop_while_reading_comes_before_the_first_token(engine: Engine) -> None:
    engine.load(plan=LoadPlan(context=32768, threads=1))
    fresh = engine.ask(dialogue(QUESTION)).text
    request_id = engine.new_id()
    engine.client.send(Generate(request_id, dialogue(LONG)))
    begun = engine.expect(PrefillProgress)
    engine.client.send(Cancel(request_id))
    finished = engine.expect(Finished, ReasoningText, AnswerText)
    assert begun.total > 16_000
    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.CANCELLED
    assert finished.usage.completion_tokens == 0
    assert engine.ask(dialogue(QUESTION)).text == fresh


def test_a_stop_reaches_a_request_that_waits_its_turn(demo: Engine, endless: Sampling) -> None:
    first, second = demo.new_id(), demo.new_id()
    demo.client.send(Generate(first, dialogue(QUESTION), endless))
    demo.client.send(Generate(second, dialogue(QUESTION)))
    demo.client.send(Cancel(second))
    demo.client.send(Cancel(first))
    assert [demo.expect(Finished).reason for _ in range(2)] == [FinishReason.CANCELLED] * 2


def test_a_stop_for_what_is_over_changes_nothing(demo: Engine) -> None:
    answer = demo.ask(dialogue(QUESTION))
    demo.client.send(Cancel(answer.finished.request_id))
    demo.client.send(Cancel(123_456))
    assert demo.ask(dialogue(QUESTION)).finished.reason is FinishReason.STOP


def test_a_load_that_is_cancelled_before_its_turn_ends_unloaded(engine: Engine) -> None:
    engine.load()
    talk, load = engine.new_id(), engine.new_id()
    engine.client.send(Generate(talk, dialogue(QUESTION), Sampling(temperature=1000, seed=1)))
    engine.client.send(Load(load, str(DEMO)))
    engine.client.send(Cancel(load))
    ended = engine.expect(Unloaded, Loaded)
    assert ended == Unloaded(load)
    engine.client.send(Generate(engine.new_id(), dialogue(QUESTION)))
    assert engine.expect(Failed).code == ErrorCode.NO_MODEL_LOADED


def test_without_a_model_nothing_is_rendered_or_said(engine: Engine) -> None:
    for request in (Generate(engine.new_id(), dialogue(QUESTION)), Render(engine.new_id(), dialogue(QUESTION))):
        engine.client.send(request)
        assert engine.expect(Failed) == Failed(request.request_id, ErrorCode.NO_MODEL_LOADED, {})


def test_unload_and_reload(engine: Engine) -> None:
    engine.load()
    before = engine.ask(dialogue(QUESTION)).text
    request_id = engine.new_id()
    engine.client.send(Unload(request_id))
    assert engine.expect(Unloaded) == Unloaded(request_id)
    engine.client.send(Render(engine.new_id(), dialogue(QUESTION)))
    assert engine.expect(Failed).code == ErrorCode.NO_MODEL_LOADED
    engine.load()
    engine.load()  # in place of the one before
    assert engine.ask(dialogue(QUESTION)).text == before


def test_a_failed_load_leaves_no_model(engine: Engine, tmp_path: Path) -> None:
    engine.load()
    assert engine.failure(tmp_path / "nothing.gguf") is ErrorCode.FILE_NOT_FOUND
    engine.client.send(Render(engine.new_id(), dialogue(QUESTION)))
    assert engine.expect(Failed).code == ErrorCode.NO_MODEL_LOADED


def test_a_shutdown_ends_the_child_in_the_middle_of_an_answer(demo: Engine, endless: Sampling) -> None:
    with started() as engine:
        engine.load()
        engine.client.send(Generate(engine.new_id(), dialogue(QUESTION), endless))
        engine.expect(ReasoningText, AnswerText, CommentaryText)
        engine.client.send(Shutdown(engine.new_id()))
        assert engine.lost(timeout=2).reason == "exit status 0"


def test_memory_comes_back(engine: Engine) -> None:
    child = psutil.Process(engine.pid)
    before = child.memory_info().rss

    def cycle() -> int:
        engine.load(plan=LoadPlan(context=32768))
        engine.ask(dialogue(QUESTION))
        request_id = engine.new_id()
        engine.client.send(Unload(request_id))
        engine.expect(Unloaded)
        return child.memory_info().rss

    after_first = cycle()
    after_last = [cycle() for _ in range(8)][-1]
    assert after_first - before < 50e6
    assert after_last - after_first < 10e6


def test_many_short_generations_leave_nothing_behind(demo: Engine) -> None:
    child = psutil.Process(demo.pid)
    one = Sampling(temperature=1, max_tokens=2)
    for _ in range(20):
        demo.ask(dialogue(QUESTION), one)
    before = child.memory_info().rss
    threads = child.num_threads()
    for _ in range(100):
        demo.ask(dialogue(QUESTION), one)
    assert child.memory_info().rss - before < 2e6
    assert child.num_threads() == threads


def test_a_dialogue_of_another_date_is_another_prompt(demo: Engine) -> None:
    one = dialogue(QUESTION)
    other = Dialogue(one.messages, date="2027-05-06", effort=one.effort)
    assert demo.render(one).tokens != demo.render(other).tokens
