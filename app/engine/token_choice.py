"""Choosing the next token from the model's logits, exactly, in a tenth of what llama.cpp's own chain takes.

The chain of llama.cpp makes a record of every token of the vocabulary and draws from those: 2.0 ms a token for the
201,088 of gpt-oss. Here they stay one array, which numpy goes through a few times: 0.02 ms for the most likely token,
0.2 ms for a draw from all of them. The steps are llama.cpp's, in its order: repeat penalty, top-k, top-p, min-p,
temperature, draw; which tokens can be drawn, and how often each is, is the same.

Imported in the engine's child only: numpy takes a tenth of a second to import.
"""

import math
import random
from collections import deque
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.domain.errors import ErrorCode, UserError
from app.domain.generation import Sampling

PENALTY_WINDOW = 64
"""How many of the last generated tokens the repeat penalty looks at."""

Logits: TypeAlias = NDArray[np.float32]
Ids: TypeAlias = NDArray[np.intp]

_BLOCK = 512  # about the root of a large vocabulary: as many blocks to choose from as tokens in one
_LEAST_WEIGHT, _MOST_WEIGHT = 1e-20, 1e20
_FIRST_MARGIN = 8.0
_LEAST_MARGIN = 0.5
_WIDEST_MARGIN = 1e4  # beyond it every token is looked at, those of minus infinity too
_WASTE = 8  # times as many candidates as were needed are too many
_MOST_INVERSE = 1e30  # a temperature so near zero that more would leave the range of numbers


