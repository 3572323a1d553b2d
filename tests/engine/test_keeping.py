"""Chats' memories on the disk, through real children: what is left and come back to is not read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.conversation import Dialogue, Message, Role
from app.domain.generation import Sampling
from app.domain.load_plan import CacheType, LoadPlan
from app.engine.protocol import (
    Finished,
    Forget,
    Generate,
    Keeping,
    KeepWithin,
    Leave,
    Left,
    Load,
    Loaded,
    Settled,
    SettleWhen,
)
from tests.support.engine import DEMO, Answer, Engine, dialogue, started

SPACE = 100_000_000
LONG = "Alcove runs on an ordinary laptop without a network. " * 60
GREEDY = Sampling(temperature=0, max_tokens=24)


class Reader:
    """An engine that keeps chats' memories in a folder, however quickly they could be read again."""

    def __init__(self, engine: Engine, folder: Path, *, space: int = SPACE, least_s: float = 0.0) -> None:
        self.engine = engine
        self.keeping = Keeping(str(folder), space, least_s)

    def load(self, plan: LoadPlan | None = None, model: Path = DEMO) -> Reader:
        self.engine.client.send(
            Load(self.engine.new_id(), str(model), plan or LoadPlan(context=8192), keeping=self.keeping)
        )
        self.engine.expect(Loaded)
        return self

    def ask(self, question: Dialogue, chat: str) -> Answer:
        begin = len(self.engine.reports)
        self.engine.client.send(Generate(self.engine.new_id(), question, GREEDY, chat=chat))
        finished = self.engine.expect(Finished)
        return Answer(finished, self.engine.reports[begin:])

    def leave(self) -> int:
        self.engine.client.send(Leave(self.engine.new_id()))
        return self.engine.expect(Left).saved_bytes

    def keep_within(self, space: int) -> None:
        self.engine.client.send(KeepWithin(self.engine.new_id(), space))
        self.engine.expect(Left)

    def forget(self, chat: str) -> None:
        self.engine.client.send(Forget(self.engine.new_id(), chat))
        self.engine.expect(Left)


def follow_up(question: Dialogue, answer: Answer, text: str) -> Dialogue:
    """The next turn."""
    said = Message(Role.ASSISTANT, answer.answer, reasoning=answer.reasoning)
    return replace(question, messages=(*question.messages, said, Message(Role.USER, text)))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_after_a_restart_only_the_new_turn_is_read_and_the_answer_is_the_same(tmp_path: Path) -> None:
    question = dialogue(f"What is Alcove? {LONG}")
    with started() as engine:
        reader = Reader(engine, tmp_path).load()
        first = reader.ask(question, "17")
        turn = follow_up(question, first, "Is it private?")
        told = reader.ask(turn, "17")
    assert len(files(tmp_path)) == 1  # quitting wrote it
    with started() as engine:
        reader = Reader(engine, tmp_path).load()
        again = reader.ask(turn, "17")
        usage = again.finished.usage
        assert usage.reused_tokens > 0.9 * first.finished.usage.prompt_tokens
        assert usage.prompt_tokens == told.finished.usage.prompt_tokens
        assert again.text == told.text


def test_leaving_keeps_and_coming_back_restores(tmp_path: Path) -> None:
    question = dialogue(f"What is Alcove? {LONG}")
    other = dialogue(f"Which model fits my computer? {LONG}")
    with started() as engine:
        reader = Reader(engine, tmp_path).load()
        first = reader.ask(question, "1")
        assert reader.leave() > 10_000
        assert reader.leave() == 0  # nothing is new since
        reader.ask(other, "2")
        back = reader.ask(follow_up(question, first, "Is it private?"), "1")
        assert back.finished.usage.reused_tokens > 0.9 * first.finished.usage.prompt_tokens
    assert len(files(tmp_path)) == 2


def test_a_chat_that_reads_quickly_is_not_kept(tmp_path: Path) -> None:
    with started() as engine:
        reader = Reader(engine, tmp_path, least_s=3600).load()
        reader.ask(dialogue(f"What is Alcove? {LONG}"), "1")
        assert reader.leave() == 0
    assert files(tmp_path) == []


def test_space_that_is_taken_away_counts_at_once_and_for_later_models(tmp_path: Path) -> None:
    with started() as engine:
        reader = Reader(engine, tmp_path).load()
        reader.ask(dialogue(f"What is Alcove? {LONG}"), "1")
        assert reader.leave()
        reader.ask(dialogue(f"Is it private? {LONG}"), "2")
        reader.keep_within(0)
        assert reader.leave() == 0
        reader.load()  # as if it had been asked for before
        reader.ask(dialogue(f"Is it private? {LONG}"), "2")
        assert reader.leave() == 0
    assert files(tmp_path) == []


