"""llama.cpp's library: its functions and its log. The only importer of llama_cpp, in the child only.

``llama`` has the functions of llama.h, ``ggml`` those of ggml's own headers, as far as they were declared here.
"""

import ctypes
import importlib.util
import logging
import sys
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

# The package's own front door imports numpy, jinja2 and more for its class Llama, which nothing here uses: 0.9 s
# instead of 0.1 s, and some 30 MB. An empty package in its place leaves its modules importable.
_spec = importlib.util.find_spec("llama_cpp")
if _spec is not None and "llama_cpp" not in sys.modules:
    sys.modules["llama_cpp"] = importlib.util.module_from_spec(_spec)

from llama_cpp import llama_cpp as llama  # noqa: E402

log = logging.getLogger("alcove.engine.llama")

# ggml_log_level, from ggml.h
_LOG_DEBUG = 1
_LOG_ERROR = 4
_LOG_CONTINUED = 5

# Its symbols follow dependencies; a library opened anew could bring a second registry.
ggml: Any = llama._lib  # pyright: ignore[reportPrivateUsage]
ggml.ggml_version.restype = ctypes.c_char_p
ggml.ggml_commit.restype = ctypes.c_char_p
ggml.ggml_backend_cpu_buffer_type.restype = ctypes.c_void_p
ggml.ggml_backend_dev_by_name.argtypes = [ctypes.c_char_p]
ggml.ggml_backend_dev_by_name.restype = ctypes.c_void_p


class TensorBufferOverride(ctypes.Structure):
    """``llama_model_tensor_buft_override``: tensors whose name fits the pattern go into a buffer of this type."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p))


def kept_beside(expert_layers: int, *, output: bool) -> ctypes.Array[TensorBufferOverride]:
    """Keeps the experts of the first so many layers in the processor's memory, and with ``output`` the output matrix
    (which may be the embedding); ends with an empty entry.
    """
    patterns = [rf"blk\.{layer}\.ffn_(gate|up|down|gate_up)_(ch|)exps" for layer in range(expert_layers)]
    if output:
        patterns.append("^(output|token_embd)")
    overrides = (TensorBufferOverride * (len(patterns) + 1))()
    for place, pattern in enumerate(patterns):
        overrides[place] = TensorBufferOverride(pattern.encode(), ggml.ggml_backend_cpu_buffer_type())
    return overrides


def device_list(name: str) -> ctypes.Array[ctypes.c_void_p] | None:
    """The device of this name as ``llama_model_params.devices`` wants it; None leaves the choice to llama.cpp."""
    device = ggml.ggml_backend_dev_by_name(name.encode()) if name else None
    return (ctypes.c_void_p * 2)(device, None) if device else None


def give_back_freed() -> None:
    """Let the C library return to the system what is free: glibc keeps some 20 MB after a model, and its heap frays
    while answers come and go. Takes about a millisecond.
    """
    trim = getattr(ggml, "malloc_trim", None)
    if trim is not None:
        trim(0)


class LlamaLog:
    """Takes llama.cpp's log lines to Python's logging and keeps the last errors: they are all it says of a failure."""

    def __init__(self) -> None:
        self.errors: deque[str] = deque(maxlen=20)
        self._line = ""
        self._level = 0
        self._expecting = False
        self._callback: Any = llama.llama_log_callback(self._take)
        llama.llama_log_set(self._callback, ctypes.c_void_p(0))

    @contextmanager
    def expecting_failures(self) -> Generator[None]:
        """Errors in here are news for who looks for them, not for a user."""
        self._expecting = True
        try:
            yield
        finally:
            self._expecting = False

    def _take(self, level: int, text: bytes | None, _user_data: object) -> None:
        if level != _LOG_CONTINUED:
            self._level = level
        self._line += (text or b"").decode("utf-8", "replace")
        if not self._line.endswith("\n"):
            return
        line, self._line = self._line.rstrip(), ""
        if self._level == _LOG_ERROR and not self._expecting:
            self.errors.append(line)
            log.error("%s", line)
        elif self._level != _LOG_DEBUG:  # a line for every tensor and every slice
            log.debug("%s", line)


def engine_name() -> str:
    """Which llama.cpp this is: ggml's version and the commit it was built from."""
    return f"ggml {ggml.ggml_version().decode()} {ggml.ggml_commit().decode()}"
