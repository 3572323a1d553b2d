"""Choosing tokens: against llama.cpp's own chain, against the definitions, and at its edges."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.domain.errors import ErrorCode, UserError
from app.domain.generation import Sampling
from app.engine.token_choice import PENALTY_WINDOW, Logits, TokenChoice

CHAIN = Path(__file__).with_name("llama_chain.py")
ROOT = Path(__file__).resolve().parents[2]
DRAWS = 10_000


@dataclass(frozen=True)
class Case:
    sampling: Sampling
    n_vocab: int = 3000
    recent: tuple[int, ...] = ()


CASES = {
    "everything": Case(Sampling()),
    "temperature 0.7": Case(Sampling(temperature=0.7)),
    "temperature 1.6": Case(Sampling(temperature=1.6)),
    "gpt-oss's vocabulary": Case(Sampling(), n_vocab=201_088),
    "top-k": Case(Sampling(top_k=40)),
    "top-k 1": Case(Sampling(top_k=1)),
    "top-k of more than there are": Case(Sampling(top_k=1 << 20), n_vocab=300),
    "top-p": Case(Sampling(top_p=0.9)),
    "top-p, large": Case(Sampling(top_p=0.8), n_vocab=201_088),
    "top-p 0": Case(Sampling(top_p=0.0)),
    "min-p": Case(Sampling(min_p=0.05)),
    "min-p 1": Case(Sampling(min_p=1.0)),
    "top-k, top-p, min-p, cold": Case(Sampling(temperature=0.6, top_k=50, top_p=0.95, min_p=0.02)),
    "top-p and min-p, hot": Case(Sampling(temperature=1.8, top_p=0.97, min_p=0.01)),
    "repeat penalty": Case(Sampling(repeat_penalty=1.4), recent=(3, 3, 7, 11, 400)),
    "repeat penalty, top-k": Case(Sampling(repeat_penalty=1.1, top_k=20), recent=tuple(range(0, 300, 2))),
}


def logits_of(case: Case) -> Logits:
    """Peaked as a language model's are, in a random order, none equal to another."""
    ranks = np.random.default_rng(case.n_vocab).permutation(case.n_vocab)
    return (6 - 1.3 * np.log1p(ranks)).astype(np.float32)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[int], list[float]]]:
    """What llama.cpp's chain leaves of each case."""
    folder = tmp_path_factory.mktemp("logits")
    asked = []
    for number, case in enumerate(CASES.values()):
        path = folder / f"{number}.f32"
        path.write_bytes(logits_of(case).tobytes())
        s = case.sampling
        parameters = {"temperature": s.temperature, "top_k": s.top_k, "top_p": s.top_p, "min_p": s.min_p}
        asked.append({"logits": str(path), "recent": case.recent, "repeat_penalty": s.repeat_penalty, **parameters})
    result = subprocess.run(
        [sys.executable, "-m", "tests.engine.llama_chain"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr
    return dict(zip(CASES, json.loads(result.stdout), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_same_tokens_as_often_as_llama_cpp_draws_them(
    name: str, chain: dict[str, tuple[list[int], list[float]]]
) -> None:
    case = CASES[name]
    ids, shares = chain[name]
    expected = dict(zip(ids, shares, strict=True))
    logits = logits_of(case)
    choice = TokenChoice(case.n_vocab, case.sampling, seed=1)
    drawn: Counter[int] = Counter()
    for _ in range(DRAWS if case.n_vocab < 10_000 else DRAWS // 4):
        choice.recent.extend(case.recent)  # the same past each time
        drawn[choice.choose(logits)] += 1
        choice.recent.clear()
    choice.recent.extend(case.recent)
    if case.n_vocab > len(ids):
        support = set(choice.support(choice.penalized(logits)).tolist())
        assert drawn.keys() <= support
        # llama.cpp adds single precision numbers up one by one, which moves a cut in a long tail by some tokens.
        assert sum(shares_of(logits)[list(support ^ set(ids))]) <= (1e-3 if case.n_vocab > 10_000 else 0)
    assert chi_square(drawn, expected) < 5  # standard deviations; the seed is fixed, so this is no matter of luck


def shares_of(logits: Logits) -> NDArray[np.float64]:
    """The probabilities at temperature 1."""
    weights = np.exp(logits.astype(np.float64) - float(logits.max()))
    return weights / weights.sum()


def chi_square(drawn: Counter[int], expected: dict[int, float]) -> float:
    """How many standard deviations off Pearson's statistic is; rare tokens count together."""
    draws = drawn.total()
    common = [token for token, share in expected.items() if share * draws >= 10]
    pairs = [(drawn[token], expected[token] * draws) for token in common]
    rest = draws - sum(wanted for _, wanted in pairs)
    if rest >= 10:
        pairs.append((draws - sum(count for count, _ in pairs), rest))
    free = len(pairs) - 1
    if not free:
        return 0.0
    return (sum((count - wanted) ** 2 / wanted for count, wanted in pairs) - free) / math.sqrt(2 * free)


# ---- Against the definitions ----

values = st.one_of(st.floats(-30, 30, width=32), st.sampled_from([-math.inf, 0.0, 1.0, -1e30]))
vectors = st.lists(values, min_size=2, max_size=60).filter(lambda v: max(v) > -1e29)


def by_definition(logits: list[float], top_k: int, top_p: float, min_p: float) -> tuple[set[int], set[int]]:
    """Tokens that must be in the support and those that may, where equal logits or rounding leave a choice."""
    order = sorted(range(len(logits)), key=lambda token: -logits[token])
    if top_k:
        order = order[:top_k]
    least, most = len(order), len(order)
    if top_p < 1:
        weights = [math.exp(logits[token] - logits[order[0]]) for token in order]
        whole = math.fsum(weights)
        sums = [math.fsum(weights[: place + 1]) / whole for place in range(len(weights))]
        least = next((n + 1 for n, share in enumerate(sums) if share >= top_p - 1e-5), len(order))
        most = next((n + 1 for n, share in enumerate(sums) if share >= top_p + 1e-5), len(order))
    if min_p:
        within = [logits[token] - logits[order[0]] - math.log(min_p) for token in order]
        least = min(least, max(1, sum(distance >= 1e-4 for distance in within)))
        most = min(most, max(1, sum(distance >= -1e-4 for distance in within)))
    lowest = logits[order[least - 1]]
    must = {token for token in range(len(logits)) if logits[token] > lowest}
    lowest = logits[order[most - 1]]
    return must, {token for token in range(len(logits)) if logits[token] >= lowest}


@given(
    vectors,
    st.integers(0, 70),
    st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.999, 1.0]),
    st.sampled_from([0.0, 1e-6, 0.05, 0.5, 1.0]),
)
def test_support_is_what_the_words_mean(logits: list[float], top_k: int, top_p: float, min_p: float) -> None:
    array = np.array(logits, np.float32)
    choice = TokenChoice(len(array), Sampling(top_k=top_k, top_p=top_p, min_p=min_p), 1)
    for _ in range(3):  # where the search begins depends on what was found before
        support = list(choice.support(array))
        must, may = by_definition(array.tolist(), top_k if top_k < len(array) else 0, top_p, min_p)
        assert must <= set(support) <= may
        assert len(set(support)) == len(support) >= 1
        if top_k:
            assert len(support) <= top_k
        assert array[support].tolist() == sorted(array[support].tolist(), reverse=True)
        assert choice.choose(array) in support


@given(vectors, st.sampled_from([0.0, 1e-40, 1e-3, 0.5, 1.0, 5.0]), st.integers(0, 2**40))
def test_a_seed_gives_the_same_tokens(logits: list[float], temperature: float, seed: int) -> None:
    array = np.array(logits, np.float32)
    first, second = (TokenChoice(len(array), Sampling(temperature=temperature), seed) for _ in range(2))
    tokens = [first.choose(array) for _ in range(5)]
    assert tokens == [second.choose(array) for _ in range(5)]
    assert all(array[token] > -1e29 for token in tokens)


@given(vectors)
def test_greedy_takes_the_first_of_the_most_likely(logits: list[float]) -> None:
    array = np.array(logits, np.float32)
    assert TokenChoice(len(array), Sampling(temperature=0), 1).choose(array) == array.tolist().index(array.max())


def test_greedy_with_a_repeat_penalty_moves_on() -> None:
    choice = TokenChoice(3, Sampling(temperature=0, repeat_penalty=2), 1)
    array = np.array([4, 3, -1], np.float32)
    assert [choice.choose(array) for _ in range(3)] == [0, 1, 0]
    assert array.tolist() == [4, 3, -1]


def test_a_negative_logit_falls_too() -> None:
    choice = TokenChoice(2, Sampling(temperature=0, repeat_penalty=2), 1)
    assert [choice.choose(np.array([-2, -3], np.float32)) for _ in range(2)] == [0, 1]


def test_the_penalty_forgets_what_is_long_past() -> None:
    choice = TokenChoice(3, Sampling(temperature=0, repeat_penalty=2), 1)
    first = np.array([4, 3, 0], np.float32)
    other = np.array([0, 0, 9], np.float32)
    assert choice.choose(first) == 0
    for _ in range(PENALTY_WINDOW - 1):
        assert choice.choose(other) == 2
    assert choice.choose(first) == 1
    assert choice.choose(first) == 0


def test_the_likeliest_token_of_many_wins_a_cold_draw() -> None:
    array = np.zeros(5000, np.float32)
    array[4321] = 0.5
    choice = TokenChoice(5000, Sampling(temperature=1e-6), 1)
    assert {choice.choose(array) for _ in range(50)} == {4321}


def test_every_token_of_a_flat_distribution_is_drawn_about_as_often() -> None:
    array = np.zeros(1300, np.float32)  # two blocks and a half
    choice = TokenChoice(1300, Sampling(), 3)
    drawn = Counter(choice.choose(array) for _ in range(DRAWS))
    assert chi_square(drawn, dict.fromkeys(range(1300), 1 / 1300)) < 5


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("top_k", [0, 2])
@pytest.mark.parametrize("damage", [[math.nan, 1, 2], [1, 2, math.nan], [math.inf, 1, 2], [-math.inf] * 3], ids=str)
def test_logits_that_are_no_numbers_are_said(damage: list[float], temperature: float, top_k: int) -> None:
    choice = TokenChoice(3, Sampling(temperature=temperature, top_k=top_k), 1)
    with pytest.raises(UserError) as caught:
        choice.choose(np.array(damage, np.float32))
    assert caught.value.code is ErrorCode.DECODE_FAILED
