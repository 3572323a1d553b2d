"""The log: bounded, and gone from the process when it is closed."""

from __future__ import annotations

import logging
from pathlib import Path

from app.services.log_file import LogFile


def test_the_log_is_written_bounded_and_closed(tmp_path: Path) -> None:
    root, own = logging.getLogger(), logging.getLogger("app")
    before = list(root.handlers), own.level
    file = LogFile(tmp_path / "alcove.log", "warning")
    log = logging.getLogger("app.test")
    log.info("too quiet")
    logging.getLogger("markdown_it").info("the text of a chat")
    log.warning("loud enough \ud800")
    file.set_level("info")
    log.info("now heard")
    text = (tmp_path / "alcove.log").read_text()
    assert "too quiet" not in text
    assert "the text of a chat" not in text
    assert "loud enough" in text
    assert "now heard" in text
    for _ in range(50):
        log.warning("x" * 100_000)
    file.close()
    log.warning("after the end")
    assert (list(root.handlers), own.level) == before
    files = sorted(tmp_path.iterdir())
    assert len(files) == 4
    assert sum(file.stat().st_size for file in files) <= 4_000_000
    assert not any("after the end" in file.read_text() for file in files)
