"""llama.cpp's backends, each in a library of its own: the processor's in many variants, graphics cards' as plug-ins."""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import ErrorCode, UserError
from app.engine.llama.library import LlamaLog, ggml, llama

# Reports AMX where the hypervisor does not give it, and dies on it; nothing short of running it can tell.
REFUSED_VARIANTS = frozenset({"sapphirerapids"})

_SUFFIXES = frozenset({".so", ".dll", ".dylib"})

ggml.ggml_backend_load.argtypes = [ctypes.c_char_p]
ggml.ggml_backend_load.restype = ctypes.c_void_p
ggml.ggml_backend_reg_count.restype = ctypes.c_size_t
ggml.ggml_backend_reg_dev_count.argtypes = [ctypes.c_void_p]
ggml.ggml_backend_reg_dev_count.restype = ctypes.c_size_t


@dataclass(frozen=True, slots=True)
class Variant:
    """The processor's backend, compiled for one generation of processors. ``score`` is llama.cpp's, higher better."""

    name: str
    score: int
    path: Path


def variants() -> list[Variant]:
    """The variants that, by what the processor reports, run on it: best first."""
    found: list[Variant] = []
    for path in _libraries("cpu"):
        name = _name(path).removeprefix("cpu").removeprefix("-")
        score = getattr(ctypes.CDLL(str(path)), "ggml_backend_score", None)
        points = int(score()) if score is not None else 1
        if points and name not in REFUSED_VARIANTS:
            found.append(Variant(name, points, path))
    return sorted(found, key=lambda variant: (variant.score, variant.name), reverse=True)


def load_variant(variant: Variant) -> bool:
    """Load the processor's backend; False when llama.cpp does not take it."""
    llama.llama_backend_init()
    return bool(ggml.ggml_backend_load(os.fsencode(variant.path)))


def load_backends(messages: LlamaLog, wanted: str = "", *, graphics: bool = True) -> tuple[str, ...]:
    """Load the named processor variant, or the one that suits this machine best, and every other backend there is.

    A plug-in whose driver is not there is left out without a word, and so is every one without ``graphics``. Returns
    the names of what was loaded, the processor's first. Raises UserError when no processor variant loads.
    """
    llama.llama_backend_init()
    choice = variants()
    choice = [variant for variant in choice if variant.name == wanted] or choice
    variant = next((variant for variant in choice if load_variant(variant)), None)
    loaded = [f"cpu-{variant.name}"] if variant is not None else []
    if not loaded and ggml.ggml_backend_reg_count():
        loaded = ["cpu"]  # a build without plug-ins has its backends inside
    if not loaded:
        raise UserError(ErrorCode.ENGINE_START_FAILED, reason="no part for this processor")
    if graphics:
        with messages.expecting_failures():
            loaded += [_name(path) for path in _libraries("") if _load_plug_in(path)]
    return tuple(loaded)


def _load_plug_in(path: Path) -> bool:
    """Whether it brought a device."""
    registered = ggml.ggml_backend_load(os.fsencode(path))
    return bool(registered) and ggml.ggml_backend_reg_dev_count(registered) > 0


def _libraries(kind: str) -> list[Path]:
    """The backends' libraries: the processor's for "cpu", all others for ""."""
    folder = Path(llama._base_path)  # pyright: ignore[reportPrivateUsage]
    found = [path for path in sorted(folder.glob("*ggml-*")) if path.suffix in _SUFFIXES and _name(path) != "base"]
    return [path for path in found if _name(path).startswith("cpu") == (kind == "cpu")]


def _name(path: Path) -> str:
    """ "cpu-zen4" of libggml-cpu-zen4.so and of ggml-cpu-zen4.dll."""
    return path.name.removeprefix("lib").removeprefix("ggml-").partition(".")[0]
