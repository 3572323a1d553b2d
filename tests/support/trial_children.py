"""Stand-ins for the child that tries a processor variant, for tests of who starts it."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from app.engine.frames import PipeEnd
from app.engine.variant_trial import FINE, Trial

NAMES = ("best", "second", "plain")


def all_fine(words: PipeEnd, trial: Trial) -> None:
    """Every variant works."""
    words.send_bytes(_next(trial).encode())
    words.send_bytes(FINE.encode())


def only_plain(words: PipeEnd, trial: Trial) -> None:
    """All but the last die."""
    name = _next(trial)
    words.send_bytes(name.encode())
    if name != "plain":
        os.kill(os.getpid(), signal.SIGILL)
        threading.Event().wait()
    words.send_bytes(FINE.encode())


def none_left(words: PipeEnd, trial: Trial) -> None:
    """No variant works, and the list has an end."""
    if name := _next(trial):
        words.send_bytes(name.encode())


def hangs(words: PipeEnd, trial: Trial) -> None:
    """The first one hangs for good, once somebody reads from the pipe beside the model."""
    words.send_bytes(_next(trial).encode())
    with Path(trial.model).with_suffix(".fifo").open("w"):
        pass
    threading.Event().wait()


def hangs_for_good(words: PipeEnd, trial: Trial) -> None:
    """The first one hangs."""
    words.send_bytes(_next(trial).encode())
    threading.Event().wait()


def never_tried(words: PipeEnd, trial: Trial) -> None:
    """For where nothing should be tried: whoever starts this gets a wrong name."""
    words.send_bytes(b"tried again")
    words.send_bytes(FINE.encode())


def garbage(words: PipeEnd, trial: Trial) -> None:
    """Says more than a name."""
    words.send_bytes(b"x" * 10_000)


def _next(trial: Trial) -> str:
    return next((name for name in NAMES if name not in trial.failed), "")
