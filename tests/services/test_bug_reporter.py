"""What nobody expected is logged with its traceback and said once."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import qCritical, qWarning
from pytestqt.qtbot import QtBot

from app.domain.errors import ErrorCode, UserError
from app.services.bug_reporter import BugReporter


@pytest.fixture
def reporter(qapp: object) -> Iterator[BugReporter]:
    """The hooks in place; afterwards they are what they were."""
    before = sys.excepthook, threading.excepthook
    reporter = BugReporter()
    reporter.install()
    yield reporter
    reporter.uninstall()
    assert (sys.excepthook, threading.excepthook) == before


def fail() -> None:
    raise ZeroDivisionError("the reason")


def report() -> None:
    try:
        fail()
    except ZeroDivisionError as bug:
        sys.excepthook(type(bug), bug, bug.__traceback__)


def test_a_bug_is_logged_always_and_said_once(reporter: BugReporter, caplog: pytest.LogCaptureFixture) -> None:
    said: list[UserError] = []
    reporter.bug.connect(said.append)
    report()
    report()
    assert [error.code for error in said] == [ErrorCode.BUG]
    assert "ZeroDivisionError" in str(said[0])
    assert caplog.text.count("ZeroDivisionError: the reason") == 2
    assert "def fail" not in caplog.text
    assert "in fail" in caplog.text


def test_a_bug_in_a_thread_is_said_on_the_ui_thread(
    qtbot: QtBot, reporter: BugReporter, caplog: pytest.LogCaptureFixture
) -> None:
    threads: list[int] = []
    reporter.bug.connect(lambda _: threads.append(threading.get_ident()))
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: bool(threads))
    assert threads == [threading.get_ident()]
    assert "in fail" in caplog.text


def test_an_interruption_is_no_bug(reporter: BugReporter) -> None:
    said: list[UserError] = []
    reporter.bug.connect(said.append)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert said == []


def test_what_qt_says_is_logged(reporter: BugReporter, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        qWarning("something is odd")
        qCritical("something is wrong")
    levels = {record.getMessage().partition(": ")[2]: record.levelno for record in caplog.records}
    assert levels == {"something is odd": logging.WARNING, "something is wrong": logging.ERROR}
