"""Checks the sources: format, lint, types, one-way imports. `--fix` formats and mends what can be mended.

python3 scripts/check.py [--fix]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts import environment
from scripts.steps import SetUpError, say


def checks(*, fix: bool) -> list[tuple[str, list[str]]]:
    """What is run: a name for each check and its command."""
    ruff = str(environment.tool("ruff"))
    return [
        ("format", [ruff, "format", "--quiet", *([] if fix else ["--diff"]), "."]),
        ("lint", [ruff, "check", "--quiet", *(["--fix"] if fix else []), "."]),
        ("types", [str(environment.tool("basedpyright"))]),
        ("imports", [str(environment.tool("lint-imports"))]),
    ]


def run_checks(*, fix: bool = False) -> list[str]:
    """Run every check, showing the output of those that fail; returns the names of these."""
    failed: list[str] = []
    for name, command in checks(fix=fix):
        started = time.monotonic()
        result = subprocess.run(command, cwd=environment.ROOT, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            failed.append(name)
            print(result.stdout + result.stderr, flush=True)
        outcome = "failed" if result.returncode else "good"
        print(f"Check of {name}: {outcome} ({time.monotonic() - started:.0f} s)", flush=True)
    return failed


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check format, lint, types and imports.")
    parser.add_argument("--fix", action="store_true", help="format, and mend what can be mended")
    arguments = parser.parse_args(argv)
    try:
        environment.set_up(development=True)
    except SetUpError as error:
        say(str(error))
        return 1
    return 1 if run_checks(fix=arguments.fix) else 0


if __name__ == "__main__":
    sys.exit(main())