def test_a_temporary_chat_leaves_nothing(tmp_path: Path) -> None:
    with started() as engine:
        reader = Reader(engine, tmp_path).load()
        reader.ask(dialogue(f"What is Alcove? {LONG}"), "")
        assert reader.leave() == 0
        reader.ask(dialogue("What is Alcove?"), "1")
        reader.forget("1")
    assert files(tmp_path) == []


def test_a_deleted_chat_is_forgotten_even_while_it_is_in_memory(tmp_path: Path) -> None:
    question = dialogue(f"What is Alcove? {LONG}")
    with started() as engine:
        reader = Reader(engine, tmp_path).load()
        reader.ask(question, "1")
        reader.leave()
        reader.ask(follow_up(question, reader.ask(question, "1"), "Is it private?"), "1")
        reader.forget("1")
    assert files(tmp_path) == []


@pytest.mark.parametrize("space", [SPACE, 0])
def test_nothing_of_a_deleted_chat_stays_in_memory(tmp_path: Path, space: int) -> None:
    question = dialogue(f"What is Alcove? {LONG}")
    with started() as engine:
        reader = Reader(engine, tmp_path, space=space).load()
        reader.ask(question, "1")
        reader.forget("2")
        assert reader.ask(question, "1").finished.usage.reused_tokens > 0
        reader.forget("1")
        assert reader.ask(question, "3").finished.usage.reused_tokens == 0


def test_a_deleted_chat_is_not_prepared_for_its_next_turn(tmp_path: Path) -> None:
    question = dialogue(f"What is Alcove? {LONG}")
    with started() as engine:
        reader = Reader(engine, tmp_path).load()
        engine.client.send(Generate(engine.new_id(), question, GREEDY, chat="1", settle=SettleWhen.ALWAYS))
        reader.forget("1")  # it comes before the settling
        assert reader.ask(question, "2").finished.usage.reused_tokens == 0
        assert not [report for report in engine.reports if isinstance(report, Settled)]


def test_a_damaged_file_is_read_afresh(tmp_path: Path) -> None:
    question = dialogue(f"What is Alcove? {LONG}")
    with started() as engine:
        told = Reader(engine, tmp_path).load().ask(question, "1")
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with started() as engine:
        again = Reader(engine, tmp_path).load().ask(question, "1")
        assert again.finished.usage.reused_tokens == 0
        assert again.text == told.text


@pytest.mark.parametrize(
    ("plan", "share"),
    [
        (LoadPlan(context=8192), 0.9),
        (LoadPlan(context=4096), 0.9),
        (LoadPlan(context=8192, cache_type=CacheType.Q8_0), 0.0),
    ],
    ids=["the same", "a shorter memory", "another precision"],
)
def test_what_was_kept_with_another_plan_is_used_where_it_fits(tmp_path: Path, plan: LoadPlan, share: float) -> None:
    question = dialogue(f"What is Alcove? {LONG}")
    with started() as engine:
        Reader(engine, tmp_path).load().ask(question, "1")
    with started() as engine:
        usage = Reader(engine, tmp_path).load(plan).ask(question, "1").finished.usage
        assert usage.reused_tokens > share * usage.prompt_tokens if share else usage.reused_tokens == 0


def test_what_is_longer_than_the_memory_costs_nothing_that_is_in_it(tmp_path: Path) -> None:
    def turn(text: str) -> Dialogue:
        return dialogue(LONG[: len(LONG) // 4], "Yes.", text)

    with started() as engine:
        kept = Reader(engine, tmp_path).load().ask(turn(LONG * 2), "1").finished.usage.prompt_tokens
    assert kept > 1024
    with started() as engine:
        reader = Reader(engine, tmp_path).load(LoadPlan(context=1024))
        reader.ask(turn(LONG[:800]), "1")
        assert reader.ask(turn(LONG[:1000]), "1").finished.usage.reused_tokens > 0


def test_the_model_that_goes_keeps_its_chat(tmp_path: Path) -> None:
    question = dialogue(f"What is Alcove? {LONG}")
    with started() as engine:
        reader = Reader(engine, tmp_path).load()
        first = reader.ask(question, "1")
        reader.load()  # the same file once more: the memory of before is gone
        back = reader.ask(follow_up(question, first, "Is it private?"), "1")
        assert back.finished.usage.reused_tokens > 0.9 * first.finished.usage.prompt_tokens
