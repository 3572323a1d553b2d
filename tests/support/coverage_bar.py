"""A pytest plugin for a whole run: the domain and harmony must be covered fully, every branch of them.

`scripts/test.py` loads it with `-p`, before anything of the program is imported.
"""

from __future__ import annotations

import io
from collections.abc import Generator

import coverage
import pytest
from coverage.exceptions import NoDataError

COVERED_FULLY = ["app/domain/*", "app/harmony/*"]
TRACED_TESTS = ["tests/unit/domain", "tests/unit/harmony"]

_coverage = coverage.Coverage(config_file="pyproject.toml", data_file=None, source=["app/domain", "app/harmony"])
_coverage.start()
_report = ""


def pytest_collection_finish() -> None:
    """What is imported has been; from here on only the tests of the measured parts are traced."""
    _coverage.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Trace this test if it is of a measured part: tracing slows down what other tests hold to a time."""
    traced = any(item.path.is_relative_to(item.config.rootpath / folder) for folder in TRACED_TESTS)
    if traced:
        _coverage.start()
    try:
        return (yield)
    finally:
        if traced:
            _coverage.stop()


def percent_covered(measured: coverage.Coverage, include: list[str]) -> tuple[float, str]:
    """How much of the files is covered, branches included, and the table that says what is not."""
    table = io.StringIO()
    return measured.report(include=include, file=table), table.getvalue()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run that was good so far and left something uncovered."""
    global _report
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
