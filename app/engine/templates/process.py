"""The engine's end of a template process: starts it, orders, bounds what it takes, and ends it.

A chat template comes with a model file from anywhere: it is a program in Jinja's language, and Jinja's sandbox bounds
neither its time nor its memory. So it runs in a process of its own, which knows none of the conversation's texts, can
open nothing, and is killed when it takes too much. It is kept for the next prompt, and dies with the engine: its pipe
ends, and Linux and Windows end it themselves (``confinement``).
"""

import multiprocessing
import signal
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from typing import TypeVar

import psutil

from app.engine.frames import FrameError, PipeEnd
from app.engine.templates import workshop
from app.engine.templates.confinement import CLOCK_S, CPU_S, MEMORY_BYTES, Job
from app.engine.templates.protocol import (
    Draw,
    Drawn,
    Open,
    Opened,
    Order,
    Ready,
    Refused,
    Trouble,
    order_codec,
    reply_codec,
)

START_S = 60.0
"""The longest time until the process is up; a cold disk and a virus scanner may take most of it."""

LOOK_S = 0.05
"""Between two looks at what the process takes."""

Kind = TypeVar("Kind", Opened, Ready, Drawn)

_ORDERS = order_codec()
_REPLIES = reply_codec()
_REASONS = {Trouble.MEMORY: "it needs too much memory", Trouble.OUTPUT: "it writes too much"}


class TemplateError(Exception):
    """No prompt came of a drawing. ``reason`` is for a sentence: what is wrong with the template.

    ``by_template``: it said so itself, at once, and may do better with another shape of the conversation.
    """

    def __init__(self, reason: str, *, by_template: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.by_template = by_template


class TemplateProcess:
    """Draws with one template. For one thread, which must live as long as the process may."""

    def __init__(self, opening: Open) -> None:
        """Nothing is started before the first drawing."""
        self._opening = opening
        self._running: _Running | None = None

    def draw(self, order: Draw) -> str:
        """What the template writes. Raises ``TemplateError``; after it the next drawing starts afresh."""
        try:
            if self._running is None:
                self._running = _Running()
                self._running.open(self._opening)
            return self._running.draw(order)
        except TemplateError as error:
            if not error.by_template:
                self.close()
            raise

    def close(self) -> None:
        """End the process, at once."""
        if self._running is not None:
            self._running.close()
            self._running = None

    @property
    def pid(self) -> int | None:
        """The process's id while there is one."""
        return self._running.pid if self._running else None


class _Running:
    """A process that runs."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        try:
            here, there = context.Pipe()
            process = context.Process(target=workshop.run, args=(there,), name="alcove-template", daemon=True)
            with _may_have_children(), _sigint_held_back():
                process.start()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise TemplateError(f"its process could not be started: {reason}") from error
        there.close()
        self._pipe: PipeEnd = here
        self._poll = here.poll
        self._process: SpawnProcess = process
        self.pid = process.pid or 0
        self._job: Job | None = None
        try:
            self._job = Job(self.pid)
            if not self._poll(START_S):
                raise TemplateError("its process did not come up")
            self._expect(Ready)
        except (OSError, TemplateError) as error:
            self.close()
            if isinstance(error, TemplateError):
                raise
            raise TemplateError("its process could not be bounded") from error

    def open(self, order: Open) -> None:
        """Hand over the template."""
        self._ask(order)
        self._expect(Opened)

    def draw(self, order: Draw) -> str:
        """What it writes."""
        self._ask(order)
        return self._expect(Drawn).text

    def close(self) -> None:
        """Kill and reap it."""
        self._pipe.close()
        self._process.kill()
        self._process.join()
        self._process.close()
        if self._job is not None:
            self._job.close()

    def _ask(self, order: Order) -> None:
        """Send an order and watch the process until it answers."""
        try:
            self._pipe.send_bytes(_ORDERS.encode(order))
            self._watch()
        except FrameError as error:
            raise TemplateError(f"the conversation is too large for it ({error.reason})") from error
        except (OSError, psutil.Error) as error:
            raise self._died() from error

    def _watch(self) -> None:
        process = psutil.Process(self.pid)
        begin = time.monotonic()
        used = _cpu_seconds(process)
        while not self._poll(LOOK_S):
            if process.memory_info().rss > MEMORY_BYTES:  # where the system keeps no bound
                raise TemplateError(_REASONS[Trouble.MEMORY])
            if _cpu_seconds(process) - used > CPU_S or time.monotonic() - begin > CLOCK_S:
                raise TemplateError("it takes too long")

    def _expect(self, kind: type[Kind]) -> Kind:
        try:
            reply, _ = _REPLIES.receive(self._pipe)
        except EOFError as error:
            raise self._died() from error
        except FrameError as error:
            raise TemplateError("its process talks nonsense") from error
        if isinstance(reply, kind):
            return reply
        if isinstance(reply, Refused) and reply.trouble is Trouble.TEMPLATE:
            raise TemplateError(reply.reason, by_template=True)
        raise TemplateError(_REASONS[reply.trouble] if isinstance(reply, Refused) else "its process talks nonsense")

    def _died(self) -> TemplateError:
        self._process.join(1.0)
        if sys.platform != "win32" and self._process.exitcode == -signal.SIGXCPU:
            return TemplateError("it takes too long")
        return TemplateError("its process ended")


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@contextmanager
def _may_have_children() -> Generator[None]:
    """The engine child counts as a daemon, which multiprocessing lets have no children, because nobody would end them.

    This one ends by itself when the engine is gone.
    """
    this = multiprocessing.current_process()
    daemon = this.daemon
    if not daemon:
        yield
        return
    this.daemon = False
    try:
        yield
    finally:
        this.daemon = daemon


@contextmanager
def _sigint_held_back() -> Generator[None]:
    """Ctrl+C in a terminal does not end the process before it has said that it ignores it."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
