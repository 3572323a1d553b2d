"""Giving up threads when other programs hold the cores: the real child, and the real look at the machine."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from app.domain.generation import Sampling
from app.engine.other_programs import OtherPrograms
from app.engine.protocol import LoadPlan
from tests.support import engine_children as children
from tests.support.engine import PATIENCE_S, QUESTION, dialogue, started

PROCESSORS = psutil.cpu_count() or 1


@pytest.mark.parametrize("sampling", [Sampling(temperature=0), Sampling(seed=3)], ids=["free", "seed"])
def test_threads_are_given_up_and_the_answer_stays_whole(tmp_path: Path, sampling: Sampling) -> None:
    log = tmp_path / "engine.log"
    with started(log, children.crowded, "debug") as engine:
        engine.load(plan=LoadPlan(threads=2))
        crowded = engine.ask(dialogue(QUESTION), sampling)
    with started() as engine:
        engine.load(plan=LoadPlan(threads=1))
        alone = engine.ask(dialogue(QUESTION), sampling)
    assert crowded.text == alone.text
    text = log.read_text(encoding="utf-8")
    assert "reading with threads: 1" in text
    assert "decoding with threads: 1" in text


def test_the_first_prompt_after_loading_knows_of_it(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    with started(log, children.crowded_while_loading, "debug") as engine:
        engine.load(plan=LoadPlan(threads=2))
        engine.ask(dialogue(QUESTION), Sampling(max_tokens=1))
    assert "reading with threads: 1" in log.read_text(encoding="utf-8")


def test_one_thread_has_none_to_give_up(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    with started(log, children.crowded, "debug") as engine:
        engine.load(plan=LoadPlan(threads=1))
        engine.ask(dialogue(QUESTION))
    assert "with threads" not in log.read_text(encoding="utf-8")


def test_a_busy_program_is_seen() -> None:
    others = OtherPrograms(PROCESSORS, period=0.1)
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        deadline = time.monotonic() + PATIENCE_S
        while others.held() < 0.3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        busy.kill()
        busy.wait()
        others.close()


def test_more_cores_than_threads_are_nobodys_loss() -> None:
    others = OtherPrograms(0, period=0.1)
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:  # this program's own work, besides
        assert others.held() < 0.5
    others.close()
