"""A pytest plugin for a whole run: the domain and harmony must be covered fully, every branch of them.

`scripts/test.py` loads it with `-p`, before anything of the program is imported.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import coverage
from coverage.exceptions import NoDataError

if TYPE_CHECKING:
    import pytest

COVERED_FULLY = ["app/domain/*", "app/harmony/*"]

_coverage = coverage.Coverage(config_file="pyproject.toml", data_file=None)
_coverage.start()
_report = ""


def percent_covered(measured: coverage.Coverage, include: list[str]) -> tuple[float, str]:
    """How much of the files is covered, branches included, and the table that says what is not."""
    table = io.StringIO()
    return measured.report(include=include, file=table), table.getvalue()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run that was good so far and left something uncovered."""
    global _report
    _coverage.stop()
    try:
        percent, table = percent_covered(_coverage, COVERED_FULLY)
    except NoDataError:
        percent, table = 0.0, "nothing was measured\n"
    if percent < 100.0:
        _report = f"{', '.join(COVERED_FULLY)}: {percent:.2f}% covered, and 100% is asked for\n{table}"
        if exitstatus == 0:
            session.exitstatus = 1
    else:
        _report = f"{', '.join(COVERED_FULLY)}: covered fully\n"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so above pytest's own closing line."""
    terminalreporter.section("coverage")
    terminalreporter.write(_report)
