"""How many threads decode the next token, by how long the last ones took.

All threads of a token wait for each other some hundred times, so one core that another program holds stops the rest:
two threads then make less than one alone. How much of the processor other programs use tells at once, as a rule; a
token's time tells for certain, and afterwards. Pure: times in, a number of threads out.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence

WINDOW = 6
"""Tokens by which the present number of threads is judged."""

TRIAL = 3
"""Tokens by which another number is judged; one more goes before them, which pays for the change."""

RISE = 1.25
"""Tokens that take this much longer than they did are reason to try fewer threads at once."""

GAIN_DOWN, GAIN_UP = 0.96, 0.99
"""Another number of threads is taken when its tokens take less than this part of the time."""

PATIENCE = 1.8
"""A trial ends early when it has taken this much longer than its tokens would have."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_UP_S = 4.0
LONGEST_PAUSE_DOWN_S = 60.0
"""Between trials without a reason. They begin with the first pause and double while nothing is gained: more threads
are tried often, because nothing else tells that a core is free again; fewer seldom, because tokens tell."""

REST = 30
"""Fewer threads are not tried again before so many times as long has passed as the last trial took: on a large model
its four slow tokens are a second.
"""

BLIND_S = 30.0
"""More threads are tried after this time although other programs seem to hold the cores for them."""

DISTRUST_S = 60.0
"""When such a trial was a gain, so long only tokens' times count."""

IDLE = 0.3
"""Of a core: what other programs may use without holding it. A steady neighbour of a full team has half a core."""

QUIET_S = 20.0
"""After this time with all threads, what came before is forgotten."""

_DRIFT = 1.001  # of the best time, per token: a longer history takes longer


def levels(most: int) -> tuple[int, ...]:
    """The numbers of threads that are tried, falling: one less first, for one busy neighbour, then in larger steps."""
    steps = (most, most - 1, math.ceil(most * 3 / 4), math.ceil(most / 2), math.ceil(most / 4), 1)
    return tuple(sorted({max(1, step) for step in steps}, reverse=True))


def free_cores(most: int, others: float) -> int:
    """How many of the threads have a core of their own when other programs keep so many cores busy; at least 1."""
    return max(1, most - max(0, math.ceil(others - IDLE)))


class ThreadPace:
    """Chooses among `levels`: settled on one, it tries a neighbour now and then, and moves when that is faster."""

    def __init__(self, most: int, others: Callable[[], float] = lambda: 0.0) -> None:
        """Begins with ``most``. ``others`` says how many of their cores other programs hold, on average of late."""
        self._others = others
        self._next_blind = -math.inf
        self._distrusted = -math.inf
        self._levels = levels(most)
        self._level = 0
        self._times: deque[float] = deque(maxlen=WINDOW)
        self._best = math.inf
        self._trial: int | None = None
        self._sweeping = False  # tries one level after another, until one helps
        self._reach = 1  # how many levels down the next trial looks
        self._tried: list[float] = []
        self._pause_up = self._pause_down = FIRST_PAUSE_S
        self._next_up = self._next_down = -math.inf
        self._since = -math.inf  # when it came to the present level

    @property
    def threads(self) -> int:
        """For the next token."""
        return self._levels[self._level if self._trial is None else self._trial]

    def begin(self, now: float) -> int:
        """An answer begins; the number for its first token: a core that is held by then is not waited for."""
        if self._trial is None:
            self._give_up_held(now)
        return self.threads

    def took(self, seconds: float, now: float) -> int:
        """A token has taken this time with `threads`, up to ``now``; the number for the next one."""
        if len(self._levels) > 1:
            if self._trial is None:
                self._settled(seconds, now)
            else:
                self._tries(self._trial, seconds, now)
        return self.threads

    def _settled(self, seconds: float, now: float) -> None:
        self._times.append(seconds)
        if self._give_up_held(now):
            return
        if len(self._times) < WINDOW // 2:
            return
        present = _typical(self._times)
        self._best = min(self._best * _DRIFT, present)
        if self._level == 0 and now - self._since > QUIET_S:
            self._pause_up = FIRST_PAUSE_S
        fewer, more = self._level + 1 < len(self._levels), self._level > 0
        if fewer and present > RISE * self._best:
            self._sweeping = True
            self._trial = self._level + 1
        elif fewer and now >= self._next_down:
            self._trial = min(self._level + self._reach, len(self._levels) - 1)
        elif more and now >= self._next_up and (self._free() > self.threads or now >= self._next_blind):
            self._trial = self._level - 1

    def _free(self) -> int:
        return free_cores(self._levels[0], self._others())

    def _give_up_held(self, now: float) -> bool:
        free = self._free()
        if free >= self.threads or now < self._distrusted:
            return False
        self._move(next(level for level, count in enumerate(self._levels) if count <= free), now)
        return True

    def _tries(self, trial: int, seconds: float, now: float) -> None:
        self._tried.append(seconds)
        present = _typical(self._times)
        hopeless = sum(self._tried) > PATIENCE * (TRIAL + 1) * present
        if len(self._tried) <= TRIAL and not hopeless:
            return
        counted, trial_s = self._tried[1:], sum(self._tried)
        down = trial > self._level
        self._trial = None
        self._tried.clear()
        if not hopeless and sum(counted) / len(counted) < (GAIN_DOWN if down else GAIN_UP) * present:
            blind = not down and self._free() < self._levels[trial]
            self._distrusted = now + DISTRUST_S if blind else self._distrusted
            self._move(trial, now)
            self._times.extend(counted)
            self._best = _typical(counted)
        elif down and self._sweeping and trial + 1 < len(self._levels):
            self._trial = trial + 1  # as many cores may be taken
        elif down:
            self._sweeping = False
            self._reach = self._reach % (len(self._levels) - 1 - self._level) + 1
            self._best = present  # it is slower than it was, and fewer threads do not help
            self._pause_down = min(2 * self._pause_down, LONGEST_PAUSE_DOWN_S)
            self._next_down = now + max(self._pause_down, REST * trial_s)
        else:
            self._pause_up = min(2 * self._pause_up, LONGEST_PAUSE_UP_S)
            self._next_up = now + self._pause_up
            self._next_blind = now + BLIND_S

    def _move(self, level: int, now: float) -> None:
        if level > self._level:  # what has just been left is not tried again at once
            self._pause_up = min(2 * self._pause_up, LONGEST_PAUSE_UP_S)
            self._next_blind = now + BLIND_S
        self._level = level
        self._since = now
        self._times.clear()
        self._best = math.inf
        self._sweeping = False
        self._reach = 1
        self._pause_down = FIRST_PAUSE_S
        self._next_up, self._next_down = now + self._pause_up, now + self._pause_down


class SteadyPace:
    """For an answer that is to be the same again: another number of threads can change the last bits of its logits.

    All threads, and no trials; fewer, for the rest of the answer, only when other programs hold cores.
    """

    def __init__(self, most: int, others: Callable[[], float]) -> None:
        self._others = others
        self._most = most
        self.threads = most

    def begin(self, now: float) -> int:
        """As `ThreadPace.begin`."""
        return self.took(0.0, now)

    def took(self, seconds: float, now: float) -> int:
        """As `ThreadPace.took`; times do not count."""
        self.threads = min(self.threads, free_cores(self._most, self._others()))
        return self.threads


def _typical(times: Sequence[float] | deque[float]) -> float:
    """The mean; of more than three without the longest, which any hiccup can be."""
    total, count = sum(times), len(times)
    return (total - max(times)) / (count - 1) if count > TRIAL else total / count
