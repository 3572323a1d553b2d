"""The program's log: what it did and what went wrong, never the text of a chat."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

_LARGEST = 1_000_000
_KEPT = 3
_OWN = ("app", "alcove", "qt")
_FORMAT = "%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"


class LogFile:
    """Logs of the whole process go to ``path`` until `close`; three older files of a megabyte are kept."""

    def __init__(self, path: Path, level: str) -> None:
        """``level`` is the name of one of Python's levels, in any case."""
        self._handler = RotatingFileHandler(
            path, maxBytes=_LARGEST, backupCount=_KEPT, encoding="utf-8", errors="backslashreplace", delay=True
        )
        self._handler.setFormatter(logging.Formatter(_FORMAT))
        logging.getLogger().addHandler(self._handler)
        self._levels_before = {name: logging.getLogger(name).level for name in _OWN}
        self.set_level(level)

    def set_level(self, level: str) -> None:
        """Write down more or less from now on. Of other people's code only warnings: it may log what it works on."""
        for name in _OWN:
            logging.getLogger(name).setLevel(level.upper())

    def close(self) -> None:
        """Stop logging to the file."""
        logging.getLogger().removeHandler(self._handler)
        for name, before in self._levels_before.items():
            logging.getLogger(name).setLevel(before)
        self._handler.close()
