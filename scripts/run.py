"""Sets up everything that is missing and starts Alcove.

python3 scripts/run.py                        open the window
python3 scripts/run.py -- ask "Hello"         what stands after -- is for alcove
python3 scripts/run.py --setup-only           only set up
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts import build_llama, environment
from scripts.steps import SetUpError, say


def split_arguments(argv: list[str]) -> tuple[list[str], list[str]]:
    """This script's own arguments and, after the first `--`, the program's."""
    if "--" not in argv:
        return argv, []
    index = argv.index("--")
    return argv[:index], argv[index + 1 :]


def main(argv: list[str] | None = None) -> int:
    own, passed = split_arguments(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        description="Set up everything that is missing and start Alcove.",
        epilog="What stands after -- is for alcove.",
    )
    parser.add_argument("--setup-only", action="store_true", help="only set up")
    parser.add_argument(
        "--backend", choices=build_llama.BACKENDS, help="what llama.cpp computes on; kept for later starts"
    )
    arguments = parser.parse_args(own)
    try:
        environment.set_up(development=False, backend=arguments.backend)
    except SetUpError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted. What was done so far is kept.")
        return 130
    if arguments.setup_only:
        return 0
    command = [str(environment.venv_python()), "-m", "app", *passed]
    if os.name != "nt":
        # The program takes this process over, so that signals and exit status are its own.
        os.execv(command[0], command)  # noqa: S606
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
