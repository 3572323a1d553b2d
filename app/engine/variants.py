"""Which of llama.cpp's processor variants this machine really runs: tried once in a throw-away child, then remembered.

A variant's own score says what the processor reports, and some report what they do not give (virtual machines with AMX,
for one). Only running it tells, and a wrong guess ends the process.
"""

import hashlib
import importlib.util
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Protocol

import msgspec

from app import __version__
from app.domain.errors import UserError
from app.engine import variant_trial
from app.engine.client import describe_exit, sigint_held_back
from app.engine.frames import PipeEnd
from app.engine.processor import processor_identity
from app.engine.variant_trial import FINE, Trial
from app.files.atomic import write_atomically

FILE_NAME = "processor-variant.json"

START_S = 60.0
"""The longest time until a child has started and loaded llama.cpp; a cold disk and a virus scanner may take most."""

PATIENCE_S = 30.0
"""The longest time of a trial, which takes a fifth of a second on a quiet machine."""

_MAX_WORD_BYTES = 100

log = logging.getLogger("alcove.engine.variants")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is remembered: the variant, and what it was found under."""

    key: str
    variant: str


Entry = Callable[[PipeEnd, Trial], None]


class Words(PipeEnd, Protocol):
    """The end of a pipe that can be waited for."""

    def poll(self, timeout: float) -> bool: ...


class ProcessorVariants:
    """Finds the best variant that works. ``choose`` and ``close`` from any thread."""

    def __init__(
        self,
        cache_folder: Path | None,
        model: Path,
        *,
        patience_s: float = PATIENCE_S,
        entry: Entry = variant_trial.run,
    ) -> None:
        """``cache_folder`` keeps the result, None keeps it in this object alone; ``model`` is a small one to try."""
        self._file = cache_folder / FILE_NAME if cache_folder is not None else None
        self._model = model
        self._patience_s = patience_s
        self._entry = entry
        self._choosing = threading.Lock()
        self._chosen: str | None = None
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._closed = False

    def choose(self) -> str:
        """The variant's name for ``ChildOptions.cpu_variant``; "" leaves the choice to the engine child.

        The first time on a machine it takes half a second, and more when variants fail; afterwards a millisecond.
        """
        with self._choosing:
            if self._chosen is None:
                key = _key()
                self._chosen = self._recall(key)
                if self._chosen is None and (found := self._search()) is not None:
                    self._chosen = found
                    self._keep(key, found)
            return self._chosen or ""

    def close(self) -> None:
        """End a trial that runs; ``choose`` then returns at once."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    # ---- Trials ----

    def _search(self) -> str | None:
        """Try variants, best first, until one works. None when there is none, and after ``close``."""
        failed: list[str] = []
        if not self._model.is_file():  # otherwise every variant would seem to fail
            log.warning("no processor variant is tried: there is no %s", self._model)
            return None
        while True:
            started = time.monotonic()
            name, trouble = self._try(tuple(failed))
            if self._closed or not name:
                log.warning("no processor variant was chosen: %s", trouble or "there is none")
                return None
            if not trouble:
                log.info("processor variant %s works, found in %.2f s", name, time.monotonic() - started)
                return name
            log.warning("processor variant %s does not work here: %s", name, trouble)
            failed.append(name)

    def _try(self, failed: tuple[str, ...]) -> tuple[str, str]:
        """The best variant that has not failed, and what went wrong with it ("" when nothing did)."""
        context = multiprocessing.get_context("spawn")
        words, says = context.Pipe(duplex=False)
        process = context.Process(
            target=self._entry, args=(says, Trial(str(self._model), failed)), name="alcove-variant", daemon=True
        )
        try:
            with self._lock:
                if self._closed:
                    return "", "the program ends"
                with sigint_held_back():
                    process.start()
                self._process = process
            says.close()
            name = self._word(words, START_S)
            word = self._word(words, self._patience_s) if name else name
            if word == FINE:
                return name or "", ""
            if word is None:
                return name or "", "it hangs"
            process.join(self._patience_s)
            return name or "", describe_exit(process.exitcode)
        except OSError as error:
            return "", f"the process could not be started: {error}"
        finally:
            with self._lock:
                self._process = None
            if process.pid is not None:
                process.kill()
                process.join()
                process.close()
            says.close()
            words.close()

    def _word(self, words: Words, patience_s: float) -> str | None:
        """What the child says next; "" when it is at its end, None when it says nothing for too long."""
        try:
            if not words.poll(patience_s):
                return None
            return words.recv_bytes(_MAX_WORD_BYTES).decode("ascii", "replace")
        except (EOFError, OSError):
            return ""

    # ---- Memory ----

    def _recall(self, key: str) -> str | None:
        if self._file is None:
            return None
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=Finding)
        except (OSError, msgspec.DecodeError):
            return None
        return kept.variant if kept.key == key else None

    def _keep(self, key: str, variant: str) -> None:
        if self._file is None:
            return
        try:
            write_atomically(self._file, msgspec.json.encode(Finding(key, variant)))
        except UserError as error:  # it is found again at the next start
            log.warning("the processor variant is not remembered: %s", error)


def _key() -> str:
    """Another one when the processor, Alcove or llama.cpp's libraries are other ones."""
    parts = [processor_identity(), __version__]
    folder = library_folder()
    if folder is not None and folder.is_dir():
        for path in sorted(folder.iterdir()):
            status = path.stat()
            parts.append(f"{path.name} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def library_folder() -> Path | None:
    """Where llama.cpp's libraries are, found without loading them; None when they are not installed."""
    if override := os.environ.get("LLAMA_CPP_LIB_PATH"):  # the binding's own variable
        return Path(override)
    package = importlib.util.find_spec("llama_cpp")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "lib"
