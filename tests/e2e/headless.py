"""Runs the real program's headless commands."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "resources" / "models" / "alcove-demo.gguf"


def alcove(*argv: str, stdin: str | bytes = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run ``alcove ARGV`` to its end; text streams are UTF-8."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [sys.executable, "-m", "app", *argv], input=given, capture_output=True, cwd=ROOT, timeout=timeout, check=False
    )
    return subprocess.CompletedProcess(argv, done.returncode, done.stdout.decode(), done.stderr.decode())
