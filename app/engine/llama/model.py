"""A model file in llama.cpp: its weights and its vocabulary."""

import ctypes
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.domain.load_plan import LoadPlan
from app.domain.printable import printable
from app.engine.adapters import adapter_unfit, check_adapter
from app.engine.llama.context import LlamaContext
from app.engine.llama.library import LlamaLog, device_list, give_back_freed, kept_beside, llama
from app.engine.load_errors import adapter_cause, load_error
from app.engine.long_runs import bounded_runs
from app.engine.protocol import Adapter
from app.gguf.parts import plain_stem

_LOAD_MODES = {
    (False, False): llama.LLAMA_LOAD_MODE_NONE,
    (True, False): llama.LLAMA_LOAD_MODE_MMAP,
    (False, True): llama.LLAMA_LOAD_MODE_MLOCK,
    (True, True): llama.LLAMA_LOAD_MODE_MMAP_MLOCK,
}

# The binding declares ctypes' own classes for plain numbers.
_plain: Any = llama


class LoadCancelledError(Exception):
    """Loading was given up because it was asked to."""


class LlamaModel:
    """A loaded model and its vocabulary. ``close()`` gives its memory back."""

    def __init__(self, path: Path, plan: LoadPlan, messages: LlamaLog, progress: Callable[[float], bool]) -> None:
        """Load. ``progress`` gets fractions from 0 to 1 and returns False to give up.

        Raises UserError, and LoadCancelled after a False.
        """
        cancelled = False

        def report(fraction: float, _user_data: object) -> bool:
            nonlocal cancelled
            cancelled = cancelled or not progress(fraction)
            return not cancelled

        callback = llama.llama_progress_callback(report)
        parameters: Any = llama.llama_model_default_params()
        parameters.n_gpu_layers = plan.gpu_layers
        # Repacking makes prefill faster, but weights that are mapped as well stand twice then.
        parameters.use_extra_bufts = plan.repacked
        parameters.load_mode = _LOAD_MODES[plan.mapped, plan.locked]
        overrides = kept_beside(plan.cpu_experts, output=plan.output_beside)
        parameters.tensor_buft_overrides = ctypes.cast(overrides, ctypes.c_void_p)
        devices = device_list(plan.device)
        parameters.devices = ctypes.cast(devices, ctypes.c_void_p) if devices is not None else None
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
        self.name = self.metadata("general.name") or plain_stem(path)
        self._special_tokens = self._find_special_tokens()
        self._by_words = llama.llama_vocab_type(vocab) == llama.LLAMA_VOCAB_TYPE_BPE
        self._adapters: list[tuple[Any, float]] = []

    def close(self) -> None:
        """Free the weights; contexts must be closed before."""
        if not self._closed:
            self._closed = True
            llama.llama_model_free(self._model)
            give_back_freed()

    def adapt(self, adapters: Sequence[Adapter], messages: LlamaLog) -> None:
        """Load LoRA adapters, which all contexts made afterwards use; freed with the model. Raises UserError."""
        for adapter in adapters:
            path = Path(adapter.path)
            check_adapter(path, self.architecture, self.name)
            messages.errors.clear()
            handle = llama.llama_adapter_lora_init(self._model, os.fsencode(path))
            if not handle:
                raise adapter_unfit(path, self.name, adapter_cause(list(messages.errors)))
            self._adapters.append((handle, adapter.scale))

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
        # SentencePiece's tokenizer has no regular expression, and would put a space before every part.
        tokens: list[int] = []
        for part in bounded_runs(text) if self._by_words else (text,):
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

    def is_control(self, token_id: int) -> bool:
        """Whether it is a control token; the other special ones are user-defined."""
        return bool(llama.llama_vocab_get_attr(self._vocab, token_id) & llama.LLAMA_TOKEN_ATTR_CONTROL)

    def swallows_space(self, token_id: int) -> bool:
        """Whether the space behind this special token counts for nothing (Phi 3)."""
        return bool(llama.llama_vocab_get_attr(self._vocab, token_id) & llama.LLAMA_TOKEN_ATTR_RSTRIP)

    @property
    def begin_token(self) -> int | None:
        """What the vocabulary calls the beginning of a text (BOS)."""
        return _token_or_none(int(_plain.llama_vocab_bos(self._vocab)))

    @property
    def end_token(self) -> int | None:
        """What the vocabulary calls the end of a text (EOS)."""
        return _token_or_none(int(_plain.llama_vocab_eos(self._vocab)))

    @property
    def first_token(self) -> int | None:
        """What every prompt of this model begins with, if its metadata says so."""
        return self.begin_token if llama.llama_vocab_get_add_bos(self._vocab) else None

    @property
    def chat_template(self) -> str:
        """The Jinja source of the model's chat template, "" when it has none. A program by whoever made the file."""
        source: bytes | None = llama.llama_model_chat_template(self._model, None)
        return (source or b"").decode("utf-8", "replace")

    def context(self, plan: LoadPlan) -> LlamaContext:
        """Make a context; the plan's size and threads are filled in. Raises UserError when the memory does not
        suffice.
        """
        context = LlamaContext(self._model, self.n_tokens, plan, self.name)
        context.use_adapters(self._adapters)
        return context


def _token_or_none(token: int) -> int | None:
    return None if token == llama.LLAMA_TOKEN_NULL else token
