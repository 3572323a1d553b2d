"""llama.cpp's low-level API: processor variants, model, vocabulary, context, samplers. The only importer of llama_cpp,
and imported in the child only.
"""

import ctypes
import importlib.util
import logging
import math
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.domain.errors import ErrorCode, UserError
from app.domain.generation import Sampling
from app.domain.printable import printable
from app.engine.load_errors import load_error
from app.engine.long_runs import bounded_runs

# The package's own front door imports numpy, jinja2 and more for its class Llama, which nothing here uses: 0.9 s
# instead of 0.1 s, and some 30 MB. An empty package in its place leaves its modules importable.
_spec = importlib.util.find_spec("llama_cpp")
if _spec is not None and "llama_cpp" not in sys.modules:
    sys.modules["llama_cpp"] = importlib.util.module_from_spec(_spec)

from llama_cpp import llama_cpp as llama  # noqa: E402

log = logging.getLogger("alcove.engine.llama")

PREFILL_SLICE = 256
"""Tokens read between two looks for a cancel. Fixed, never timed: another split moves logits."""

PENALTY_WINDOW = 64
"""How many of the last generated tokens the repeat penalty looks at."""

# Reports AMX where the hypervisor does not give it, and dies on it; nothing short of running it can tell.
REFUSED_VARIANTS = frozenset({"sapphirerapids"})

# ggml_log_level, from ggml.h
_LOG_DEBUG = 1
_LOG_ERROR = 4
_LOG_CONTINUED = 5

# Its symbols follow dependencies; a library opened anew could bring a second registry.
_ggml: Any = llama._lib  # pyright: ignore[reportPrivateUsage]
_ggml.ggml_backend_load.argtypes = [ctypes.c_char_p]
_ggml.ggml_backend_load.restype = ctypes.c_void_p
_ggml.ggml_backend_reg_count.restype = ctypes.c_size_t


class LlamaLog:
    """Takes llama.cpp's log lines to Python's logging and keeps the last errors: they are all it says of a failure."""

    def __init__(self) -> None:
        self.errors: deque[str] = deque(maxlen=20)
        self._line = ""
        self._level = 0
        self._callback: Any = llama.llama_log_callback(self._take)
        llama.llama_log_set(self._callback, ctypes.c_void_p(0))

    def _take(self, level: int, text: bytes | None, _user_data: object) -> None:
        if level != _LOG_CONTINUED:
            self._level = level
        self._line += (text or b"").decode("utf-8", "replace")
        if not self._line.endswith("\n"):
            return
        line, self._line = self._line.rstrip(), ""
        if self._level == _LOG_ERROR:
            self.errors.append(line)
            log.error("%s", line)
        elif self._level != _LOG_DEBUG:  # a line for every tensor and every slice
            log.debug("%s", line)


def load_backends(variant: str = "") -> tuple[str, ...]:
    """Load the processor variant that suits this machine best, or the named one, and every other backend there is.

    Returns the names of what was loaded, the processor's first. Raises UserError when no processor variant loads.
    """
    llama.llama_backend_init()
    folder = Path(llama._base_path)  # pyright: ignore[reportPrivateUsage]
    loaded: list[str] = []
    for _, name, path in _processor_variants(folder, variant):
        if _ggml.ggml_backend_load(os.fsencode(path)):
            loaded.append(f"cpu-{name}")
            break
    if not loaded and _ggml.ggml_backend_reg_count():
        loaded.append("cpu")  # a build without plug-ins has its backends inside
    if not loaded:
        raise UserError(ErrorCode.ENGINE_START_FAILED, reason="no part for this processor")
    for path in sorted(folder.glob("*ggml-*")):
        name = path.name.removeprefix("lib").removeprefix("ggml-").partition(".")[0]
        if name != "base" and not name.startswith("cpu") and _ggml.ggml_backend_load(os.fsencode(path)):
            loaded.append(name)
    return tuple(loaded)


def _processor_variants(folder: Path, wanted: str) -> list[tuple[int, str, Path]]:
    """(score, name, file), best first; the wanted one alone when it is there and this processor can run it."""
    found: list[tuple[int, str, Path]] = []
    for path in folder.glob("*ggml-cpu*"):
        name = path.name.removeprefix("lib").removeprefix("ggml-cpu").partition(".")[0].removeprefix("-")
        score = getattr(ctypes.CDLL(str(path)), "ggml_backend_score", None)
        points = int(score()) if score is not None else 1
        if points and name not in REFUSED_VARIANTS:
            found.append((points, name, path))
    return [entry for entry in found if entry[1] == wanted] or sorted(found, reverse=True)


