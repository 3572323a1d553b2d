"""A process that the system ended for want of memory is told from one that somebody killed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from app.domain.errors import ErrorCode
from app.engine import client
from app.engine.oom_kills import oom_kills
from app.engine.protocol import Hello
from tests.support.engine import Engine


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (b"pgfault 12\noom_kill 3\nnuma_hit 1\n", 3),
        (b"pgfault 12\n", 0),
        (b"oom_kill many\n", 0),
        (b"oom_kill \n", 0),
        (b"\xff\n", 0),
        (b"", 0),
    ],
)
def test_the_system_counts(tmp_path: Path, text: bytes, count: int) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "vmstat").write_bytes(text)
    assert oom_kills(tmp_path) == count


def test_where_nothing_is_told_there_were_none(tmp_path: Path) -> None:
    assert oom_kills(tmp_path) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_this_system_tells() -> None:
    assert "oom_kill " in Path("/proc/vmstat").read_text(encoding="ascii")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("number", "more", "code"),
    [
        (signal.SIGKILL, 1, ErrorCode.ENGINE_OUT_OF_MEMORY),
        (signal.SIGKILL, 0, ErrorCode.ENGINE_DIED),
        (signal.SIGABRT, 1, ErrorCode.ENGINE_DIED),
    ],
)
def test_a_kill_with_one_more_counted_is_for_memory(
    monkeypatch: pytest.MonkeyPatch, number: int, more: int, code: ErrorCode
) -> None:
    counted = 5
    monkeypatch.setattr(client, "oom_kills", lambda: counted)
    with Engine().start() as engine:
        engine.expect(Hello)
        counted += more
        os.kill(engine.pid, number)
        assert engine.lost(timeout=20).code is code
