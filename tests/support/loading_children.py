"""Children that fail in the middle of loading, as entries for ``EngineClient``: the real child, but for that.

"Large" is a plan with more than `MODEST` tokens of context, which is what the planner wants for the demo model; its
safer plans have less.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.domain.errors import ErrorCode, UserError
from app.domain.hardware import Device, DeviceKind, Hardware
from app.engine import child
from app.engine.child import ChildOptions
from app.engine.frames import PipeEnd

MODEST = 8192
CARD = "A card"


def crashes_when_large(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """Dies like a driver does."""
    _before_loading(lambda plan, _: os.abort() if plan.context > MODEST else None)
    child.run(requests, events, options)


def always_crashes(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """Dies whatever the plan is."""
    _before_loading(lambda plan, _: os.abort())
    child.run(requests, events, options)


def lacks_memory_when_large(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """Says that it does not fit."""

    def refuse(plan: Any, _: Any) -> None:
        if plan.context > MODEST:
            raise UserError(ErrorCode.OUT_OF_MEMORY, name="the model")

    _before_loading(refuse)
    child.run(requests, events, options)


def crashes_then_loads_slowly(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """Dies with a large plan, and takes ten seconds for a smaller one, in which it can be stopped."""
    from app.engine.llama.model import LoadCancelledError

    def behave(plan: Any, progress: Callable[[float], bool]) -> None:
        if plan.context > MODEST:
            os.abort()
        for step in range(200):
            time.sleep(0.05)
            if not progress(step / 200):
                raise LoadCancelledError

    _before_loading(behave)
    child.run(requests, events, options)


def first_decode_crashes_when_large(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """Loads, and dies of the first tokens."""
    from app.engine.llama.context import LlamaContext

    prefill = LlamaContext.prefill

    def dying_prefill(self: LlamaContext, *args: Any, **named: Any) -> bool:
        if self.size > MODEST:
            os.abort()
        return prefill(self, *args, **named)

    LlamaContext.prefill = dying_prefill  # type: ignore[method-assign]
    child.run(requests, events, options)


def driver_kills_it(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """Dies before its first word, as long as it may touch the graphics cards' drivers."""
    if options.graphics:
        os.abort()
    child.run(requests, events, options)


def _before_loading(act: Callable[[Any, Callable[[float], bool]], None]) -> None:
    from app.engine.llama.model import LlamaModel

    load = LlamaModel.__init__

    def behaving_load(self: LlamaModel, path: Any, plan: Any, messages: Any, progress: Any) -> None:
        act(plan, progress)
        load(self, path, plan, messages, progress)

    LlamaModel.__init__ = behaving_load  # type: ignore[method-assign]


def has_a_card(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """Sees a graphics card beside what there is, and plans for it; what runs there runs on the processor."""
    look = child._look  # pyright: ignore[reportPrivateUsage]
    card = Device("CUDA0", CARD, DeviceKind.GRAPHICS, "CUDA", 12 << 30, 11 << 30)

    def see_more() -> Hardware:
        seen = look()
        return replace(seen, devices=(card, *seen.devices))

    child._look = see_more  # pyright: ignore[reportPrivateUsage]
    child.run(requests, events, options)


def says_nothing(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """Waits for the end of its pipe."""
    requests.recv_bytes()


STARVED_BYTES = 100 << 20
"""A fifth of it is enough for a chat memory of `MODEST` tokens, 1.8 times as much is not for one of 131,072."""


def starved(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """Really has little memory from the load on: the address space may grow by so many bytes and no more."""
    import resource

    def limit(_plan: Any, _progress: Any) -> None:
        import app.engine.llama.sampler  # noqa: F401 - with numpy, which is being imported beside this

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + STARVED_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    _before_loading(limit)
    child.run(requests, events, options)
