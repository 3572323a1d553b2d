"""Children that misbehave, as entries for ``EngineClient``. Each runs in a real process of its own."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from app.engine import child
from app.engine.child import ChildOptions
from app.engine.frames import PipeEnd, event_codec
from app.engine.protocol import Event, Heartbeat, Hello, LoadProgress, Settled


def _hello(events: PipeEnd) -> None:
    events.send_bytes(event_codec().encode(Hello(os.getpid(), ("fake",))))


def _write(events: PipeEnd, data: bytes) -> None:
    os.write(events.fileno(), data)  # type: ignore[attr-defined]


def _wait_for_the_end(requests: PipeEnd) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            requests.recv_bytes()


def random_bytes(requests: PipeEnd, events: PipeEnd, _options: ChildOptions) -> None:
    """After a proper hello, noise."""
    _hello(events)
    _write(events, b"\x7f" + random.Random(1).randbytes(4096))
    _wait_for_the_end(requests)


def negative_length(requests: PipeEnd, events: PipeEnd, _options: ChildOptions) -> None:
    """A frame of minus two bytes."""
    _write(events, b"\xff\xff\xff\xfe")
    _wait_for_the_end(requests)


def frame_of_noise(requests: PipeEnd, events: PipeEnd, _options: ChildOptions) -> None:
    """A frame of an honest length with noise inside."""
    events.send_bytes(random.Random(2).randbytes(300))
    _wait_for_the_end(requests)


def wrong_types(requests: PipeEnd, events: PipeEnd, _options: ChildOptions) -> None:
    """JSON of the right shape with a text where a number belongs."""
    _hello(events)
    events.send_bytes(b'{"type": "load_progress", "body": {"request_id": "1", "fraction": 0.5}}')
    _wait_for_the_end(requests)


def a_pickle(requests: PipeEnd, events: PipeEnd, _options: ChildOptions) -> None:
    """What a taken-over child would send if the window unpickled: it would end the window's process."""
    events.send_bytes(b"\x80\x04cos\n_exit\nK\x07\x85R.")
    _wait_for_the_end(requests)


def half_a_frame(requests: PipeEnd, events: PipeEnd, _options: ChildOptions) -> None:
    """The beginning of a frame, and then nothing, alive."""
    _hello(events)
    _write(events, b"\x00\x00\x10\x00{")
    _wait_for_the_end(requests)


def exits_at_once(requests: PipeEnd, events: PipeEnd, _options: ChildOptions) -> None:
    """Ends before its first word."""
    sys.exit(7)


def unstoppable(requests: PipeEnd, events: PipeEnd, _options: ChildOptions) -> None:
    """Neither obeys a shutdown nor SIGTERM, and says it is well all the time."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _hello(events)
    beat = event_codec().encode(Heartbeat())
    with contextlib.suppress(OSError):
        while True:
            events.send_bytes(beat)
            time.sleep(0.05)


def flood(requests: PipeEnd, events: PipeEnd, _options: ChildOptions) -> None:
    """Sends large frames as fast as it can."""
    _hello(events)
    frame = event_codec().encode(LoadProgress(1, 0.5))[:-2] + b" " * (8 << 20) + b"}}"
    with contextlib.suppress(OSError):
        while True:
            events.send_bytes(frame)


def talks_on(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child with a model that ends its answer and then goes on as the user, without an end."""
    from app.engine import session
    from app.engine.chat_format import ChatFormat
    from app.engine.llama.context import LlamaContext
    from app.engine.llama.model import LlamaModel
    from app.engine.llama.sampler import LlamaSampler
    from app.engine.other_programs import OtherPrograms

    script: list[int] = []

    class Loaded(session.LoadedModel):
        def __init__(
            self, model: LlamaModel, context: LlamaContext, chat_format: ChatFormat, others: OtherPrograms
        ) -> None:
            super().__init__(model, context, chat_format, others)
            ids = {name: token for token, name in model.special_tokens.items()}
            for part in ("<|channel|>", "final", "<|message|>", "Yes.", "<|end|>", "<|start|>", "user", "<|message|>"):
                script.extend([ids[part]] if part in ids else model.tokenize(part))
            script.extend(model.tokenize("And then? ") * 1000)

    session.LoadedModel = Loaded  # type: ignore[misc]
    LlamaSampler.sample = lambda self: script.pop(0)  # type: ignore[method-assign]
    child.run(requests, events, options)


