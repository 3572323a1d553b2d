"""The guards that every test runs under do catch what they are there for."""

from __future__ import annotations

import multiprocessing
import socket
import subprocess
import sys
import threading

import pytest
from PySide6.QtCore import QThread
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from tests.support import leaks, network


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "GRACE_SECONDS", 0.2)


def test_nothing_is_reported_where_nothing_is_left() -> None:
    assert leaks.leaks(leaks.snapshot()) == []


@pytest.mark.parametrize("daemon", [False, True])
def test_a_running_thread_is_a_leak(daemon: bool) -> None:
    before = leaks.snapshot()
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten", daemon=daemon)
    thread.start()
    try:
        assert leaks.leaks(before) == ["thread forgotten"]
    finally:
        end.set()
        thread.join()
    assert leaks.leaks(before) == []


def test_a_running_qthread_is_a_leak(qapp: object) -> None:
    before = leaks.snapshot()
    thread = QThread()
    thread.setObjectName("forgotten")
    thread.start()
    try:
        assert "QThread forgotten" in leaks.leaks(before)
    finally:
        thread.quit()
        assert thread.wait(5000)
    assert leaks.leaks(before) == []


def test_a_qthread_that_ran_python_and_ended_is_none(qapp: object) -> None:
    class Worker(QThread):
        def run(self) -> None:
            threading.current_thread()

    before = leaks.snapshot()
    worker = Worker()
    worker.start()
    assert worker.wait(5000)
    assert leaks.leaks(before) == []


def test_a_running_child_is_a_leak() -> None:
    before = leaks.snapshot()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = leaks.leaks(before)
        child.communicate(b"\n")
    assert [text.split(" (")[0] for text in found] == [f"process {child.pid}"]
    assert leaks.leaks(before) == []


def test_a_forgotten_window_is_a_leak(qtbot: QtBot) -> None:
    before = leaks.snapshot()
    window = QWidget()
    window.setObjectName("forgotten")
    assert leaks.leaks(before) == ["window QWidget 'forgotten'"]
    window.deleteLater()
    assert leaks.leaks(before) == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "::1%lo", b"127.0.0.1", None])
def test_this_machine_is_loopback(host: object) -> None:
    assert network.is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "192.168.1.1", "example.invalid", "localhost.evil"])
def test_anything_else_is_not(host: object) -> None:
    assert not network.is_loopback(host)


def test_a_connection_outside_is_refused() -> None:
    with socket.socket() as outside, pytest.raises(network.OutsideConnectionError):
        outside.connect(("192.0.2.1", 9))
    with socket.socket(type=socket.SOCK_DGRAM) as outside, pytest.raises(network.OutsideConnectionError):
        outside.sendto(b"x", ("192.0.2.1", 9))
    with pytest.raises(network.OutsideConnectionError):
        socket.getaddrinfo("example.invalid", 80)
    with socket.socket() as listener, pytest.raises(network.OutsideConnectionError):
        listener.bind(("", 0))


def test_a_connection_on_this_machine_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


TRY_OUTSIDE = "import socket; socket.socket().connect(('192.0.2.1', 9))"


def test_a_program_started_by_a_test_is_guarded_too() -> None:
    result = subprocess.run([sys.executable, "-c", TRY_OUTSIDE], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "OutsideConnectionError" in result.stderr


def reach_outside() -> None:
    try:
        exec(TRY_OUTSIDE)
    except Exception as error:  # noqa: BLE001 - its class is another one in each process
        sys.exit(7 if type(error).__name__ == "OutsideConnectionError" else str(error))


def test_a_spawned_process_is_guarded_too() -> None:
    child = multiprocessing.get_context("spawn").Process(target=reach_outside)
    child.start()
    child.join(60)
    assert child.exitcode == 7
    child.close()