class LlamaModel:
    """A loaded model and its vocabulary. ``close()`` gives its memory back."""

    def __init__(self, path: Path, gpu_layers: int, messages: LlamaLog, progress: Callable[[float], bool]) -> None:
        """Load. ``progress`` gets fractions from 0 to 1 and returns False to give up.

        Raises UserError, and LoadCancelled after a False.
        """
        cancelled = False

        def report(fraction: float, _user_data: object) -> bool:
            nonlocal cancelled
            cancelled = cancelled or not progress(fraction)
            return not cancelled

        callback = llama.llama_progress_callback(report)
        parameters = llama.llama_model_default_params()
        parameters.n_gpu_layers = gpu_layers
        # Repacking makes prefill a third faster, but the weights stand twice then: mapped and repacked.
        parameters.use_extra_bufts = False
        parameters.progress_callback = callback
        messages.errors.clear()
        model = llama.llama_model_load_from_file(os.fsencode(path), parameters)
        if model and cancelled:  # said after the last report
            llama.llama_model_free(model)
        if cancelled:
            raise LoadCancelledError
        vocab = llama.llama_model_get_vocab(model) if model else None
        if model is None or vocab is None:
            raise load_error(path, list(messages.errors))
        self._model = model
        self._vocab = vocab
        self._closed = False
        self.n_tokens = llama.llama_vocab_n_tokens(vocab)
        self.trained_context = llama.llama_model_n_ctx_train(model)
        self.weight_bytes = llama.llama_model_size(model)
        self.architecture = self.metadata("general.architecture")
        self.name = self.metadata("general.name") or path.stem
        self._special_tokens = self._find_special_tokens()

    def close(self) -> None:
        """Free the weights; contexts must be closed before."""
        if not self._closed:
            self._closed = True
            llama.llama_model_free(self._model)
            trim = getattr(_ggml, "malloc_trim", None)  # glibc keeps what was freed, some 20 MB at times
            if trim is not None:
                trim(0)

    def metadata(self, key: str) -> str:
        """A value of the file's metadata as text that is safe to show, "" when it has none."""
        read: Any = llama.llama_model_meta_val_str
        size = read(self._model, key.encode(), ctypes.create_string_buffer(1), 1)
        if size < 0:
            return ""
        buffer = ctypes.create_string_buffer(size + 1)
        read(self._model, key.encode(), buffer, size + 1)
        return printable(buffer.value.decode("utf-8", "replace"))

    # ---- Vocabulary ----

    def tokenize(self, text: str) -> list[int]:
        """Tokens of plain text; names of true control tokens in it stay text. Never adds a beginning or an end."""
        tokens: list[int] = []
        for part in bounded_runs(text):
            tokens += self._tokenize(part.encode("utf-8", "replace"))
        return tokens

    def _tokenize(self, data: bytes) -> list[int]:
        tokens = (llama.llama_token * (len(data) + 1))()
        count = llama.llama_tokenize(self._vocab, data, len(data), tokens, len(tokens), False, False)
        if count < 0:
            raise RuntimeError(f"llama_tokenize returned {count} for {len(data)} bytes")
        return tokens[:count]

    def piece(self, token_id: int) -> bytes:
        """The bytes a token stands for; a control token's name."""
        buffer = ctypes.create_string_buffer(64)
        count = llama.llama_token_to_piece(self._vocab, token_id, buffer, len(buffer), 0, True)
        if count < 0:
            buffer = ctypes.create_string_buffer(-count)
            count = llama.llama_token_to_piece(self._vocab, token_id, buffer, len(buffer), 0, True)
        return buffer.raw[:count]

    @property
    def special_tokens(self) -> Mapping[int, str]:
        """Every control and user-defined token: its id and its name."""
        return self._special_tokens

    def _find_special_tokens(self) -> dict[int, str]:
        special = llama.LLAMA_TOKEN_ATTR_CONTROL | llama.LLAMA_TOKEN_ATTR_USER_DEFINED
        return {
            token: self.piece(token).decode("utf-8", "replace")
            for token in range(self.n_tokens)
            if llama.llama_vocab_get_attr(self._vocab, token) & special
        }

    def ends_generation(self, token: int) -> bool:
        """Whether the model's own metadata calls it an end of generation."""
        return llama.llama_vocab_is_eog(self._vocab, token)

    def context(self, size: int, threads: int) -> "LlamaContext":
        """Make a context for ``size`` tokens. Raises UserError when the memory does not suffice."""
        return LlamaContext(self._model, self.n_tokens, size, threads, self.name)


class LoadCancelledError(Exception):
    """Loading was given up because it was asked to."""


class LlamaContext:
    """The KV cache of one sequence and what decodes into it. Holds its own arrays: a token costs no allocation."""

    def __init__(self, model: Any, n_vocab: int, size: int, threads: int, name: str) -> None:
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = size
        parameters.n_batch = PREFILL_SLICE
        parameters.n_ubatch = PREFILL_SLICE
        parameters.n_threads = threads
        parameters.n_threads_batch = threads
        parameters.swa_full = False
        context = llama.llama_init_from_model(model, parameters)
        if context is None:
            raise UserError(ErrorCode.OUT_OF_MEMORY, name=name)
        self._context = context
        self._n_vocab = n_vocab
        self._closed = False
        self._memory: Any = llama.llama_get_memory(context)
        self._tokens = (llama.llama_token * PREFILL_SLICE)()
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
        """Read at most ``PREFILL_SLICE`` tokens. False when ``abort`` said so in between: what is in memory is then
        undefined, clear it. Raises UserError when llama.cpp fails.
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

    def sampler(self, sampling: Sampling, seed: int) -> "LlamaSampler":
        """A sampler for one answer; close it."""
        return LlamaSampler(self._context, self._n_vocab, sampling, seed)


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