class TokenChoice:
    """Chooses one answer's tokens. The same seed and logits give the same tokens.

    **Draws from all tokens** add up the tokens' weights by blocks, place a uniform number into the sums, and then into
    the block: what a walk along all tokens would find, without the walk.

    **Top-k, top-p and min-p** sort candidates, not the vocabulary: all tokens whose logit is at least ``t``. Candidates
    are a beginning of the vocabulary sorted by falling logits, whole with regard to equals, so what is cut from them is
    what would be cut from the sorted vocabulary as soon as the cut lies inside: for top-k when there are k of them, for
    top-p when they have that share of the whole weight, for min-p by ``t`` itself. ``t`` is lowered until that holds.
    Where it begins is only a matter of time: a distance from the highest logit that follows what was needed before.

    Between two tokens everything here has left the processor's caches, so that each step costs more than it computes:
    few steps over all tokens, and few besides.
    """

    def __init__(self, n_vocab: int, sampling: Sampling, seed: int) -> None:
        """For logits of shape (``n_vocab``,). Working arrays are made here, once."""
        self._sampling = sampling
        self._random = random.Random(seed)
        self._inverse = min(1 / sampling.temperature, _MOST_INVERSE) if sampling.temperature > 0 else 0.0
        self._top_k = sampling.top_k if 0 < sampling.top_k < n_vocab else 0
        self._log_min_p = np.float32(math.log(sampling.min_p)) if sampling.min_p > 0 else np.float32(0)
        self._margin = _FIRST_MARGIN
        self.recent: deque[int] = deque(maxlen=PENALTY_WINDOW)
        self._penalized = np.empty(n_vocab, np.float32) if sampling.repeat_penalty != 1 else None
        if sampling.temperature <= 0:
            self._pick = self._most_likely
            return
        cuts = self._top_k > 0 or sampling.top_p < 1 or sampling.min_p > 0
        self._pick = self._draw_cut if cuts else self._draw
        blocks = -(-n_vocab // _BLOCK)
        padded = np.zeros(blocks * _BLOCK, np.float32)
        self._blocks = padded.reshape(blocks, _BLOCK)
        self._weights = padded[:n_vocab]
        self._sums = np.zeros(blocks, np.float32)
        self._ends = np.zeros(blocks, np.float64)
        self._reference = 0.0
        self._above = np.empty(n_vocab if cuts else 0, np.bool_)

    def choose(self, logits: Logits) -> int:
        """The next token. Raises UserError when the logits are no numbers, as those of a damaged file."""
        if self._penalized is None:
            return self._pick(logits)
        token = self._pick(self.penalized(logits))
        self.recent.append(token)
        return token

    def penalized(self, logits: Logits) -> Logits:
        """The logits, with recent tokens less likely by the repeat penalty, whatever their logit's sign."""
        target = self._penalized
        if target is None or not self.recent:
            return logits
        np.copyto(target, logits)
        ids = list(set(self.recent))
        values = target[ids]
        penalty = np.float32(self._sampling.repeat_penalty)
        target[ids] = np.where(values <= 0, values * penalty, values / penalty)
        return target

    def support(self, logits: Logits) -> Ids:
        """The tokens that top-k, top-p and min-p leave, the likeliest first."""
        ids, _ = self._cut(logits, float(logits.max()))
        return ids

    def _most_likely(self, logits: Logits) -> int:
        token = int(logits.argmax())
        _check(float(logits[token]))
        return token

    # ---- All tokens ----

    def _draw(self, logits: Logits) -> int:
        # The reference keeps the weights within the range of numbers. One that follows from the token before nearly
        # always does, and spares the search for the highest logit.
        whole = self._weigh(logits, self._reference, self._inverse)
        if _LEAST_WEIGHT < whole < _MOST_WEIGHT:
            self._reference += math.log(whole) / self._inverse
        else:
            self._reference = float(logits.max())
            _check(self._reference)
            whole = self._weigh(logits, self._reference, self._inverse)
        place = min(self._random.random() * whole, math.nextafter(whole, 0))  # the product may be rounded up
        block = int(self._ends.searchsorted(place, "right"))
        if block:
            place -= float(self._ends[block - 1])
        return block * _BLOCK + _place(self._blocks[block], place)

    def _weigh(self, logits: Logits, reference: float, inverse: float) -> float:
        """Fill in the weights exp((logit - reference) * inverse) and the ends of their blocks; the whole weight."""
        weights = self._weights
        with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at what comes out
            np.subtract(logits, np.float32(reference), out=weights)
            if inverse != 1:
                np.multiply(weights, np.float32(inverse), out=weights)
            np.exp(weights, out=weights)
            np.add.reduce(self._blocks, axis=1, out=self._sums)
            np.add.accumulate(self._sums, dtype=np.float64, out=self._ends)
        return float(self._ends[-1])

    # ---- The likeliest tokens ----

    def _draw_cut(self, logits: Logits) -> int:
        highest = float(logits.max())
        _check(highest)
        ids, values = self._cut(logits, highest)
        with np.errstate(over="ignore"):
            weights = np.exp((values - np.float32(highest)) * np.float32(self._inverse))
        return int(ids[_place(weights, self._random.random() * float(weights.sum(dtype=np.float64)))])

    def _cut(self, logits: Logits, highest: float) -> tuple[Ids, Logits]:
        """The tokens that can be drawn and their logits, falling."""
        min_p, top_p = self._sampling.min_p, self._sampling.top_p
        whole = 0.0
        if self._top_k:
            ids = self._candidates_by_count(logits, highest)
        elif top_p < 1:
            whole = self._weigh(logits, highest, 1)
            ids = self._candidates_by_weight(logits, highest, top_p * whole)
        else:
            ids = self._at_least(logits, np.float32(highest) + self._log_min_p)
        order = np.argsort(-logits[ids], kind="stable")
        ids = ids[order[: self._top_k]] if self._top_k else ids[order]
        values: Logits = logits[ids]
        count = len(ids)
        if top_p < 1:
            sums = np.cumsum(np.exp(values - np.float32(highest)), dtype=np.float64)
            # The first that reaches the share is kept.
            count = min(int(sums.searchsorted(top_p * (whole or float(sums[-1])), "left")) + 1, count)
            self._follow(len(ids), count)
        if min_p > 0:
            least = np.float32(highest) + self._log_min_p
            count = min(max(int(np.searchsorted(-values, -least, "right")), 1), count)
        return ids[:count], values[:count]

    def _at_least(self, logits: Logits, threshold: np.float32) -> Ids:
        np.greater_equal(logits, threshold, out=self._above)
        return np.flatnonzero(self._above)

    def _candidates_by_count(self, logits: Logits, highest: float) -> Ids:
        """At least k candidates, or all tokens; at most some times k where logits differ."""
        wanted = self._top_k
        while True:
            ids = self._at_least(logits, self._threshold(highest))
            if len(ids) >= wanted:
                break
            self._margin *= 2
        self._follow(len(ids), wanted)
        if len(ids) > _WASTE * wanted:
            ids = ids[np.argpartition(logits[ids], len(ids) - wanted)[len(ids) - wanted :]]
        return ids

    def _candidates_by_weight(self, logits: Logits, highest: float, wanted: float) -> Ids:
        """Candidates with at least this weight, or all tokens."""
        while True:
            ids = self._at_least(logits, self._threshold(highest))
            if len(ids) == len(logits) or float(self._weights[ids].sum(dtype=np.float64)) >= wanted:
                return ids
            self._margin *= 2

    def _threshold(self, highest: float) -> np.float32:
        return np.float32(-math.inf if self._margin > _WIDEST_MARGIN else highest - self._margin)

    def _follow(self, found: int, needed: int) -> None:
        """Look less far next time when there was much more than was needed."""
        if found > _WASTE * needed:
            self._margin = max(0.8 * min(self._margin, _WIDEST_MARGIN), _LEAST_MARGIN)


def _place(weights: Logits, place: float) -> int:
    """The index at which the sum of the weights exceeds ``place``; of the last weight when rounding hides it."""
    index = int(np.cumsum(weights, dtype=np.float64).searchsorted(place, "right"))
    return index if index < len(weights) else int(np.flatnonzero(weights)[-1])


def _check(highest: float) -> None:
    if not math.isfinite(highest):
        raise UserError(ErrorCode.DECODE_FAILED, reason="the model's output is no number")
