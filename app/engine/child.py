"""The engine child: reads requests, runs them on the main thread, sends events. Started by ``client``.

Three threads. The reader takes requests as they come, so that a cancel acts while the main thread is inside llama.cpp;
the heart beats on its own, so that the window can tell a working child from a stopped one; the main thread loads and
generates. The reader also notices that the window is gone (the pipe ends) and takes the process with it.
"""

import ctypes
import faulthandler
import logging
import os
import queue
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.domain.errors import ErrorCode, UserError
from app.domain.hardware import Hardware
from app.engine.frames import FrameError, PipeEnd, event_codec, request_codec
from app.engine.protocol import (
    Cancel,
    Event,
    Failed,
    Forget,
    Generate,
    HardwareFound,
    Heartbeat,
    Hello,
    KeepWithin,
    Leave,
    Load,
    Probe,
    Render,
    Request,
    Shutdown,
    Unload,
)

if TYPE_CHECKING:
    from app.engine.session import EngineSession

Work = Load | Generate | Render | Unload | Leave | Forget | KeepWithin | Probe
"""The requests that the main thread serves, one after another."""

HEARTBEAT_S = 0.2
LOG_LIMIT_BYTES = 1024 * 1024
_PR_SET_PDEATHSIG = 1

SPIN_COUNT = 100_000
"""How often a thread looks again before it sleeps at OpenMP's barriers: a millisecond, which is longer than the pause
between two tokens; docs/measurements.md has the choice.
"""

log = logging.getLogger("alcove.engine")


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """What a child is started with. ``log_path`` "" logs nothing; ``cpu_variant`` "" is the engine's choice.

    ``log_level`` is the least that is logged: "error", "warning", "info" or "debug". Without ``graphics`` no driver of
    a graphics card is touched, for one that ends the child as soon as it is loaded.
    """

    log_path: str = ""
    cpu_variant: str = ""
    log_level: str = "warning"
    graphics: bool = True


