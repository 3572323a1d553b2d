"""Sets up everything that is missing, then checks and tests Alcove.

    python3 scripts/test.py                   the everyday suite, under 20 minutes
    python3 scripts/test.py --all             the long tests too, under an hour
    python3 scripts/test.py -k parser         anything else is for pytest; then the checks are left out

Exit status 0 when every check and every test is good.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts import check, environment
from scripts.steps import SetUpError, say


def pytest_command(*, everything: bool, passed: list[str]) -> list[str]:
    """The command that runs the tests; a whole run also holds the coverage of domain and harmony at 100%."""
    command = [str(environment.venv_python()), "-m", "pytest"]
    if everything:
        # Over the configuration's `not long`.
        command += ["-m", ""]
    if not passed:
        command += ["-p", "tests.support.coverage_bar"]
    return command + passed


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Check and test Alcove.", epilog="Other arguments are for pytest, without the checks."
    )
    parser.add_argument("--all", action="store_true", help="run the long tests too (under an hour)")
    arguments, passed = parser.parse_known_args(argv)
    try:
        environment.set_up(development=True)
    except SetUpError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted. What was done so far is kept.")
        return 130
    failed: list[str] = []
    if not passed:
        say("Checking and testing: " + ("under an hour." if arguments.all else "under 20 minutes."))
        failed = check.run_checks()
        if failed:
            say(f"Failed: the check of {', '.join(failed)}. The tests follow all the same.")
    command = pytest_command(everything=arguments.all, passed=passed)

    result = subprocess.run(command, cwd=environment.ROOT, check=False)
    if failed:
        say(f"Failed: the check of {', '.join(failed)}.")
    return result.returncode or (1 if failed else 0)


if __name__ == "__main__":
    sys.exit(main())
