"""The number of threads follows what the machine has to spare; in simulated time."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.threads import BLIND_S, DISTRUST_S, SteadyPace, ThreadPace, free_cores, levels

Cost = Callable[[int, float], float]
"""Seconds of a token with so many threads at a moment."""


@dataclass
class Run:
    """What a machine did with a pace: (when, threads, seconds) of every token."""

    tokens: list[tuple[float, int, float]]

    def between(self, begin: float, end: float) -> list[tuple[float, int, float]]:
        return [token for token in self.tokens if begin <= token[0] < end]

    def speed(self, begin: float, end: float) -> float:
        """Tokens per second."""
        part = self.between(begin, end)
        return len(part) / sum(seconds for _, _, seconds in part)

    def share(self, threads: int, begin: float, end: float) -> float:
        """The part of the time with so many threads."""
        part = self.between(begin, end)
        return sum(s for _, n, s in part if n == threads) / sum(s for _, _, s in part)

    def changes(self, begin: float, end: float) -> int:
        numbers = [n for _, n, _ in self.between(begin, end)]
        return sum(a != b for a, b in itertools.pairwise(numbers))


def simulate(pace: ThreadPace, cost: Cost, until: float, *, noise: float = 0.05, now: float = 0.0) -> Run:
    """Decode until then; each token is off by up to the noise, evenly."""
    chance = random.Random(5)
    run = Run([])
    while now < until:
        threads = pace.threads
        seconds = cost(threads, now) * (1 + noise * chance.uniform(-1, 1))
        now += seconds
        run.tokens.append((now, threads, seconds))
        pace.took(seconds, now)
    return run


def two_cores(threads: int, now: float, *, begin: float = 5.0, end: float = 15.0) -> float:
    """As measured on two cores with gpt-oss's shape in 344 MB: a neighbour comes and goes."""
    busy = begin <= now < end
    if threads == 1:
        return 0.0115
    return 0.055 if busy else 0.0095


def test_all_threads_while_nobody_else_computes() -> None:
    run = simulate(ThreadPace(2), lambda n, _: two_cores(n, 0.0), 20)
    assert run.share(2, 1, 20) > 0.97
    assert run.speed(0, 20) > 0.98 / 0.0095


def test_trials_take_little_of_a_large_models_time() -> None:
    run = simulate(ThreadPace(2), lambda n, _: 0.22 if n == 1 else 0.137, 60)
    assert run.speed(2, 30) > 0.98 / 0.137
    assert run.speed(0, 60) > 0.97 / 0.137


def test_a_neighbour_costs_one_core_and_no_more() -> None:
    run = simulate(ThreadPace(2), two_cores, 30)
    assert run.share(2, 1, 5) > 0.95
    assert run.speed(5, 15) > 0.85 / 0.0115  # the time to notice, and what trials cost
    assert run.share(1, 6, 15) > 0.85
    assert run.share(2, 20, 30) > 0.95  # at most the longest pause after it has gone
    assert run.speed(20, 30) > 0.97 / 0.0095


def test_a_pace_that_begins_beside_a_neighbour_finds_out_within_a_second() -> None:
    run = simulate(ThreadPace(2), lambda n, _: two_cores(n, 6.0), 30)
    assert run.share(1, 1, 30) > 0.9


def test_what_was_learnt_lasts_between_answers() -> None:
    pace = ThreadPace(2)
    simulate(pace, lambda n, _: two_cores(n, 6.0), 10)
    run = simulate(pace, lambda n, _: two_cores(n, 6.0), 101, now=100.0)
    assert run.tokens[0][1] == 1


def test_no_back_and_forth_where_numbers_are_as_good() -> None:
    run = simulate(ThreadPace(4), lambda _n, _now: 0.02, 60, noise=0.15)
    assert run.changes(0, 60) < 60  # at most a trial in two seconds, with two changes each
    assert run.speed(0, 60) == pytest.approx(50, rel=0.02)


def test_a_change_that_costs_does_not_swing() -> None:
    """Where neighbours come and go twice a second, it settles on what is good on the whole."""

    def flicker(threads: int, now: float) -> float:
        return two_cores(threads, 6.0 if now * 2 % 1 < 0.5 else 0.0)

    run = simulate(ThreadPace(2), flicker, 30)
    assert run.speed(5, 30) > 0.75 / 0.0115


@pytest.mark.parametrize("taken", [0, 1, 2, 4, 8, 12])
def test_many_cores_settle_near_the_best(taken: int) -> None:
    """16 cores of which neighbours hold some: every thread beyond the free ones makes all wait."""

    def cost(threads: int, _now: float) -> float:
        alone = 0.002 + 0.048 / threads
        return alone if threads <= 16 - taken else 3 * alone

    best = min(cost(n, 0) for n in levels(16))
    run = simulate(ThreadPace(16), cost, 30)
    assert run.speed(15, 30) > 0.85 / best


def test_a_hiccup_changes_little() -> None:
    run = simulate(ThreadPace(2), lambda n, now: 0.0095 if n == 2 else 0.0115, 10)
    pace = ThreadPace(2)
    hiccups = iter(range(10**6))
    again = simulate(pace, lambda n, now: 0.1 if next(hiccups) % 50 == 49 else (0.0095 if n == 2 else 0.0115), 10)
    assert again.share(2, 1, 10) > 0.9
    assert run.share(2, 1, 10) > 0.9


def test_slow_tokens_are_few_trials() -> None:
    """gpt-oss-20b on two cores: a quarter of a second a token."""
    run = simulate(ThreadPace(2), lambda n, _now: 0.24 if n == 2 else 0.4, 600)
    assert run.share(2, 10, 600) > 0.95


# ---- With a word about other programs ----


