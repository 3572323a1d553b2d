"""A program whose standard streams are closed works all the same: nothing else may land on their numbers."""

import subprocess
import sys

import pytest

from tests.e2e.headless import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="closing a stream is a shell's way in POSIX")

LIMIT_S = 120


def alcove(redirections: str, *argv: str) -> subprocess.CompletedProcess[bytes]:
    """Run ``alcove ARGV`` to its end with a shell's redirections."""
    command = ["sh", "-c", f'exec "$0" -m app "$@" {redirections}', sys.executable, *argv]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=LIMIT_S, check=False)


@pytest.mark.parametrize("redirections", ["2>&-", "<&-", "<&- 2>&-"])
def test_an_answer_comes_without_the_other_streams(redirections: str) -> None:
    done = alcove(redirections, "ask", "--temperature", "0", "What is Alcove?")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Alcove" in done.stdout


def test_a_command_without_stdout_says_nothing_wrong_of_the_engine() -> None:
    done = alcove(">&-", "ask", "--temperature", "0", "What is Alcove?")
    assert b"engine" not in done.stderr
    assert done.stdout == b""
