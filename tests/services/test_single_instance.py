"""One program per profile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QProcess
from PySide6.QtNetwork import QLocalSocket
from pytestqt.qtbot import QtBot

from app.domain.errors import ErrorCode, UserError
from app.services.single_instance import ProfileLock, SingleInstance

ROOT = Path(__file__).resolve().parents[2]
SECOND = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from app.services.single_instance import SingleInstance
application = QCoreApplication([])
sys.exit(10 if SingleInstance(Path(sys.argv[1])).claim() else 20)
"""
KILLED = """
import os, sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from app.services.single_instance import SingleInstance
application = QCoreApplication([])
instance = SingleInstance(Path(sys.argv[1]))
assert instance.claim()
os._exit(0)
"""


ENDS = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QTimer
from app.services.single_instance import ProfileLock, SingleInstance
application = QCoreApplication([])
instance = SingleInstance(Path(sys.argv[1]))
assert instance.claim()
lock = ProfileLock(Path(sys.argv[1]) / "alcove.lock")
before = lock.ends
QTimer.singleShot(0, application.quit)
application.exec()
print(before, lock.ends, lock.take())
"""


def second_start(qtbot: QtBot, folder: Path) -> int:
    """Another process tries to have the profile; its exit status."""
    process = QProcess()
    process.setWorkingDirectory(str(ROOT))
    with qtbot.waitSignal(process.finished, timeout=20_000):
        process.start(sys.executable, ["-c", SECOND, str(folder)])
    return process.exitCode()


def test_a_second_start_raises_the_first(qtbot: QtBot, tmp_path: Path) -> None:
    first = SingleInstance(tmp_path)
    assert first.claim()
    with qtbot.waitSignal(first.raise_requested, timeout=20_000):
        assert second_start(qtbot, tmp_path) == 20
    first.close()
    assert second_start(qtbot, tmp_path) == 10


def test_profiles_do_not_meet(qtbot: QtBot, tmp_path: Path) -> None:
    first = SingleInstance(tmp_path)
    assert first.claim()
    other = tmp_path / "other"
    other.mkdir()
    second = SingleInstance(other)
    assert second.claim()
    first.close()
    second.close()


def test_what_a_killed_program_leaves_is_no_obstacle(qtbot: QtBot, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=True, timeout=60)
    instance = SingleInstance(tmp_path)
    assert instance.claim()
    with qtbot.waitSignal(instance.raise_requested, timeout=20_000):
        assert second_start(qtbot, tmp_path) == 20
    instance.close()


def test_a_program_at_its_end_is_waited_for(qapp: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = SingleInstance(tmp_path), SingleInstance(tmp_path)
    assert first.claim()
    first.end()
    monkeypatch.setattr("app.services.single_instance._pause", first.close)
    assert second.claim()
    second.end()
    third = SingleInstance(tmp_path)
    monkeypatch.setattr("app.services.single_instance._pause", second.close)
    assert third.claim()
    third.close()


def test_an_end_that_does_not_come_is_said(qapp: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.single_instance._WAIT_MS", 100)
    monkeypatch.setattr("app.services.single_instance.END_S", 0.0)
    first = SingleInstance(tmp_path)
    assert first.claim()
    first.end()
    with pytest.raises(UserError) as refused:
        SingleInstance(tmp_path).claim()
    assert refused.value.code is ErrorCode.STORE_LOCKED
    first.close()


def test_who_asks_a_program_at_its_end_is_not_left_without_an_answer(qtbot: QtBot, tmp_path: Path) -> None:
    first = SingleInstance(tmp_path)
    assert first.claim()
    caller = QLocalSocket()
    caller.connectToServer(first.name)
    assert caller.waitForConnected(5000)
    first.end()
    qtbot.waitUntil(lambda: caller.state() is QLocalSocket.LocalSocketState.UnconnectedState)
    first.close()


def test_quitting_says_that_it_is_the_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDS, str(tmp_path)], cwd=ROOT, check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout.split() == ["False", "True", "False"]


def test_a_program_that_does_not_answer_is_said(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.single_instance._WAIT_MS", 100)
    silent = ProfileLock(tmp_path / "alcove.lock")
    assert silent.take()
    assert silent.take()
    with pytest.raises(UserError) as refused:
        SingleInstance(tmp_path).claim()
    assert refused.value.code is ErrorCode.STORE_LOCKED
    silent.release()


def test_a_folder_that_cannot_be_written_is_said(qapp: object, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        SingleInstance(tmp_path / "nowhere").claim()
    assert refused.value.code is ErrorCode.PROFILE_UNWRITABLE


@pytest.mark.parametrize("words", [b"rais", b"shout\n", b"\0" * 4000])
def test_strange_words_raise_nothing(qtbot: QtBot, tmp_path: Path, words: bytes) -> None:
    instance = SingleInstance(tmp_path)
    assert instance.claim()
    socket = QLocalSocket()
    socket.connectToServer(instance.name)
    with qtbot.assertNotEmitted(instance.raise_requested, wait=100):
        socket.write(words)
        socket.flush()
    socket.abort()
    instance.close()
