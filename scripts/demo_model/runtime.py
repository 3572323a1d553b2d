"""Runs a GGUF file through llama.cpp's low-level API, for the evaluation: tokenize, logits, answers."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import TracebackType

import llama_cpp.llama_cpp as llama
import numpy as np
from numpy.typing import NDArray

# Its AMX instructions end the process on virtual machines that report them and do not have them.
UNSAFE_VARIANT = "sapphirerapids"
GGML_TYPE_F32 = 0
GGML_TYPE_F16 = 1

_silent = llama.llama_log_callback(lambda level, text, data: None)


def _load_processor_backend() -> None:
    """Loads the best of the processor variants; a build with the backend inside has none and needs none."""
    folder = Path(llama.__file__).parent / "lib"
    variants = [path for path in sorted(folder.glob("*ggml-cpu-*")) if UNSAFE_VARIANT not in path.name]
    if not variants:
        return
    best = max(variants, key=lambda path: ctypes.CDLL(str(path)).ggml_backend_score())
    load = llama._lib.ggml_backend_load
    load.restype, load.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    if not load(str(best).encode()):
        raise OSError(f"llama.cpp could not load {best.name}")


class Runtime:
    """One model and one context. One thread is fastest for a model this small."""

    def __init__(self, path: Path, context: int = 4096, exact: bool = False) -> None:
        """`exact` keeps the cache in F32 and attention unfused, for comparing logits."""
        llama.llama_log_set(_silent, ctypes.c_void_p(0))
        llama.llama_backend_init()
        _load_processor_backend()
        model_parameters = llama.llama_model_default_params()
        model_parameters.n_gpu_layers = 0
        model = llama.llama_model_load_from_file(str(path).encode(), model_parameters)
        if model is None:
            raise OSError(f"llama.cpp could not load {path}")
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = context
        parameters.n_batch = context
        parameters.n_threads = parameters.n_threads_batch = 1
        parameters.type_k = parameters.type_v = GGML_TYPE_F32 if exact else GGML_TYPE_F16
        if exact:
            parameters.flash_attn_type = 0
        made = llama.llama_init_from_model(model, parameters)
        vocabulary = llama.llama_model_get_vocab(model)
        memory = None if made is None else llama.llama_get_memory(made)
        if made is None or vocabulary is None or memory is None:
            raise OSError("llama.cpp could not make a context")
        self._model, self._context, self._vocabulary, self._memory = model, made, vocabulary, memory
        self.vocabulary_size = llama.llama_vocab_n_tokens(self._vocabulary)
        self._batch = llama.llama_batch_init(context, 0, 1)

    def __enter__(self) -> Runtime:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        llama.llama_batch_free(self._batch)
        llama.llama_free(self._context)
        llama.llama_model_free(self._model)

    def tokenize(self, text: str) -> list[int]:
        """Token ids; control-token names in the text become control tokens."""
        data = text.encode()
        ids = (llama.llama_token * (len(data) + 8))()
        count = llama.llama_tokenize(self._vocabulary, data, len(data), ids, len(ids), False, True)
        return list(ids[:count])

    def text(self, ids: list[int]) -> str:
        """The text of tokens, control tokens by name."""
        pieces: list[bytes] = []
        buffer = ctypes.create_string_buffer(256)
        for token in ids:
            size = llama.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, True)
            pieces.append(buffer.raw[:size])
        return b"".join(pieces).decode("utf-8", "replace")

    def _decode(self, ids: list[int], position: int, all_logits: bool = False) -> None:
        batch = self._batch
        batch.n_tokens = len(ids)
        for index, token in enumerate(ids):
            batch.token[index] = token
            batch.pos[index] = position + index
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = 0
            batch.logits[index] = all_logits or index == len(ids) - 1
        status = llama.llama_decode(self._context, batch)
        if status != 0:
            raise RuntimeError(f"llama_decode returned {status}")

    def _clear(self) -> None:
        llama.llama_memory_clear(self._memory, True)

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """Logits after every token of a fresh sequence, (tokens, vocabulary)."""
        self._clear()
        self._decode(ids, 0, all_logits=True)
        pointer = llama.llama_get_logits(self._context)
        flat = np.ctypeslib.as_array(pointer, shape=(len(ids) * self.vocabulary_size,))
        return flat.reshape(len(ids), self.vocabulary_size).copy()

    def generate(self, prompt: str, temperature: float, seed: int, limit: int, stops: frozenset[int]) -> list[int]:
        """The tokens that follow the prompt, up to and including a stop token, at most `limit`."""
        self._clear()
        ids = self.tokenize(prompt)
        random = np.random.default_rng(seed)
        made: list[int] = []
        position, pending = 0, ids
        while len(made) < limit:
            self._decode(pending, position)
            position += len(pending)
            pointer = llama.llama_get_logits_ith(self._context, len(pending) - 1)
            row = np.ctypeslib.as_array(pointer, shape=(self.vocabulary_size,))
            if temperature == 0:
                token = int(row.argmax())
            else:
                # Adding Gumbel noise and taking the largest draws from the softmax.
                token = int((row / temperature + random.gumbel(size=row.shape)).argmax())
            made.append(token)
            if token in stops:
                break
            pending = [token]
        return made
