"""The throw-away child that runs one processor variant of llama.cpp, to see whether it survives. Started by `variants`.

It says the variant's name before it loads it and one more word when everything went well; what it does not say, its end
tells.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.domain.load_plan import LoadPlan
from app.engine.child import die_with_parent, spin_briefly
from app.engine.frames import PipeEnd

if TYPE_CHECKING:
    from app.engine.llama.library import LlamaLog

FINE = "fine"

PROMPT_TOKENS = 320
"""Read at once: matrix by matrix, other code runs than token by token."""

DECODED_TOKENS = 48

# SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX, from errhandlingapi.h
_NO_BOXES = 0x0001 | 0x0002


@dataclass(frozen=True, slots=True)
class Trial:
    """What to try: the best variant that is not among ``failed``, with a small model."""

    model: str
    failed: tuple[str, ...] = ()


def run(words: PipeEnd, trial: Trial) -> None:
    """The child's life. Says nothing at all when no variant is left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    _die_quietly()
    spin_briefly()
    from app.engine.llama.backends import load_variant, variants
    from app.engine.llama.library import LlamaLog

    messages = LlamaLog()
    left = [variant for variant in variants() if variant.name not in trial.failed]
    if left:
        words.send_bytes(left[0].name.encode())
        if not load_variant(left[0]):
            os._exit(1)
        run_model(Path(trial.model), messages)
        words.send_bytes(FINE.encode())
    os._exit(0)


def run_model(path: Path, messages: "LlamaLog") -> None:
    """Read and decode with the model as it is, and with its weights in gpt-oss's own types, laid out both ways.

    Raises UserError when llama.cpp reports a failure.
    """
    from app.engine.llama.quantize import to_mxfp4

    _run_plans(path, [LoadPlan()], messages)
    with tempfile.TemporaryDirectory(prefix="alcove-variant-") as folder:
        smaller = Path(folder) / "trial.gguf"
        to_mxfp4(path, smaller)
        # Read, not mapped: Windows does not remove a file that is mapped.
        _run_plans(smaller, [LoadPlan(mapped=False), LoadPlan(mapped=False, repacked=True)], messages)


def _run_plans(path: Path, plans: Sequence[LoadPlan], messages: "LlamaLog") -> None:
    from app.engine.llama.model import LlamaModel

    for plan in plans:
        model = LlamaModel(path, plan, messages, lambda _: True)
        context = model.context(LoadPlan(context=PROMPT_TOKENS + DECODED_TOKENS, threads=1, batch=PROMPT_TOKENS))
        tokens = [number * 37 % model.n_tokens for number in range(PROMPT_TOKENS + DECODED_TOKENS)]
        context.prefill(tokens[:PROMPT_TOKENS], lambda: False)
        for token in tokens[PROMPT_TOKENS:]:
            context.decode(token)
        context.close()
        model.close()


def _die_quietly() -> None:
    """No memory dump, no error box, nothing on the terminal: the end of this process is an answer, not a failure."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetErrorMode(_NO_BOXES)
    else:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
