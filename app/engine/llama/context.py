"""The KV cache of one sequence and what decodes into it."""

import ctypes
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from app.domain.errors import ErrorCode, UserError
from app.domain.generation import Sampling
from app.domain.load_plan import CacheType, LoadPlan
from app.engine.llama.library import llama
from app.engine.llama.window import ring_size, spread
from app.engine.memory_image import Bytes

if TYPE_CHECKING:
    from app.engine.llama.sampler import LlamaSampler

log = logging.getLogger("alcove.engine.llama")

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
        self._batch: Any = llama.llama_batch_get_one(self._tokens, 1)
        self._none: Any = (ctypes.c_int8 * batch)()
        self._never: Any = llama.ggml_abort_callback(0)
        self.size = llama.llama_n_ctx(context)
        self.threads = self.prefill_threads = self.all_threads = plan.threads
        layers = llama.llama_model_n_layer(model)
        self.on_processor = plan.gpu_layers <= layers or plan.cpu_experts > 0
        """Whether the processor computes a part of each token."""
        # How many steps of about the longest length a batch has, between which it can be stopped: the processor asks
        # after each operation, and a layer's longest, one of three experts' matrices, takes less than a third of its
        # time. A graphics card never asks.
        self.steps_of_a_batch = 1 if plan.gpu_layers else 3 * llama.llama_model_n_layer(model)
        self._window = llama.llama_model_n_swa(model)
        if self._window >= self.size:  # nothing ever leaves it
            self._window = 0
        # Everything that was read is run into one state: no batch can be taken back, an aborted one has spoilt it.
        self.is_recurrent: bool = _state.llama_model_is_recurrent(model) or _state.llama_model_is_hybrid(model)
        self.needs_windows = self._window > 0 or self.is_recurrent
        """Whether `trim` alone does not do."""
        self._noted_windows = ((0, 0), (0, 0))

    def close(self) -> None:
        """Free the memory."""
        if not self._closed:
            self._closed = True
            llama.llama_free(self._context)

    def use_adapters(self, adapters: Sequence[tuple[Any, float]]) -> None:
        """Let LoRA adapters (handles of the model's, and how strongly each counts) take part from now on."""
        if not adapters:
            return
        handles = (_state.llama_adapter_lora_p_ctypes * len(adapters))(*(handle for handle, _ in adapters))
        scales = (ctypes.c_float * len(adapters))(*(scale for _, scale in adapters))
        status = _state.llama_set_adapters_lora(self._context, handles, len(adapters), scales)
        if status != 0:
            raise RuntimeError(f"llama_set_adapters_lora returned {status}")

    def use_threads(self, threads: int) -> None:
        """Decode the next tokens with so many. With flash attention and 512 tokens or more that changes their logits'
        last bits: llama.cpp divides the KV cache among the threads.
        """
        if threads != self.threads:
            self.threads = threads
            log.debug("decoding with threads: %d", threads)
            llama.llama_set_n_threads(self._context, threads, self.prefill_threads)

    def use_prefill_threads(self, threads: int) -> None:
        """Read the next slices with so many, which changes no bit of what they give."""
        if threads != self.prefill_threads:
            self.prefill_threads = threads
            log.debug("reading with threads: %d", threads)
            llama.llama_set_n_threads(self._context, self.threads, threads)

    def clear(self) -> None:
        """Forget everything that was read."""
        llama.llama_memory_clear(self._memory, False)

    def prefill(self, tokens: Sequence[int], abort: Callable[[], bool], *, more: bool = False) -> bool:
        """Read at most ``batch`` tokens. False when ``abort`` said so in between: nothing of them is in memory then
        (llama.cpp takes an aborted batch back). With ``more`` to come nobody asks for the last one's logits, which
        spares the output matrix. Raises UserError when llama.cpp fails.
        """
        self._tokens[: len(tokens)] = tokens
        self._batch.n_tokens = len(tokens)
        self._batch.logits = self._none if more else None  # none said: the last one's

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
            self._batch.logits = None
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

    def window_state(self) -> bytearray:
        """The part of the memory that cannot be trimmed, as it is now: the sliding window, a recurrent state."""
        return self._state(_WINDOW)

    def note_window(self, read: int) -> None:
        """Note how large the window's state is with ``read`` tokens in memory; said at two lengths at least."""
        size = _state.llama_state_seq_get_size_ext(self._context, 0, _WINDOW)
        self._noted_windows = (self._noted_windows[-1], (read, size))

    def window_bytes(self, length: int) -> int:
        """How large `window_state`'s result is with ``length`` tokens, about: it grows until the window is full."""
        (before, smaller), (read, size) = self._noted_windows
        growth = (size - smaller) // max(1, read - before)
        return size + growth * (min(length, self._window) - read) if self._window else size

    def restore_window(self, state: Bytes) -> bool:
        """Bring back the window of an earlier moment of the same sequence; then `trim` to that moment's length."""
        spread_out = spread(state, ring_size(self.size, self._window, self.batch)) if self._window else None
        return self._restore(spread_out or state, _WINDOW)

    @property
    def state_bytes(self) -> int:
        """The size of `state`'s result."""
        return _state.llama_state_seq_get_size_ext(self._context, 0, 0)

    def state(self) -> bytearray:
        """The whole memory of the sequence: KV cache and window."""
        return self._state(0)

    def restore(self, state: Bytes) -> bool:
        """Put `state`'s result in place of what is in memory; False when llama.cpp does not take it."""
        self.clear()
        return self._restore(state, 0)

    def _state(self, flags: int) -> bytearray:
        size = _state.llama_state_seq_get_size_ext(self._context, 0, flags)
        state = bytearray(size)
        written = _state.llama_state_seq_get_data_ext(self._context, _pointer(state), size, 0, flags)
        del state[written:]
        return state

    def _restore(self, state: Bytes, flags: int) -> bool:
        if not len(state):
            return False
        return _state.llama_state_seq_set_data_ext(self._context, _pointer(state), len(state), 0, flags) > 0

    def sampler(self, sampling: Sampling, seed: int) -> "LlamaSampler":
        """A sampler for one answer; close it."""
        from app.engine.llama.sampler import LlamaSampler  # brings numpy, which the child's hello need not wait for

        return LlamaSampler(self._context, self._n_vocab, sampling, seed)


def _pointer(state: Bytes) -> Any:
    """Where a buffer's bytes are; one that is neither bytes nor writable is copied."""
    if isinstance(state, bytes):
        return ctypes.cast(ctypes.c_char_p(state), ctypes.POINTER(ctypes.c_uint8))
    kind = ctypes.c_uint8 * len(state)
    return kind.from_buffer_copy(state) if memoryview(state).readonly else kind.from_buffer(state)