def run(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The child's life, from its first heartbeat to the exit of its process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal reaches the whole group; the window decides
    die_with_parent()
    _open_log(options)
    spin_briefly()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # nothing here multiplies with numpy: no threads in waiting
    EngineChild(requests, events).run(options)
    _leave(0)


def _leave(status: int) -> None:
    """End at once. Nothing is left to save, and an orderly end would wait for threads that wait for the pipe."""
    logging.shutdown()
    os._exit(status)


class EngineChild:
    """Requests in, events out."""

    def __init__(self, requests: PipeEnd, events: PipeEnd) -> None:
        self._requests = requests
        self._events = events
        self._request_codec = request_codec()
        self._event_codec = event_codec()
        self._send_lock = threading.Lock()
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._open_lock = threading.Lock()
        self._open: dict[int, threading.Event] = {}  # requests that have not ended; set when they are cancelled
        self._ending = False

    def run(self, options: ChildOptions) -> None:
        """Serve until a ``Shutdown``."""
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        # Imported here, not above: the heart beats while the libraries load, and the client needs none of them.
        from app.engine.llama.backends import load_backends
        from app.engine.llama.library import LlamaLog
        from app.engine.session import EngineSession

        llama_log = LlamaLog()
        try:
            backends = load_backends(llama_log, options.cpu_variant, graphics=options.graphics)
        except UserError as error:
            log.error("%s", error)
            _leave(2)
            return
        log.info("backends: %s", ", ".join(backends))
        session = EngineSession(self.send, llama_log)
        self.send(Hello(os.getpid(), backends, _look()))
        threading.Thread(target=_import_numpy, name="numpy", daemon=True).start()
        while (request := self._next(session)) is not None:
            self._serve(session, request)
        try:
            session.close()
        except Exception:  # the process ends anyway, and gives everything back
            log.exception("at the end")

    def send(self, event: Event) -> None:
        """Send one event, from any thread. Ends the process when the window is gone."""
        frame = self._event_codec.encode(event)
        try:
            with self._send_lock:
                self._events.send_bytes(frame)
        except OSError:
            _leave(0)

    def _next(self, session: "EngineSession") -> "Work | None":
        """The next request; until it comes, the session may work ahead."""
        if self._work.empty():
            try:
                session.idle(lambda: not self._work.empty())
            except UserError as error:
                log.warning("while idle: %s", error)
            except Exception:  # nobody asked, so there is nobody to tell: MemoryError, and bugs
                log.exception("while idle")
                session.forget_all()
        return self._work.get()

    def _serve(self, session: "EngineSession", request: Work) -> None:
        with self._open_lock:
            cancelled = self._open[request.request_id]
        try:
            match request:
                case Load():
                    session.load(request, cancelled)
                case Generate():
                    session.generate(request, cancelled)
                case Render():
                    session.render(request)
                case Unload():
                    session.unload(request.request_id)
                case Leave():
                    session.leave(request)
                case Forget():
                    session.forget(request)
                case KeepWithin():
                    session.keep_within(request)
                case Probe():
                    self.send(HardwareFound(request.request_id, _look()))
        except UserError as error:
            log.warning("request %d: %s", request.request_id, error)
            self.send(Failed(request.request_id, error.code, error.values))
        except FrameError as error:  # the answer is too large for the pipe
            self.send(Failed(request.request_id, ErrorCode.INVALID_REQUEST, {"reason": error.reason}))
        except MemoryError:
            log.exception("request %d", request.request_id)
            session.forget_all()
            name = Path(request.path).name if isinstance(request, Load) else "the model"
            self.send(Failed(request.request_id, ErrorCode.OUT_OF_MEMORY, {"name": name}))
        except Exception as error:  # the edge of the process: whatever goes wrong is said, and it goes on
            log.exception("request %d", request.request_id)
            session.forget_all()
            self.send(Failed(request.request_id, ErrorCode.BUG, {"reason": type(error).__name__}))
        finally:
            with self._open_lock:
                del self._open[request.request_id]

    # ---- Reader ----

    def _read(self) -> None:
        status = 4
        try:
            while True:
                request, _ = self._request_codec.receive(self._requests)
                self._take(request)
        except EOFError:
            status = 0
        except FrameError:
            # A window that talks nonsense cannot be answered: there is no request to answer.
            status = 3
        finally:  # whatever happened: without this thread nobody would notice the window's end
            log.log(logging.ERROR if status else logging.INFO, "no more requests", exc_info=status != 0)
            _leave(status)

    def _take(self, request: Request) -> None:
        match request:
            case Cancel():
                with self._open_lock:
                    if cancelled := self._open.get(request.request_id):
                        cancelled.set()
            case Shutdown():
                with self._open_lock:
                    self._ending = True
                    for cancelled in self._open.values():
                        cancelled.set()
                self._work.put(None)
            case _:
                with self._open_lock:
                    if self._ending:
                        return
                    if request.request_id in self._open:
                        raise FrameError("a request id that is in use")
                    self._open[request.request_id] = threading.Event()
                self._work.put(request)

    # ---- Heart ----

    def _beat(self) -> None:
        pause = threading.Event()
        beat = Heartbeat()
        parent = os.getppid()
        while True:
            self.send(beat)
            pause.wait(HEARTBEAT_S)
            # A third line, for systems without the second: somebody else may hold the pipe's other end open.
            if os.getppid() != parent:
                _leave(0)


def _look() -> Hardware:
    from app.engine import hardware
    from app.engine.llama.devices import devices

    return hardware.look(devices())


def die_with_parent() -> None:
    """Linux ends this process when the thread that started it ends: a second line behind the end of the pipe."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _import_numpy() -> None:
    """While the first model loads, not when its first answer waits for it: it takes 0.1 to 0.3 s."""
    import app.engine.llama.sampler  # noqa: F401  # pyright: ignore[reportUnusedImport]


def spin_briefly() -> None:
    """Let waiting threads sleep when it is not soon their turn, on whatever processor: by itself OpenMP spins for up to
    ten milliseconds. GNU's OpenMP reads the variable when it is loaded, with the processor's part of llama.cpp.
    """
    if sys.platform == "linux" and "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPIN_COUNT))


def _open_log(options: ChildOptions) -> None:
    """Send logging, faults and whatever C libraries print to the file, or nowhere; never to the terminal."""
    path = options.log_path
    try:
        target = _log_file(Path(path)) if path else os.open(os.devnull, os.O_WRONLY)
    except OSError:
        path = ""
        target = os.open(os.devnull, os.O_WRONLY)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
    if not path:
        return
    stream = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(name)s %(levelname)s %(message)s"))
    logger = logging.getLogger("alcove")
    logger.addHandler(handler)
    logger.setLevel(options.log_level.upper())
    faulthandler.enable(stream)


def _log_file(path: Path) -> int:
    """A descriptor that appends; what is over the limit moves to one older file first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.replace(path.with_suffix(".old.log"))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