def crowded(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child on a machine whose cores all belong to other programs, as far as it can see."""
    from app.engine.other_programs import OtherPrograms

    OtherPrograms.held = lambda self: 64.0  # type: ignore[method-assign]
    child.run(requests, events, options)


def crowded_while_loading(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The same, and loading takes until it has seen it. It looks once."""
    from app.engine.llama.model import LlamaModel
    from app.engine.other_programs import OtherPrograms

    load, seen = LlamaModel.__init__, threading.Event()

    def look(self: OtherPrograms) -> None:
        self._busy_cores = 64.0
        seen.set()

    def slow_load(self: LlamaModel, *arguments: Any) -> None:
        assert seen.wait(20)
        load(self, *arguments)

    OtherPrograms._look = look  # type: ignore[method-assign]
    LlamaModel.__init__ = slow_load  # type: ignore[method-assign]
    child.run(requests, events, options)


def reads_ahead_of_numpy(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child, in which nobody imports numpy ahead; an answer that has to do so ends in a bug."""
    from app.engine.session import EngineSession

    generate = EngineSession.generate

    def checked(self: EngineSession, *arguments: Any) -> None:
        assert "app.engine.llama.sampler" in sys.modules
        generate(self, *arguments)

    child._import_numpy = lambda: None
    EngineSession.generate = checked  # type: ignore[method-assign]
    child.run(requests, events, options)


def small_frames(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child with frames of 4 kB, so that a prompt need not have megabytes to be larger than one."""
    from app.engine import frames

    frames.MAX_EVENT_BYTES = 4096
    child.run(requests, events, options)


def broken_render(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child with a bug in it."""
    from app.engine.session import EngineSession

    def render(self: EngineSession, request: object) -> None:
        raise ZeroDivisionError

    EngineSession.render = render  # type: ignore[method-assign]
    child.run(requests, events, options)


def _trips_once(error: type[Exception]) -> None:
    """The first settling fails in its middle; ``Settled`` with no request says that what follows is done."""
    from app.engine.memory import SequenceMemory
    from app.engine.session import EngineSession
    from app.engine.settling import Outcome, Settling

    go_on, forget_all = Settling.go_on, EngineSession.forget_all

    def trip(self: Settling, wanted: Callable[[], bool]) -> Outcome:
        Settling.go_on = go_on  # type: ignore[method-assign]
        SequenceMemory.spare_checkpoint = fail  # type: ignore[method-assign]
        return go_on(self, wanted)

    def fail(self: SequenceMemory) -> None:
        raise error

    def say(self: EngineSession) -> None:
        forget_all(self)
        self._send(Settled(0, 0, 0.0))

    Settling.go_on = trip  # type: ignore[method-assign]
    EngineSession.forget_all = say  # type: ignore[method-assign]


def bug_while_idle(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child with a bug in what it does while nobody asks."""
    _trips_once(ZeroDivisionError)
    child.run(requests, events, options)


def no_memory_while_idle(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child, whose memory runs out while nobody asks."""
    _trips_once(MemoryError)
    child.run(requests, events, options)


def bug_while_answering(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child with a bug in the middle of reading, which makes it forget what it has read of it."""
    from app.engine.memory import SequenceMemory

    checkpoint = SequenceMemory.checkpoint

    def trip(self: SequenceMemory) -> None:
        if self.tokens:
            SequenceMemory.checkpoint = checkpoint  # type: ignore[method-assign]
            raise ZeroDivisionError

    SequenceMemory.checkpoint = trip  # type: ignore[method-assign]
    child.run(requests, events, options)


def no_memory_to_answer(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child, whose memory runs out when it reads a prompt."""
    from app.engine.memory import SequenceMemory

    def read(self: SequenceMemory, *arguments: object, **named: object) -> bool:
        raise MemoryError

    SequenceMemory.read = read  # type: ignore[method-assign]
    child.run(requests, events, options)


def bug_at_the_end(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child with a bug in how it ends."""
    from app.engine.session import EngineSession

    def close(self: EngineSession) -> None:
        raise ZeroDivisionError

    EngineSession.close = close  # type: ignore[method-assign]
    child.run(requests, events, options)


def loads_for_a_minute(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child, which is inside a long call while it loads, as it is with a large file on a slow disk."""
    from app.engine.llama.model import LlamaModel

    def slow_load(self: LlamaModel, path: object, plan: object, messages: object, progress: object) -> None:
        assert callable(progress)
        progress(0.5)
        time.sleep(60)

    LlamaModel.__init__ = slow_load  # type: ignore[method-assign]
    child.run(requests, events, options)


def deaf(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child, which the system does not end, and to which its pipes tell nothing."""
    from app.engine.child import EngineChild

    def send(self: EngineChild, event: Event) -> None:
        with contextlib.suppress(OSError):
            self._events.send_bytes(event_codec().encode(event))

    child.die_with_parent = lambda: None
    EngineChild._read = lambda self: time.sleep(60)  # type: ignore[method-assign]
    EngineChild.send = send  # type: ignore[method-assign]
    child.run(requests, events, options)
