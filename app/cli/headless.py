"""An engine child driven straight from a terminal command: no window, no threads, nothing stored."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self, TextIO

from app.domain.conversation import Dialogue
from app.domain.errors import UserError
from app.domain.generation import Sampling
from app.engine.client import EngineClient, EngineLost
from app.engine.failures import error_of
from app.engine.model_loading import ModelLoading, Target
from app.engine.plan_memory import PlanMemory
from app.engine.protocol import (
    AnswerText,
    Cancel,
    CommentaryText,
    Failed,
    Finished,
    Generate,
    Hello,
    Load,
    Loaded,
    LoadProgress,
    PrefillProgress,
    ReasoningText,
    Render,
    Rendered,
    ToolCalled,
)
from app.engine.variants import ProcessorVariants
from app.resources import DEMO_MODEL

GenerationEvent = PrefillProgress | ReasoningText | CommentaryText | AnswerText | ToolCalled | Finished

_TICK_S = 0.1


class HeadlessEngine:
    """Loads one model and runs one request after another on it.

    Ctrl+C cancels the running generation, which then ends with ``Finished(cancelled)`` and sets ``interrupted``;
    while loading, or a second time, it raises ``KeyboardInterrupt``. When the child dies, the request ends in a
    ``UserError`` and the next one starts a new child.
    """

    def __init__(
        self, log_file: Path | None = None, cache_folder: Path | None = None, plans_file: Path | None = None
    ) -> None:
        """``cache_folder`` remembers which variant of llama.cpp runs on this processor; the first time it is found.

        ``plans_file`` remembers which ways to load a model work.
        """
        self._log_file = log_file
        self._cpu_variant = ProcessorVariants(cache_folder, DEMO_MODEL).choose()
        self._memory = PlanMemory(plans_file)
        self._graphics = True
        self._client = self._new_client()
        self._hello: Hello | None = None
        self._lost = False
        self._target: Target | None = None
        self._ids = count(1)
        self._presses = 0
        self.interrupted = False

    def __enter__(self) -> Self:
        self._client.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def load(self, target: Target, progress: TextIO) -> Loaded:
        """Load a model; when that fails, once more in a safer way, which is said on ``progress``.

        A percentage is shown when that is a terminal. Raises ``UserError``.
        """
        self._target = target
        loading = ModelLoading(target, self._memory)
        with self._catching_interrupts():
            while True:
                try:
                    hello = self._greeting()
                    if not loading.begun:
                        loading.begin(hello.hardware, hello.backends)
                    loaded = self._loaded(loading.load(next(self._ids)), progress)
                    break
                except UserError as error:
                    if not loading.fails(error):
                        raise
                    self._restart()
        loading.works()
        for notice in loading.notices:
            print(f"alcove: {notice}", file=progress)
        return loaded

    def _loaded(self, request: Load, progress: TextIO) -> Loaded:
        """One try to load. Raises UserError when it fails."""
        self._client.send(request)
        while True:
            event = self._next(request.request_id)
            if self._presses:
                raise KeyboardInterrupt
            if isinstance(event, LoadProgress) and progress.isatty():
                print(f"\rLoading the model: {event.fraction:4.0%}", end="", file=progress, flush=True)
            elif isinstance(event, Loaded):
                if progress.isatty():
                    print("\r\x1b[K", end="", file=progress, flush=True)
                return event

    def _greeting(self) -> Hello:
        """What the child says of the machine. Raises UserError when it dies before its first word."""
        while self._hello is None:
            try:
                event = self._next(0)
            except UserError:
                # Before its first word a child does little but load the drivers of graphics cards.
                if not self._graphics:
                    raise
                self._graphics = False
                self._restart()
                continue
            if self._presses:
                raise KeyboardInterrupt
            if isinstance(event, Hello):
                self._hello = event
        return self._hello

    def _new_client(self) -> EngineClient:
        return EngineClient(self._log_file, cpu_variant=self._cpu_variant, graphics=self._graphics)

    def _restart(self) -> None:
        self._client.close()
        self._client = self._new_client()
        self._client.start()
        self._hello = None
        self._lost = False

    def generate(self, dialogue: Dialogue, sampling: Sampling) -> Iterator[GenerationEvent]:
        """The events of an answer, ``Finished`` last. Raises ``UserError`` when it cannot start or breaks off."""
        self._revive()
        request = Generate(next(self._ids), dialogue, sampling)
        with self._catching_interrupts():
            self._client.send(request)
            cancelled = False
            while True:
                event = self._next(request.request_id)
                if self._presses and not cancelled:
                    cancelled = self.interrupted = True
                    self._client.send(Cancel(request.request_id))
                elif self._presses > 1:
                    raise KeyboardInterrupt
                if isinstance(event, GenerationEvent):
                    yield event
                if isinstance(event, Finished):
                    return

    def render(self, dialogue: Dialogue) -> Rendered:
        """The exact prompt of ``dialogue``. Raises ``UserError``."""
        request = Render(next(self._ids), dialogue)
        with self._catching_interrupts():
            self._client.send(request)
            while True:
                event = self._next(request.request_id)
                if self._presses:
                    raise KeyboardInterrupt
                if isinstance(event, Rendered):
                    return event

    def _revive(self) -> None:
        """After the child's death: a new one, with the same model."""
        if self._lost and self._target is not None:
            self._restart()
            self.load(self._target, sys.stderr)

    def _next(self, request_id: int) -> object:
        """The next event of this request, or None after a short while."""
        event = self._client.receive(_TICK_S)
        if isinstance(event, EngineLost):
            self._lost = True
            raise UserError(event.code, reason=event.reason)
        if isinstance(event, Failed) and event.request_id == request_id:
            raise error_of(event)
        if getattr(event, "request_id", request_id) != request_id:
            return None
        return event

    @contextmanager
    def _catching_interrupts(self) -> Iterator[None]:
        """Counts Ctrl+C instead of raising it anywhere: a pipe must not be left in the middle of a frame."""
        self._presses = 0

        def count_press(_number: int, _frame: FrameType | None) -> None:
            self._presses += 1

        before = signal.signal(signal.SIGINT, count_press)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
