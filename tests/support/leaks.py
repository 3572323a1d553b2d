"""Finds what a test leaves behind: threads, child processes and windows.

Whoever starts a thread or a process has a `close()` that ends it, and a leak is a `close()` that was
forgotten. What is just about to end is given a moment.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication, QWidget

GRACE_SECONDS = 5.0

# One per interpreter, started by multiprocessing itself, and it ends with the interpreter.
ALLOWED_CHILDREN = ("multiprocessing.resource_tracker",)
# Qt keeps one window of this kind for all tooltips, hidden, until the program ends.
ALLOWED_WIDGETS = ("QTipLabel",)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was alive at one moment."""

    threads: frozenset[threading.Thread]
    native_threads: int
    children: frozenset[psutil.Process]
    widgets: frozenset[int]


def native_thread_count() -> int:
    """How many threads the system counts in this process; 0 where it cannot be asked cheaply."""
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 0  # noqa: PTH208


def application() -> QApplication | None:
    """The running application, if a test has made one; Qt is not loaded just to look."""
    widgets: Any = sys.modules.get("PySide6.QtWidgets")
    return widgets.QApplication.instance() if widgets else None


def top_level_widgets() -> list[QWidget]:
    """All windows, shown or not."""
    app = application()
    return list(app.topLevelWidgets()) if app else []


def pointer(widget: QWidget) -> int:
    """What stays the same of a widget when its Python wrapper is made anew."""
    import shiboken6

    return shiboken6.getCppPointer(widget)[0]


def snapshot() -> Snapshot:
    """What is alive now."""
    return Snapshot(
        threads=frozenset(threading.enumerate()),
        native_threads=native_thread_count(),
        children=frozenset(psutil.Process().children(recursive=True)),
        widgets=frozenset(pointer(widget) for widget in top_level_widgets()),
    )


def leaked_threads(before: Snapshot) -> list[str]:
    """Python's threads that the test has started and not ended."""
    new = [thread for thread in threading.enumerate() if thread not in before.threads]
    alive: list[str] = []
    for thread in new:
        if isinstance(thread, threading._DummyThread):  # pyright: ignore[reportPrivateUsage]
            # Stands for a thread of Qt's that has run Python code; only the system knows whether it still
            # runs.
            if not native_thread_ends(thread.native_id):
                alive.append(f"thread {thread.name} (not started by Python)")
            continue
        thread.join(GRACE_SECONDS)
        if thread.is_alive():
            alive.append(f"thread {thread.name}")
    return alive


def native_thread_ends(native_id: int | None) -> bool:
    """Whether a thread of the system is gone, or goes within the grace; there is nothing to join, so it is
    asked.
    """
    deadline = time.monotonic() + GRACE_SECONDS
    while native_id in {thread.id for thread in psutil.Process().threads()}:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def leaked_qt_threads(before: Snapshot) -> list[str]:
    """QThreads that still run. Only looked for when the process has more threads than before."""
    core: Any = sys.modules.get("PySide6.QtCore")
    if core is None or native_thread_count() <= before.native_threads:
        return []
    main = core.QCoreApplication.instance()
    running = [
        thread
        for thread in gc.get_objects()
        if isinstance(thread, core.QThread) and (main is None or thread is not main.thread())
    ]
    return [f"QThread {thread.objectName() or type(thread).__name__}" for thread in running if not stops(thread)]


def stops(thread: Any) -> bool:
    """Whether a QThread is at its end, or comes there within the grace."""
    return not thread.isRunning() or bool(thread.wait(int(GRACE_SECONDS * 1000)))


def leaked_children(before: Snapshot) -> list[str]:
    """Processes that the test has started, directly or not, and not ended."""
    new = [child for child in psutil.Process().children(recursive=True) if child not in before.children]
    if not new:
        return []
    unexpected = [child for child in new if not is_allowed(child)]
    _, alive = psutil.wait_procs(unexpected, timeout=GRACE_SECONDS)
    return [f"process {child.pid} ({command_of(child)})" for child in alive]


def command_of(process: psutil.Process) -> str:
    """A process's command line; empty when it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def is_allowed(process: psutil.Process) -> bool:
    """Whether it is a process that may outlive a test."""
    command = command_of(process)
    return any(name in command for name in ALLOWED_CHILDREN)


def leaked_widgets(before: Snapshot) -> list[str]:
    """Windows that the test has made and neither closed and deleted nor given to qtbot."""
    app = application()
    if app is None:
        return []
    if all(pointer(widget) in before.widgets for widget in app.topLevelWidgets()):
        return []
    from PySide6.QtCore import QCoreApplication, QEvent

    # What is dropped or asked to be deleted goes now.
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    new = [widget for widget in app.topLevelWidgets() if pointer(widget) not in before.widgets]
    return [
        f"window {type(widget).__name__} {widget.objectName()!r}"
        for widget in new
        if widget.metaObject().className() not in ALLOWED_WIDGETS
    ]


def leaks(before: Snapshot) -> list[str]:
    """Everything that is alive now and was not then, in words; empty when the test was clean."""
    return [
        *leaked_widgets(before),
        *leaked_threads(before),
        *leaked_qt_threads(before),
        *leaked_children(before),
    ]
