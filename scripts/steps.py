"""How a step of the set-up speaks and fails. Words go to stderr: stdout belongs to the program started
afterwards.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class SetUpError(Exception):
    """The set-up cannot go on; the text says what is missing and what to do."""


def say(text: str) -> None:
    """One line for the person who waits."""
    print(text, file=sys.stderr, flush=True)


def run(command: Sequence[str | Path]) -> None:
    """Run a step; its output goes to stderr.

    Raises SetUpError when it fails, with the command, so that it can be tried by hand.
    """
    line = [str(part) for part in command]
    try:
        result = subprocess.run(line, cwd=ROOT, stdout=sys.stderr, check=False)
    except OSError as error:
        raise SetUpError(f"{line[0]} could not be started ({error.strerror}).") from error
    if result.returncode != 0:
        raise SetUpError(f"This step failed (exit status {result.returncode}): {' '.join(line)}")
