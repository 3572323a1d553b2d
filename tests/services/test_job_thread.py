"""Jobs run in order on their own thread; what they come to arrives on the UI thread."""

from __future__ import annotations

import logging
import threading

import pytest
from PySide6.QtCore import QCoreApplication
from pytestqt.qtbot import QtBot

from app.domain.errors import ErrorCode, UserError
from app.services.job_thread import JobThread

FULL = UserError(ErrorCode.DISK_FULL, path="/")


def listing(unhandled: list[UserError]) -> JobThread[list[str]]:
    return JobThread("listing", make=list, end=lambda names: names.append("end"), unhandled=unhandled.append)


def test_jobs_run_in_order_and_answer_on_the_ui_thread(qtbot: QtBot) -> None:
    thread = listing([])
    results: list[tuple[int, str, int]] = []

    def job(number: int, names: list[str]) -> tuple[int, str]:
        names.append(str(number))
        return number, threading.current_thread().name

    for number in range(100):
        thread.submit(
            lambda names, number=number: job(number, names),
            done=lambda found: results.append((*found, threading.get_ident())),
        )
    qtbot.waitUntil(lambda: len(results) == 100)
    assert results == [(number, "listing", threading.get_ident()) for number in range(100)]
    thread.close()


def test_an_error_goes_to_its_job_or_to_all(qtbot: QtBot) -> None:
    unhandled: list[UserError] = []
    taken: list[UserError] = []
    thread = listing(unhandled)

    def fail(_: list[str]) -> None:
        raise FULL

    thread.submit(fail, failed=taken.append)
    thread.submit(fail)
    qtbot.waitUntil(lambda: bool(unhandled))
    assert (taken, unhandled) == ([FULL], [FULL])
    thread.close()


def test_a_bug_is_logged_and_the_jobs_behind_it_are_done(qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    unhandled: list[UserError] = []
    lengths: list[int] = []
    thread = listing(unhandled)
    thread.submit(lambda names: names[7])
    thread.submit(len, done=lengths.append)
    qtbot.waitUntil(lambda: bool(lengths))
    assert [error.code for error in unhandled] == [ErrorCode.BUG]
    assert "IndexError" in caplog.text
    thread.close()


def test_when_nothing_can_be_made_every_job_says_why(qtbot: QtBot) -> None:
    unhandled: list[UserError] = []

    def make() -> list[str]:
        raise FULL

    thread = JobThread[list[str]]("unmade", make=make, end=lambda _: pytest.fail("made"), unhandled=unhandled.append)
    thread.submit(len)
    thread.submit(len)
    qtbot.waitUntil(lambda: len(unhandled) == 2)
    assert unhandled == [FULL, FULL]
    thread.close()


def test_close_finishes_the_jobs_and_nothing_arrives_after_it(qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    names: list[str] = []
    arrived: list[object] = []
    thread = JobThread("closing", make=lambda: names, end=lambda made: made.append("end"), unhandled=arrived.append)
    for number in range(10):
        thread.submit(lambda made, number=number: made.append(str(number)), done=arrived.append)
    with caplog.at_level(logging.WARNING):
        thread.close()
        thread.close()
    assert names == [*map(str, range(10)), "end"]
    QCoreApplication.processEvents()
    assert arrived == []
    assert caplog.text == ""