def spinning(threads: int, now: float, *, begin: float = 5.0, end: float = 15.0) -> float:
    """As `two_cores`, with threads that spin for long: faster when quiet, dear when not."""
    if threads == 1:
        return 0.0115
    return 0.3 if begin <= now < end else 0.009


class Clock:
    """Other programs as a look every quarter of a second sees them."""

    def __init__(self, held: Callable[[float], float]) -> None:
        self.now = 0.0
        self._held = held

    def others(self) -> float:
        return self._held(self.now - self.now % 0.25 - 0.25)

    def cost(self, threads: int, now: float) -> float:
        self.now = now
        return spinning(threads, now)


def test_a_neighbour_is_noticed_at_once_and_costs_no_trials() -> None:
    clock = Clock(lambda now: 0.6 if 5 <= now < 15 else 0.05)
    run = simulate(ThreadPace(2, clock.others), clock.cost, 30)
    slow = [token for token in run.between(5, 15) if token[1] == 2]
    assert len(slow) <= 3
    assert run.speed(5.5, 15) > 0.95 / 0.0115
    assert run.share(2, 16, 30) > 0.95
    assert run.speed(0, 5) > 0.96 / 0.009


def test_an_answer_that_begins_beside_a_neighbour_waits_for_no_core() -> None:
    for pace in (ThreadPace(4, lambda: 2.0), SteadyPace(4, lambda: 2.0)):
        assert pace.threads == 4
        assert pace.begin(7.0) == pace.threads == 2


def test_an_answer_begins_with_all_threads_where_no_core_is_held() -> None:
    for pace in (ThreadPace(4), SteadyPace(4, lambda: 0.0)):
        assert pace.begin(7.0) == 4


def test_an_answer_that_begins_in_a_trial_goes_on_with_it() -> None:
    pace = ThreadPace(2)
    now = 0.0
    while pace.threads == 2:
        now += 0.01
        pace.took(0.01, now)
    assert pace.begin(now) == 1


def test_a_neighbour_that_gives_way_is_no_reason() -> None:
    """One of low priority: busy, and yet all threads are as fast as ever."""
    run = simulate(ThreadPace(2, lambda: 0.9), lambda n, _now: 0.01 if n == 2 else 0.02, BLIND_S + DISTRUST_S)
    assert run.share(1, 0, BLIND_S) > 0.9
    assert run.share(2, BLIND_S + 5, BLIND_S + DISTRUST_S) > 0.95


def test_a_neighbour_that_stays_costs_a_trial_now_and_then() -> None:
    clock = Clock(lambda _now: 1.0)
    run = simulate(ThreadPace(2, clock.others), lambda n, now: clock.cost(n, 6.0) + 0 * now, 120)
    assert sum(n == 2 for _, n, _ in run.tokens) < 2 * (120 / BLIND_S + 1)


def test_many_cores_go_to_what_is_free_at_once() -> None:
    def cost(threads: int, _now: float) -> float:
        return (0.002 + 0.048 / threads) * (1 if threads <= 8 else 30)

    run = simulate(ThreadPace(16, lambda: 7.6), cost, 20)
    assert run.share(8, 0.5, 20) > 0.95


def test_an_answer_with_a_seed_keeps_its_threads_but_for_a_neighbour() -> None:
    held = 0.2
    pace = SteadyPace(4, lambda: held)
    assert [pace.took(seconds, 0.0) for seconds in (0.01, 9.0, 0.1)] == [4, 4, 4]
    held = 1.1
    assert pace.took(0.01, 0.0) == 3
    held = 0.0
    assert pace.took(0.01, 0.0) == pace.threads == 3


@pytest.mark.parametrize(
    ("most", "others", "expected"),
    [
        (2, 0.0, 2),
        (2, 0.25, 2),
        (2, 0.5, 1),
        (2, 1.0, 1),
        (2, 2.0, 1),
        (8, 0.5, 7),
        (8, 1.2, 7),
        (8, 1.5, 6),
        (1, 3, 1),
    ],
)
def test_free_cores(most: int, others: float, expected: int) -> None:
    assert free_cores(most, others) == expected


@pytest.mark.parametrize(
    ("most", "expected"),
    [(1, (1,)), (2, (2, 1)), (4, (4, 3, 2, 1)), (8, (8, 7, 6, 4, 2, 1)), (16, (16, 15, 12, 8, 4, 1))],
)
def test_levels(most: int, expected: tuple[int, ...]) -> None:
    assert levels(most) == expected


@given(
    st.integers(1, 64),
    st.lists(st.floats(0, 1e3), max_size=200),
    st.lists(st.floats(0, 30), max_size=200),
    st.lists(st.floats(0, 64), min_size=1),
)
def test_never_less_than_one_nor_more_than_all(
    most: int, times: list[float], pauses: list[float], others: list[float]
) -> None:
    pace = ThreadPace(most, itertools.cycle(others).__next__)
    now = 0.0
    for seconds, pause in zip(times, pauses, strict=False):
        now += seconds + pause
        threads = pace.took(seconds, now)
        assert threads == pace.threads
        assert threads in levels(most)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 32), st.floats(0.05, 1.0), st.integers(0, 1000))
def test_whatever_happened_all_threads_come_back(most: int, seconds: float, seed: int) -> None:
    """Once more threads are faster again, it ends with all of them."""
    chance = random.Random(seed)
    pace = ThreadPace(most)
    now = 0.0
    for _ in range(300):
        spent = chance.uniform(0.001, 0.1)
        now += spent
        pace.took(spent, now)
    run = simulate(pace, lambda n, _: seconds * (0.1 + 0.9 / n), now + 40 + 40 * seconds, noise=0.0, now=now)
    last = run.tokens[-20:]
    assert max(n for _, n, _ in last) >= most * 3 // 4
