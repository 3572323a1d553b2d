"""Choosing the next token after what llama.cpp has decoded."""

import ctypes
from typing import Any

import numpy as np

from app.domain.errors import ErrorCode, UserError
from app.domain.generation import Sampling
from app.engine.llama.library import ggml
from app.engine.token_choice import Logits, TokenChoice

# The binding's own declaration makes a pointer object of what is needed as a number.
_logits_address: Any = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)(
    ("llama_get_logits_ith", ggml)
)


class LlamaSampler:
    """Chooses one answer's tokens from the context's logits, where they lie."""

    def __init__(self, context: Any, n_vocab: int, sampling: Sampling, seed: int) -> None:
        """``seed`` is any number; the same one gives the same answer to the same logits."""
        self._context = context
        self._n_vocab = n_vocab
        self._choice = TokenChoice(n_vocab, sampling, seed)
        self._address = 0
        self._logits: Logits = np.empty(0, np.float32)

    def sample(self) -> int:
        """The next token after what was decoded last. Raises UserError when there is no number to go by."""
        address = _logits_address(self._context, -1)  # waits for the graphics card
        if address != self._address:
            if not address:
                raise UserError(ErrorCode.DECODE_FAILED, reason="the model gave no output")
            # llama.cpp's own array, not a copy; it moves when llama.cpp makes room for more of them.
            self._logits = np.frombuffer((ctypes.c_float * self._n_vocab).from_address(address), np.float32)
            self._address = address
        return self._choice.choose(self._logits)

    def close(self) -> None:
        """Let go of llama.cpp's array, before the context is closed."""
        self._address = 0
        self._logits = np.empty(0, np.float32)
