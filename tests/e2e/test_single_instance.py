"""A second start on the same profile shows the first one's window and ends."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.e2e.window import LIMIT_S, alcove, driven


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_second_start_raises_the_first_window(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    with driven("look", "real", profile) as first:
        first.wait_for("opened")
        second = alcove("--profile-dir", str(profile))
        assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
        assert first.wait_for("raised")["active"]
        other = alcove("--smoke-test", "--profile-dir", str(profile))
        assert other.returncode == 1
        assert other.stderr.startswith("alcove: Another Alcove is using ")
        first.process.send_signal(signal.SIGTERM)
        first.drain()
        assert first.process.wait(LIMIT_S) == 0
