"""What is in the KV cache after anything that people do, against contexts that read it all anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.load_plan import LoadPlan
from tests.support.engine import DEMO
from tests.support.memory_trials import aborted, chatted
from tests.support.random_gpt_oss import random_gpt_oss
from tests.support.recurrent_model import random_lfm2, random_mamba
from tests.support.tiny_model import TinyModel
from tests.support.trial_process import Trial, tried

# The window is 128 tokens wide, its ring has 256 cells: chats go round it several times, in batches of 32.
PLAN = LoadPlan(context=1024, threads=1, batch=32)
LONG_PLAN = replace(PLAN, context=4096)
"""For models in which each byte is a token."""
EVERYTHING = {"edited", "regenerated", "switched", "settled", "gave way", "stopped", "stopped reading", "reused"}


def test_logits_are_those_of_the_same_batches_read_anew() -> None:
    result = tried(Trial(str(DEMO), PLAN, seeds=(1, 2), steps=25), chatted)
    assert result.problems == []
    assert result.done.keys() >= EVERYTHING
    assert result.done["compared"] > 30


def test_chats_that_are_kept_and_restored(tmp_path: Path) -> None:
    result = tried(Trial(str(DEMO), PLAN, seeds=(10,), steps=30, folder=str(tmp_path)), chatted)
    assert result.problems == []
    assert result.done["restored after a restart"] > 1


def test_a_narrow_window_of_a_random_model(tmp_path: Path) -> None:
    model = random_gpt_oss(tmp_path / "random.gguf", DEMO, window=20)
    result = tried(Trial(str(model), PLAN, seeds=(3,), steps=25), chatted)
    assert result.problems == []
    assert result.done["reused"] > 10


def test_reading_that_was_given_up_leaves_no_trace() -> None:
    result = tried(Trial(str(DEMO), PLAN, seeds=(), steps=0), aborted)
    assert result.problems == []
    assert result.done["aborted"] > 12


def test_two_threads() -> None:
    """Decoding shares the cells out between threads, so their number has a part in the last bits."""
    result = tried(Trial(str(DEMO), replace(PLAN, threads=2), seeds=(4,), steps=4, margins=False), chatted)
    assert result.problems == []


def test_a_model_without_a_window(tmp_path: Path) -> None:
    """Its memory is cut anywhere. Cutting inside a batch leaves what is not to the last bit what the rest gives."""
    model = TinyModel().random(tmp_path / "llama.gguf")
    result = tried(Trial(str(model), LONG_PLAN, seeds=(5,), steps=20), chatted)
    assert [problem for problem in result.problems if "off at" not in problem] == []
    assert result.done["reused"] > 10


def test_a_window_that_holds_all_needs_no_moments_to_go_back_to(tmp_path: Path) -> None:
    model = random_gpt_oss(tmp_path / "random.gguf", DEMO, window=PLAN.context)
    result = tried(Trial(str(model), PLAN, seeds=(6,), steps=25), chatted)
    assert [problem for problem in result.problems if "off at" not in problem] == []
    assert result.done["reused"] > 10
    assert result.done["most checkpoints"] == 0


RECURRENT = pytest.mark.parametrize("write", [random_lfm2, random_mamba], ids=["hybrid", "recurrent"])


@RECURRENT
def test_a_recurrent_model(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    result = tried(Trial(str(write(tmp_path / "model.gguf")), LONG_PLAN, seeds=(7,), steps=20), chatted)
    assert result.problems == []
    assert result.done["reused"] > 10


@RECURRENT
def test_a_recurrent_model_keeps_what_it_had_before_a_batch_that_is_given_up(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    result = tried(Trial(str(write(tmp_path / "model.gguf")), PLAN, seeds=(), steps=0), aborted)
    assert result.problems == []
    assert result.done["aborted"] > 12


@pytest.mark.parametrize("bound", [0, 1, 3])
def test_a_few_large_moments_to_go_back_to(bound: int) -> None:
    """As with a model whose windows have hundreds of megabytes each."""
    result = tried(Trial(str(DEMO), PLAN, seeds=(9,), steps=12, margins=False, checkpoints=bound), chatted)
    assert result.problems == []
    assert result.done["most checkpoints"] == bound


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_more_chats(tmp_path: Path, seed: int) -> None:
    result = tried(Trial(str(DEMO), PLAN, seeds=(seed,), steps=60, folder=str(tmp_path)), chatted)
    assert result.problems == []
    assert result.done["restored after a restart"] > 0
