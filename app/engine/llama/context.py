"""The KV cache of one sequence and what decodes into it."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from app.domain.errors import ErrorCode, UserError
from app.domain.generation import Sampling
from app.domain.load_plan import CacheType, LoadPlan
from app.engine.llama.library import llama
from app.engine.llama.sampler import LlamaSampler

BATCH = 512
"""Tokens read at once where the plan leaves it open; what llama.cpp's own programs take."""

# ggml_type, from ggml.h
_CACHE_TYPES = {CacheType.F16: 1, CacheType.Q8_0: 8}
_WINDOW = 1  # LLAMA_STATE_SEQ_FLAGS_SWA_ONLY

# The binding declares ctypes' own classes for plain numbers.
_state: Any = llama


class LlamaContext:
    """The KV cache of one sequence and what decodes into it. Holds its own arrays: a token costs no allocation."""

    def __init__(self, model: Any, n_vocab: int, plan: LoadPlan, name: str) -> None:
        """``plan`` with its context and threads filled in. Raises UserError when the memory does not suffice."""
        batch = min(plan.batch or BATCH, plan.context)
        parameters: Any = llama.llama_context_default_params()
        parameters.n_ctx = plan.context
        parameters.n_batch = batch
        parameters.n_ubatch = batch
        parameters.n_threads = plan.threads
        parameters.n_threads_batch = plan.threads
        parameters.type_k = parameters.type_v = _CACHE_TYPES[plan.cache_type]
        parameters.flash_attn_type = (
            llama.LLAMA_FLASH_ATTN_TYPE_AUTO if plan.flash_attention else llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        # The small window cache: the full one costs 24.6 KB a token more on gpt-oss-20b.
        parameters.swa_full = False
        # Only the last token's logits are asked for. Room for a whole batch's is 206 MB with gpt-oss's vocabulary.
        parameters.n_outputs_max = 1
        context = llama.llama_init_from_model(model, parameters)
        if context is None:
            raise UserError(ErrorCode.OUT_OF_MEMORY, name=name)
        self._context = context
        self._n_vocab = n_vocab
        self._closed = False
        self._memory: Any = llama.llama_get_memory(context)
        self.batch = batch
        self._tokens = (llama.llama_token * batch)()
        self._batch = llama.llama_batch_get_one(self._tokens, 1)
        self._never: Any = llama.ggml_abort_callback(0)
        self.size = llama.llama_n_ctx(context)

    def close(self) -> None:
        """Free the memory."""
        if not self._closed:
            self._closed = True
            llama.llama_free(self._context)

    def clear(self) -> None:
        """Forget everything that was read."""
        llama.llama_memory_clear(self._memory, False)

    def prefill(self, tokens: Sequence[int], abort: Callable[[], bool]) -> bool:
        """Read at most ``batch`` tokens. False when ``abort`` said so in between: nothing of them is in memory then
        (llama.cpp takes an aborted batch back). Raises UserError when llama.cpp fails.
        """
        self._tokens[: len(tokens)] = tokens
        self._batch.n_tokens = len(tokens)

        # Asked by the processor's backend after each operation; too dear for single tokens, nothing here.
        def asked(_user_data: object) -> bool:
            return abort()

        callback: Any = llama.ggml_abort_callback(asked)
        llama.llama_set_abort_callback(self._context, callback, ctypes.c_void_p(0))
        try:
            status = llama.llama_decode(self._context, self._batch)
        finally:
            llama.llama_set_abort_callback(self._context, self._never, ctypes.c_void_p(0))
        self._batch.n_tokens = 1
        if status == 2:
            return False
        if status != 0:
            raise UserError(ErrorCode.DECODE_FAILED, reason=f"code {status}")
        return True

    def decode(self, token: int) -> None:
        """Read one token. Raises UserError when llama.cpp fails."""
        self._tokens[0] = token
        status = llama.llama_decode(self._context, self._batch)
        if status != 0:
            raise UserError(ErrorCode.DECODE_FAILED, reason=f"code {status}")

    # ---- State ----

    def trim(self, length: int) -> bool:
        """Forget everything from position ``length`` on. With a sliding window this alone gives wrong logits, although
        llama.cpp says yes: bring the window back first.
        """
        return bool(_state.llama_memory_seq_rm(self._memory, 0, length, -1))

    def window_state(self) -> bytes:
        """The sliding window's part of the memory as it is now; small, and quick to take."""
        return self._state(_WINDOW)

    def restore_window(self, state: bytes) -> bool:
        """Bring back the window of an earlier moment of the same sequence; then `trim` to that moment's length."""
        return self._restore(state, _WINDOW)

    def state(self) -> bytes:
        """The whole memory of the sequence: KV cache and window."""
        return self._state(0)

    def restore(self, state: Any) -> bool:
        """Put `state`'s result (any buffer) in place of what is in memory; False when llama.cpp does not take it."""
        self.clear()
        return self._restore(state, 0)

    def _state(self, flags: int) -> bytes:
        size = _state.llama_state_seq_get_size_ext(self._context, 0, flags)
        buffer = (ctypes.c_uint8 * size)()
        written = _state.llama_state_seq_get_data_ext(self._context, buffer, size, 0, flags)
        return memoryview(buffer)[:written].tobytes()

    def _restore(self, state: Any, flags: int) -> bool:
        view = memoryview(state)
        data = (ctypes.c_uint8 * len(view)).from_buffer_copy(view)
        return _state.llama_state_seq_set_data_ext(self._context, data, len(view), 0, flags) > 0

    def sampler(self, sampling: Sampling, seed: int) -> "LlamaSampler":
        """A sampler for one answer; close it."""
        return LlamaSampler(self._context, self._n_vocab, sampling, seed)
