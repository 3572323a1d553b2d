"""The child's death, hang and garbage become reports within a second, and no child outlives its client."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from app.domain.conversation import Dialogue, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.domain.generation import Sampling
from app.engine.client import EngineClient, EngineLost, EngineResumed, EngineStalled, Entry, describe_exit
from app.engine.protocol import (
    AnswerText,
    Cancel,
    Failed,
    Generate,
    Load,
    LoadProgress,
    PrefillProgress,
    ReasoningText,
    Render,
)
from app.engine.windows_job import BasicLimits, ExtendedLimits
from tests.support import engine_children as children
from tests.support.engine import DEMO, QUESTION, Engine, dialogue, started

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals")


# ---- Death ----


def kill(engine: Engine) -> EngineLost:
    """Kill the child outright; the report must come within a second."""
    os.kill(engine.pid, signal.SIGKILL)
    lost = engine.lost(timeout=1)
    assert lost == EngineLost(ErrorCode.ENGINE_DIED, "signal SIGKILL")
    assert engine.client.receive(0.3) is None  # once, and nothing after it
    assert not engine.client.alive
    return lost


@posix
def test_killed_while_idle(engine: Engine) -> None:
    kill(engine)


@posix
def test_killed_while_loading(engine: Engine) -> None:
    engine.client.send(Load(engine.new_id(), str(DEMO)))
    engine.expect(LoadProgress)
    kill(engine)


@posix
def test_killed_while_answering(engine: Engine) -> None:
    engine.load()
    engine.client.send(Generate(engine.new_id(), dialogue(QUESTION), Sampling(temperature=1000)))
    engine.expect(ReasoningText, AnswerText)
    kill(engine)


@posix
def test_killed_in_the_middle_of_reading(engine: Engine) -> None:
    engine.load()
    engine.client.send(Generate(engine.new_id(), dialogue("What is Alcove? " * 900)))
    engine.expect(PrefillProgress)
    kill(engine)


@posix
def test_killed_while_a_receive_waits_forever(engine: Engine) -> None:
    reports: list[object] = []
    waiting = threading.Thread(target=lambda: reports.append(engine.client.receive(None)))
    waiting.start()
    os.kill(engine.pid, signal.SIGKILL)
    waiting.join(1)
    assert reports == [EngineLost(ErrorCode.ENGINE_DIED, "signal SIGKILL")]
    assert engine.client.receive(None) is None


@posix
def test_requests_to_a_dead_child_are_dropped(engine: Engine) -> None:
    kill(engine)
    for _ in range(100):
        engine.client.send(Cancel(1))
    engine.client.close()


def test_a_child_that_never_speaks(tmp_path: Path) -> None:
    with Engine(entry=children.exits_at_once).start() as engine:
        assert engine.lost(timeout=20) == EngineLost(ErrorCode.ENGINE_START_FAILED, "exit status 7")


def test_a_client_is_used_for_one_child(engine: Engine) -> None:
    with pytest.raises(RuntimeError):
        engine.client.start()


def test_no_process_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", refuse)
    client = EngineClient()
    with pytest.raises(UserError) as caught:
        client.start()
    assert caught.value.code is ErrorCode.ENGINE_START_FAILED
    assert caught.value.values == {"reason": "Resource temporarily unavailable"}
    assert not client.alive
    client.close()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit status 0"),
        (3, "exit status 3"),
        (-9, "signal SIGKILL"),
        (-99, "signal 99"),
        (None, "its end left no trace"),
        (0xC0000005, "exit status 0xc0000005"),
    ],
)
def test_ends_in_words(code: int | None, words: str) -> None:
    assert describe_exit(code) == words


# ---- Hang ----


@posix
def test_a_stopped_child_is_noticed_and_its_return_too(engine: Engine) -> None:
    engine.load()
    os.kill(engine.pid, signal.SIGSTOP)
    assert engine.expect(EngineStalled, timeout=1.2)
    assert engine.client.alive
    assert engine.client.receive(0.3) is None  # once
    os.kill(engine.pid, signal.SIGCONT)
    assert isinstance(engine.next(1), EngineResumed)
    assert engine.ask(dialogue(QUESTION)).answer


@posix
def test_sending_to_a_stopped_child_never_waits(engine: Engine) -> None:
    os.kill(engine.pid, signal.SIGSTOP)
    large = Dialogue((Message(Role.USER, "x" * 30_000_000),), date="2026-01-01")
    slowest = 0.0

    def fill() -> None:
        nonlocal slowest
        for _ in range(10):
            engine.client.send(Generate(engine.new_id(), large))
            begin = time.perf_counter()
            engine.client.send(Cancel(1))
            slowest = max(slowest, time.perf_counter() - begin)

    with pytest.raises(UserError) as caught:  # in the end the outbox is full
        fill()
    assert caught.value.code is ErrorCode.ENGINE_DIED
    assert slowest < 0.1
    begin = time.perf_counter()
    engine.client.close()
    assert time.perf_counter() - begin < 3
    assert not psutil.pid_exists(engine.pid)


def test_a_request_larger_than_a_frame_is_refused(engine: Engine) -> None:
    with pytest.raises(UserError) as caught:
        engine.client.send(Generate(1, dialogue("x" * (64 * 1024 * 1024))))
    assert caught.value.code is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_parameter_that_is_no_number_is_refused(engine: Engine, value: float) -> None:
    with pytest.raises(UserError) as caught:
        engine.client.send(Generate(1, dialogue(QUESTION), Sampling(temperature=value)))
    assert caught.value.code is ErrorCode.INVALID_REQUEST


@posix
def test_half_a_frame_is_a_stall_and_no_hang() -> None:
    with started(entry=children.half_a_frame) as engine:
        assert engine.expect(EngineStalled, timeout=1.2)


# ---- Garbage ----


@posix
@pytest.mark.parametrize(
    "entry", [children.random_bytes, children.negative_length], ids=lambda entry: str(entry.__name__)
)
def test_raw_garbage_is_a_loss(entry: Entry) -> None:
    garbage(entry)


@pytest.mark.parametrize(
    "entry",
    [children.frame_of_noise, children.wrong_types, children.a_pickle],
    ids=lambda entry: str(entry.__name__),
)
def test_garbage_in_frames_is_a_loss(entry: Entry) -> None:
    garbage(entry)


def garbage(entry: Entry) -> None:
    with Engine(entry=entry).start() as engine:
        lost = engine.lost(timeout=20)
        assert lost.code is ErrorCode.ENGINE_GARBAGE
        assert lost.reason
        assert engine.client.receive(0) is None
        assert not psutil.pid_exists(engine.pid)


def test_a_flood_stays_in_the_pipe() -> None:
    with started(entry=children.flood) as engine:
        here = psutil.Process()
        for _ in range(5):
            engine.expect(LoadProgress)
        before = here.memory_info().rss
        for _ in range(15):
            engine.expect(LoadProgress)
        assert here.memory_info().rss - before < 100e6


def test_a_bug_in_a_request_is_said_and_the_child_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "engine.log"
    with started(log, children.broken_render) as engine:
        engine.load()
        engine.client.send(Render(engine.new_id(), dialogue(QUESTION)))
        assert engine.expect(Failed) == Failed(2, ErrorCode.BUG, {"reason": "ZeroDivisionError"})
        assert engine.ask(dialogue(QUESTION)).answer
    text = log.read_text(encoding="utf-8")
    assert "Traceback" in text
    assert "ZeroDivisionError" in text
    assert "llama_model_loader" in text


# ---- The end ----


def test_close_is_quick_and_may_be_called_again(engine: Engine) -> None:
    engine.load()
    begin = time.perf_counter()
    engine.client.close()
    assert time.perf_counter() - begin < 1
    engine.client.close()
    assert engine.client.receive(None) is None
    assert not engine.client.alive
    assert not psutil.pid_exists(engine.pid)


def test_close_without_a_start() -> None:
    client = EngineClient()
    client.close()
    assert client.pid is None


def test_close_ends_a_child_that_does_not_want_to() -> None:
    with started(entry=children.unstoppable) as engine:
        begin = time.perf_counter()
        engine.client.close()
        assert time.perf_counter() - begin < 3
        assert not psutil.pid_exists(engine.pid)


def test_close_wakes_a_receive_that_waits(engine: Engine) -> None:
    reports: list[object] = [0]
    waiting = threading.Thread(target=lambda: reports.append(engine.client.receive(None)))
    waiting.start()
    engine.client.close()
    waiting.join(5)
    assert reports == [0, None]


def test_wake_ends_a_receive_that_waits_and_the_next_one(engine: Engine) -> None:
    reports: list[object] = [0]
    waiting = threading.Thread(target=lambda: reports.append(engine.client.receive(None)))
    waiting.start()
    engine.client.wake()
    waiting.join(5)
    assert reports == [0, None]
    engine.client.wake()
    assert engine.client.receive(None) is None


def test_a_timeout_ends_a_receive(engine: Engine) -> None:
    begin = time.monotonic()
    assert engine.client.receive(0.05) is None
    assert time.monotonic() - begin >= 0.05
    assert engine.client.receive(0) is None


PARENT = """
import sys
from app.engine.child import run
from app.engine.client import EngineClient
from app.engine.protocol import Generate, Hello, Load, Loaded, LoadProgress
from app.domain.generation import Sampling
from tests.support import engine_children as children
from tests.support.engine import DEMO, QUESTION, dialogue

