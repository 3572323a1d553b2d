"""What nobody expected: logged with its traceback and said in the window, from whatever thread it comes."""

import logging
import sys
import threading
from types import TracebackType

from PySide6.QtCore import QMessageLogContext, QObject, QtMsgType, Signal, qInstallMessageHandler

from app.domain.errors import ErrorCode, UserError

log = logging.getLogger(__name__)
qt_log = logging.getLogger("qt")

_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


class BugReporter(QObject):
    """``bug(UserError)``: an exception that nothing caught; each place in the code is reported once, logged always."""

    bug = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._told: set[tuple[str, str, int]] = set()
        self._before = sys.excepthook, threading.excepthook

    def install(self) -> None:
        """Catch what nobody catches, in all threads, and what Qt says."""
        sys.excepthook = self._exception
        threading.excepthook = self._thread_exception
        qInstallMessageHandler(qt_message)

    def uninstall(self) -> None:
        """Leave the hooks as they were."""
        sys.excepthook, threading.excepthook = self._before
        qInstallMessageHandler(None)

    def _exception(self, kind: type[BaseException], bug: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        log.critical("nobody expected this", exc_info=(kind, bug, trace))
        place = (kind.__name__, *_origin(trace))
        if place not in self._told:
            self._told.add(place)
            self.bug.emit(UserError(ErrorCode.BUG, reason=kind.__name__))

    def _thread_exception(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self._exception(args.exc_type, args.exc_value, args.exc_traceback)


def _origin(trace: TracebackType | None) -> tuple[str, int]:
    """File and line where an exception was raised."""
    if trace is None:
        return "", 0
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename, trace.tb_lineno


def qt_message(kind: QtMsgType, context: QMessageLogContext, message: str | None) -> None:
    """Write what Qt says into the log."""
    qt_log.log(_LEVELS.get(kind, logging.WARNING), "%s: %s", context.category or "default", message)
