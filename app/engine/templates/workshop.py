"""The process that a chat template runs in: takes orders, draws, answers. Started by ``process``."""

from typing import TYPE_CHECKING

from app.engine.frames import FrameError, PipeEnd
from app.engine.templates.confinement import allow_more_time, confine_self
from app.engine.templates.protocol import Drawn, Open, Ready, Refused, Reply, Trouble, order_codec, reply_codec

if TYPE_CHECKING:
    from app.engine.templates.jinja import JinjaTemplate


def run(pipe: PipeEnd) -> None:
    """The process's life: until its pipe ends, which is when the engine closes it or is gone."""
    # Imported here, not above: the engine names this function, and has no use for Jinja.
    from app.engine.templates.jinja import drawn, opened, rehearse

    orders, replies = order_codec(), reply_codec()
    template: JinjaTemplate | None = None
    reply: Reply = Ready()
    rehearse()
    replies.encode(Drawn("\ud800"))  # half a pair, which needs another codec
    confine_self()
    try:
        while True:
            try:
                frame = replies.encode(reply)
            except FrameError:  # characters of four bytes
                frame = replies.encode(Refused(Trouble.OUTPUT))
            pipe.send_bytes(frame)
            order, _ = orders.receive(pipe)
            allow_more_time()
            if isinstance(order, Open):
                template, reply = opened(order)
            elif template is not None:
                reply = drawn(template, order)
    except (OSError, EOFError, FrameError):
        return
