"""Choosing the next token."""

import math
from typing import Any

from app.domain.generation import Sampling
from app.engine.llama.library import llama

PENALTY_WINDOW = 64
"""How many of the last generated tokens the repeat penalty looks at."""


class LlamaSampler:
    """Chooses tokens: penalties, top-k, top-p, min-p, temperature, draw, as llama.cpp orders them. What would change
    nothing is left out of the chain, which counts on a vocabulary of 200,000.
    """

    def __init__(self, context: Any, n_vocab: int, sampling: Sampling, seed: int) -> None:
        """``seed`` is taken modulo 2**32 - 1: the last value would ask llama.cpp for a random one."""
        self._context = context
        self._chain = chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        self._closed = False
        add = llama.llama_sampler_chain_add
        if sampling.repeat_penalty != 1:
            penalty = llama.llama_sampler_init_penalties(n_vocab, PENALTY_WINDOW, sampling.repeat_penalty, 0.0, 0.0)
            add(chain, penalty)
        if sampling.temperature <= 0:
            add(chain, llama.llama_sampler_init_greedy())
            return
        if 0 < sampling.top_k < n_vocab:
            add(chain, llama.llama_sampler_init_top_k(sampling.top_k))
        if sampling.top_p < 1:
            add(chain, llama.llama_sampler_init_top_p(sampling.top_p, 1))
        if sampling.min_p > 0:
            add(chain, llama.llama_sampler_init_min_p(sampling.min_p, 1))
        if not math.isclose(sampling.temperature, 1):
            add(chain, llama.llama_sampler_init_temp(sampling.temperature))
        add(chain, llama.llama_sampler_init_dist(seed % llama.LLAMA_DEFAULT_SEED))

    def sample(self) -> int:
        """The next token after what was decoded last."""
        return llama.llama_sampler_sample(self._chain, self._context, -1)

    def close(self) -> None:
        """Free the chain and what is in it."""
        if not self._closed:
            self._closed = True
            llama.llama_sampler_free(self._chain)
