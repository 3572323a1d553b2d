"""Measures the program and holds the figures against their bars.

    .venv/bin/python scripts/bench.py NAME [--json] [...]

Prints a table of figure, value and bar; with `--json` one object as the last line. Exit status 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts import benchmarks, environment
from scripts.steps import SetUpError, say


def names() -> list[str]:
    """The benchmarks there are."""
    return [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]


def in_environment() -> bool:
    """Whether this interpreter is the environment's own."""
    return Path(sys.prefix).resolve() == environment.VENV.resolve()


def run_in_environment(argv: list[str]) -> int:
    """Set up what is missing and start again with the environment's interpreter."""
    try:
        environment.set_up(development=True)
    except SetUpError as error:
        say(str(error))
        return 1
    return subprocess.run([environment.venv_python(), __file__, *argv], check=False).returncode


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if not in_environment():
        return run_in_environment(argv)
    from scripts.figure import table

    parser = argparse.ArgumentParser(description="Measure, and compare with the bars.")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    commands = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    modules = {name: importlib.import_module(f"scripts.benchmarks.{name}") for name in names()}
    for name, module in modules.items():
        command = commands.add_parser(name, help=(module.__doc__ or "").partition("\n")[0])
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        module.add_arguments(command)
    arguments = parser.parse_args(argv)
    figures = modules[arguments.name].measure(arguments)
    print(table(figures), flush=True)
    met = all(figure.met for figure in figures)
    if arguments.json:
        rows = [figure.plain() for figure in figures]
        print(json.dumps({"benchmark": arguments.name, "met": met, "figures": rows}))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
