"""Engine children for tests: one at the pace of a laptop, others that misbehave."""

import os
import threading
import time
from pathlib import Path
from typing import Any

from app.domain.errors import ErrorCode, UserError
from app.engine import child
from app.engine.child import ChildOptions
from app.engine.client import GRACE_S
from app.engine.frames import PipeEnd

SLOW_TOKEN_S = 0.012
CRAWLING_TOKEN_S = 0.08


def slow(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child with the real model, which takes its time: an answer lasts about a second."""
    _take_time(SLOW_TOKEN_S)
    child.run(requests, events, options)


def crawling(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The same at the pace of an old laptop: an answer lasts several seconds."""
    _take_time(CRAWLING_TOKEN_S)
    child.run(requests, events, options)


def loads_slowly(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child, which takes ten seconds to load a file named ``slow.gguf`` and can be stopped meanwhile."""
    from app.engine.llama.model import LlamaModel, LoadCancelledError

    load = LlamaModel.__init__

    def slow_load(self: LlamaModel, path: Path, plan: Any, messages: Any, progress: Any) -> None:
        for step in range(200) if path.name == "slow.gguf" else ():
            time.sleep(0.05)
            if not progress(step / 200):
                raise LoadCancelledError
        load(self, path, plan, messages, progress)

    LlamaModel.__init__ = slow_load  # type: ignore[method-assign]
    child.run(requests, events, options)


def breaks_once(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child, whose twentieth decode fails."""
    from app.engine.llama.context import LlamaContext

    decode = LlamaContext.decode
    decodes = 0

    def breaking_decode(self: LlamaContext, token: int) -> None:
        nonlocal decodes
        decodes += 1
        if decodes == 20:
            raise UserError(ErrorCode.DECODE_FAILED, reason="a test")
        decode(self, token)

    LlamaContext.decode = breaking_decode  # type: ignore[method-assign]
    child.run(requests, events, options)


TROUBLE = "trouble"
"""A file beside the engine's log: while it is there, what it says happens at a child's twentieth token."""


def troubled(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child, with the trouble that is asked for."""
    from app.engine.llama.context import LlamaContext

    trouble = Path(options.log_path).with_name(TROUBLE)
    decode = LlamaContext.decode
    decodes = 0

    def troubled_decode(self: LlamaContext, token: int) -> None:
        nonlocal decodes
        decodes += 1
        if decodes == 20 and trouble.exists():
            _have_trouble(trouble, events)
        decode(self, token)

    LlamaContext.decode = troubled_decode  # type: ignore[method-assign]
    child.run(requests, events, options)


def _have_trouble(trouble: Path, events: PipeEnd) -> None:
    match trouble.read_text(encoding="ascii"):
        case "hang":  # its heart beats all the same
            while trouble.exists():
                time.sleep(0.01)
        case "nonsense":
            events.send_bytes(b'{"type": "nonsense"}')
            threading.Event().wait()
        case "want of memory":
            import resource

            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            here = pages * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (here, here))
            bytearray(1 << 30)
        case "eats memory":
            hoard: list[bytes] = []
            while True:
                hoard.append(os.urandom(1 << 20))
        case other:
            raise ValueError(other)


def hangs_when_it_loads(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child, which never comes to the end of loading a file named ``slow.gguf``, whatever it is told."""
    from app.engine.llama.model import LlamaModel

    load = LlamaModel.__init__

    def hanging_load(self: LlamaModel, path: Path, plan: Any, messages: Any, progress: Any) -> None:
        progress(0.5)
        if path.name == "slow.gguf":
            threading.Event().wait()
        load(self, path, plan, messages, progress)

    LlamaModel.__init__ = hanging_load  # type: ignore[method-assign]
    child.run(requests, events, options)


def hangs_when_it_unloads(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child, which never gives its memory back."""
    from app.engine.llama.model import LlamaModel

    def hanging_close(_: LlamaModel) -> None:
        threading.Event().wait()

    LlamaModel.close = hanging_close  # type: ignore[method-assign]
    child.run(requests, events, options)


def _take_time(seconds: float) -> None:
    from app.engine.llama.context import LlamaContext

    decode = LlamaContext.decode

    def slow_decode(self: LlamaContext, token: int) -> None:
        time.sleep(seconds)
        decode(self, token)

    LlamaContext.decode = slow_decode  # type: ignore[method-assign]


def dies_at_once(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """Ends before it has said anything."""
    os._exit(7)


def talks_nonsense(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """Sends bytes that are no frame, then waits for the end of its pipe."""
    events.send_bytes(b'{"type": "nonsense"}')
    requests.recv_bytes()


def writes_slowly(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real child, which takes longer to write a chat's memory than a child is given to end."""
    from app.engine import snapshot_file

    pieces = snapshot_file._pieces

    def slow_pieces(key: Any, image: Any) -> Any:
        time.sleep(2 * GRACE_S)
        yield from pieces(key, image)

    snapshot_file._pieces = slow_pieces
    child.run(requests, events, options)
