"""Engine children for tests: one at the pace of a laptop, others that misbehave."""

import os
import time
from multiprocessing.connection import Connection

from app.engine import child
from app.engine.child import ChildOptions

TOKEN_S = 0.012


def slow(requests: Connection, events: Connection, options: ChildOptions) -> None:
    """The real child with the real model, which takes its time for each token."""
    from app.engine.llama_backend import LlamaContext

    decode = LlamaContext.decode

    def slow_decode(self: LlamaContext, token: int) -> None:
        time.sleep(TOKEN_S)
        decode(self, token)

    LlamaContext.decode = slow_decode  # type: ignore[method-assign]
    child.run(requests, events, options)


def dies_at_once(requests: Connection, events: Connection, options: ChildOptions) -> None:
    """Ends before it has said anything."""
    os._exit(7)


def talks_nonsense(requests: Connection, events: Connection, options: ChildOptions) -> None:
    """Sends bytes that are no frame, then waits for the end of its pipe."""
    events.send_bytes(b'{"type": "nonsense"}')
    requests.recv_bytes()
