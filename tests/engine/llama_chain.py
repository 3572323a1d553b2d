"""Run by test_token_choice.py in a process of its own: what llama.cpp's own sampler chain makes of the same logits.

Reads from the standard input one JSON list of cases: a file of float32 logits, the sampling parameters as llama.cpp
takes them and the recent tokens. Writes one list of [ids, probabilities] for each, as the chain leaves them.
"""

from __future__ import annotations

import ctypes
import json
import sys
from array import array
from pathlib import Path
from typing import Any

from app.engine.llama.library import llama


def chain_of(case: dict[str, Any], n_vocab: int) -> Any:
    """As llama.cpp's own programs build it, with the draw's probabilities at its end."""
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    add = llama.llama_sampler_chain_add
    add(chain, llama.llama_sampler_init_penalties(n_vocab, 64, case["repeat_penalty"], 0.0, 0.0))
    add(chain, llama.llama_sampler_init_top_k(case["top_k"]))
    add(chain, llama.llama_sampler_init_top_p(case["top_p"], 1))
    add(chain, llama.llama_sampler_init_min_p(case["min_p"], 1))
    add(chain, llama.llama_sampler_init_temp(case["temperature"]))
    add(chain, llama.llama_sampler_init_dist(1))
    return chain


def apply(case: dict[str, Any]) -> tuple[list[int], list[float]]:
    """Ids and probabilities that the chain leaves."""
    logits = array("f", Path(case["logits"]).read_bytes())
    records = (llama.llama_token_data * len(logits))()
    for token, logit in enumerate(logits):
        records[token] = llama.llama_token_data(token, logit, 0.0)
    candidates: Any = llama.llama_token_data_array(records, len(records), -1, False)
    chain = chain_of(case, len(logits))
    for token in case["recent"]:
        llama.llama_sampler_accept(chain, token)
    pointer: Any = ctypes.pointer(candidates)
    llama.llama_sampler_apply(chain, pointer)
    left = [(candidates.data[place].id, candidates.data[place].p) for place in range(candidates.size)]
    llama.llama_sampler_free(chain)
    return [token for token, _ in left], [share for _, share in left]


if __name__ == "__main__":
    print(json.dumps([apply(case) for case in json.load(sys.stdin)]))