def main():
    entries = {"loading": children.loads_for_a_minute, "deaf": children.deaf}
    client = EngineClient(entry=entries.get(sys.argv[1], run))
    client.start()
    assert isinstance(client.receive(45), Hello)
    client.send(Load(1, str(DEMO)))
    awaited = LoadProgress if sys.argv[1] == "loading" else Loaded
    while sys.argv[1] != "deaf" and not isinstance(client.receive(45), awaited):
        pass
    if sys.argv[1] == "busy":
        client.send(Generate(2, dialogue(QUESTION), Sampling(temperature=1000)))
    if sys.argv[1] == "stopped":
        import os, signal
        os.kill(client.pid, signal.SIGSTOP)
    print(client.pid, flush=True)
    sys.stdin.readline()
    if sys.argv[1] == "raises":
        raise SystemExit(5)
    sys.stdin.read()

if __name__ == "__main__":
    main()
"""


@posix
@pytest.mark.parametrize("way", ["idle", "loading", "busy", "stopped", "raises", "interrupted", "deaf"])
def test_no_child_outlives_its_parent(tmp_path: Path, way: str) -> None:
    if way == "stopped" and sys.platform != "linux":
        pytest.skip("a stopped child is ended by the system in Linux alone")
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(
        [sys.executable, str(script), way], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        if way == "interrupted":
            child.send_signal(signal.SIGINT)  # Ctrl+C reaches the whole group; the child leaves it to its parent
            assert psutil.wait_procs([child], timeout=0.3)[1] == [child]
        if way == "raises":
            parent.stdin.write(b"\n")
            parent.stdin.flush()
        else:
            parent.kill()
        gone, alive = psutil.wait_procs([child], timeout=5)
        assert alive == []
        assert gone == [child]


def test_the_structures_of_windows_have_their_size() -> None:
    pointer = ctypes.sizeof(ctypes.c_void_p)
    assert ctypes.sizeof(ExtendedLimits) == (144 if pointer == 8 else 112)
    assert ExtendedLimits.basic.offset + BasicLimits.limit_flags.offset == 16
