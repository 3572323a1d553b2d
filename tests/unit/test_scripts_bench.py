"""scripts/bench.py and its parts that do not need a model: figures, tables, lengths of dialogues, what a log says."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.conversation import Dialogue, Role
from scripts import bench, figure
from scripts.benchmarks import engine
from scripts.benchmarks.engine import dialogues, memory, stop
from scripts.benchmarks.engine.first_token import slope
from scripts.benchmarks.engine.setting import BenchmarkError, default_environment
from scripts.figure import Figure

# ---- Figures ----


@pytest.mark.parametrize(
    ("value", "bar", "at_least", "met"),
    [
        (0.9, None, True, True),
        (0.97, 0.97, True, True),
        (0.96, 0.97, True, False),
        (50.0, 50.0, False, True),
        (50.1, 50.0, False, False),
    ],
)
def test_a_bar_is_met_on_its_side(value: float, bar: float | None, at_least: bool, met: bool) -> None:
    assert Figure("x", value, bar, at_least).met is met


def test_the_middle_of_several_measurements_keeps_them() -> None:
    row = figure.middle("speed", [3.0, 1.0, 2.0], 1.5, unit="tokens/s")
    assert row.value == 2.0
    assert row.cells() == ("speed", "2 tokens/s", "1 to 3", "at least 1.5 tokens/s", "met")
    assert row.plain()["samples"] == (3.0, 1.0, 2.0)


def test_the_table_is_aligned_and_names_what_is_missed() -> None:
    lines = figure.table([Figure("a", 1234.5), Figure("longer", 2.0, 1.0, False, "ms")]).splitlines()
    assert lines[0].split() == ["figure", "value", "range", "bar"]
    assert lines[2].split() == ["a", "1,234"]
    assert lines[3].split() == ["longer", "2", "ms", "at", "most", "1", "ms", "MISSED"]
    assert lines[2].index("1,234") == lines[3].index("2 ms") == lines[0].index("value")


def run(monkeypatch: pytest.MonkeyPatch, figures: list[Figure], *argv: str) -> int:
    def measure(_arguments: Namespace) -> list[Figure]:
        return figures

    monkeypatch.setattr(engine, "measure", measure)
    monkeypatch.setattr(bench, "in_environment", lambda: True)
    return bench.main([*argv])


def test_a_missed_bar_is_the_exit_status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, [Figure("good", 1.0, 0.5)], "engine") == 0
    assert run(monkeypatch, [Figure("good", 1.0, 0.5), Figure("bad", 1.0, 2.0)], "--json", "engine") == 1
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["benchmark"] == "engine"
    assert [(row["name"], row["met"]) for row in line["figures"]] == [("good", True), ("bad", False)]


def test_the_parts_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Namespace] = []

    def measure(arguments: Namespace) -> list[Figure]:
        seen.append(arguments)
        return []

    monkeypatch.setattr(engine, "measure", measure)
    monkeypatch.setattr(bench, "in_environment", lambda: True)
    with pytest.raises(SystemExit):
        bench.main(["engine", "--part", "nonsense"])
    assert bench.main(["engine", "--part", "stop", "--part", "growth"]) == 0
    assert seen[0].part == ["stop", "growth"]
    assert set(seen[0].part) < set(engine.PARTS)


# ---- Dialogues ----


def count(dialogue: Dialogue) -> int:
    """As a vocabulary would: three tokens frame a message, two characters are a token, spaces stand alone."""
    return sum(
        3 + sum((len(word) + 1) // 2 + 1 for word in f"{message.content} {message.reasoning}".split(" "))
        for message in dialogue.messages
    )


@given(tokens=st.integers(60, 4000), seed=st.text("ab", min_size=1, max_size=3))
def test_an_opening_has_the_length_that_is_asked_for(tokens: int, seed: str) -> None:
    found = count(dialogues.opening(count, tokens, seed))
    assert tokens <= found <= tokens + dialogues.SLACK


@pytest.mark.parametrize("tokens", [1000, 8000])
def test_a_history_is_a_chat_that_ends_with_the_user(tokens: int) -> None:
    history = dialogues.history(count, tokens, "x")
    assert tokens <= count(history) <= tokens + dialogues.SLACK
    roles = [message.role for message in history.messages]
    assert roles == [Role.USER if place % 2 == 0 else Role.ASSISTANT for place in range(len(roles))]
    assert roles[-1] is Role.USER
    assert all(message.content for message in history.messages)


def test_an_answer_has_its_reasoning_and_the_next_turn_its_message() -> None:
    history = dialogues.history(count, 1500, "x")
    answered = dialogues.answering(count, history, 300, 400, "y")
    said = answered.messages[-1]
    assert said.role is Role.ASSISTANT
    assert said.reasoning
    assert said.content
    assert count(answered) - count(history) == pytest.approx(700, abs=12)
    later = dialogues.next_turn(count, answered, 40, "z")
    assert later.messages[:-1] == answered.messages
    assert count(later) - count(answered) == pytest.approx(40, abs=8)


def test_other_seeds_give_other_words_from_the_beginning() -> None:
    assert dialogues.words("a", 100)[:20] != dialogues.words("b", 100)[:20]
    assert len(dialogues.words("a", 100)) == 100


def test_a_prompt_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        dialogues.opening(count, 2, "x")


# ---- What is made of measurements ----


def test_the_slope_is_that_of_the_line() -> None:
    assert slope([1, 2, 4], [3.0, 5.0, 9.0]) == pytest.approx(2.0)
    assert slope([1, 2, 3], [5.0, 5.0, 5.0]) == 0


def test_growth_is_what_comes_after_the_first_allocations() -> None:
    assert memory.growth([1, 5, 9, *[100] * 97]) == 0
    assert memory.growth([*[100] * 50, *[103] * 50]) == pytest.approx(0.03)


def test_nine_in_ten_leaves_out_the_worst_tenth() -> None:
    row = stop.nine_in_ten("stop", [*map(float, range(1, 20)), 1000.0], 18.0)
    assert row.value == 18.0
    assert row.met


def test_the_log_tells_the_buffers_that_are_anonymous() -> None:
    log = """
load_tensors:   CPU_Mapped model buffer size =   327.88 MiB
load_tensors:   CPU_REPACK model buffer size =   100.00 MiB
llama_context:        CPU  output buffer size =     0.77 MiB
llama_kv_cache:        CPU KV buffer size =    32.00 MiB
llama_kv_cache:        CPU KV buffer size =     3.00 MiB
sched_reserve:        CPU compute buffer size =   402.50 MiB
"""
    mib = 1024 * 1024
    expected = {"model": 100.0, "output": 0.77, "KV": 35.0, "compute": 402.5}
    assert memory.logged_buffers(log) == {kind: pytest.approx(size * mib) for kind, size in expected.items()}
    with pytest.raises(BenchmarkError, match="log"):
        memory.logged_buffers("nothing")


def test_the_peers_wait_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "ELSE"):
        monkeypatch.setenv(name, "1")
    variables = default_environment()
    assert "ELSE" in variables
    assert not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & variables.keys()
