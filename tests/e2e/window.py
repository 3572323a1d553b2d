"""Starts the real program with a window and listens to what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DRIVER = ROOT / "tests" / "e2e" / "driver.py"
LIMIT_S = 60


def environment(**changes: str | None) -> dict[str, str]:
    """This process's environment, offscreen; None takes a variable away."""
    names: dict[str, str | None] = {**os.environ, "QT_QPA_PLATFORM": "offscreen", **changes}
    return {name: value for name, value in names.items() if value is not None}


def alcove(*arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run ``alcove`` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        env=environment(**changes),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=LIMIT_S * 2,
        check=False,
    )


class DrivenProgram:
    """A running program; `wait_for` reads what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.heard: list[dict[str, Any]] = []

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next line of this kind; what stands before the end of an answer does not come after it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.heard.append(json.loads(line))
            if self.heard[-1]["event"] == event:
                return self.heard[-1]
            if self.heard[-1]["event"] == "finished":
                break
        raise AssertionError(f"no {event} came; the program said {self.heard}")

    def drain(self) -> None:
        """Read to the end of what it said."""
        assert self.process.stdout is not None
        self.heard.extend(json.loads(line) for line in self.process.stdout if line.endswith("\n"))

    def all_of(self, event: str) -> list[dict[str, Any]]:
        """All lines of this kind so far."""
        return [said for said in self.heard if said["event"] == event]


@contextmanager
def driven(action: str, child: str, profile: Path) -> Iterator[DrivenProgram]:
    """The program with somebody at its keyboard; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, str(DRIVER), action, child, "--profile-dir", str(profile)],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        yield DrivenProgram(process)
    finally:
        process.kill()
        process.wait(LIMIT_S)
        assert process.stdout is not None
        process.stdout.close()
