"""Recovers a damaged chat database again and again, and is killed each time at a later touch of the disk.

python -m tests.unit.store.killed_recovery DAMAGED FOLDER

Leaves FOLDER/1, FOLDER/2... as the kills left them; the last is the one that was not killed any more.
"""

import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

from app.store.chats import ChatStore

TOUCHES = {"execute", "backup", "close", "open", "rename", "replace", "unlink", "fsync", "Connection"}


def recover_until(path: Path, moment: int) -> None:
    """Open the store; before the ``moment``-th call that may touch the disk this process is killed."""
    touches = 0

    def count(_frame: FrameType, event: str, function: object) -> None:
        nonlocal touches
        if event == "c_call" and getattr(function, "__name__", "") in TOUCHES:
            touches += 1
            if touches == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    store = ChatStore(path)
    sys.setprofile(None)
    store.close()


def main(damaged: Path, folder: Path) -> None:
    moment = 0
    status = -1
    while status:
        moment += 1
        place = folder / str(moment)
        place.mkdir()
        path = place / "chats.sqlite3"
        shutil.copy(damaged, path)
        path.with_name(path.name + "-wal").write_bytes(b"not a log")
        child = os.fork()
        if not child:
            recover_until(path, moment)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status in {0, signal.SIGKILL}, status


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
