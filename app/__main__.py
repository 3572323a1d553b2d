"""``python -m app`` is the same as ``alcove``."""

import os
import sys
from multiprocessing import freeze_support


def main() -> int:
    """Run the program; the exit status. In a frozen program's child this never returns."""
    fill_closed_streams()
    freeze_support()
    try:
        from app.main import main as run

        return run(sys.argv[1:])
    except KeyboardInterrupt:  # before anything listens for it
        return 130


def fill_closed_streams() -> None:
    """Open nothing in place of each standard stream that is closed, in this process and in its children.

    Otherwise the next file or pipe gets the stream's number, and is written over by whoever means the stream.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened == descriptor:  # the lowest free number, as POSIX has it
                os.set_inheritable(descriptor, True)
            else:
                os.dup2(opened, descriptor)
                os.close(opened)


if __name__ == "__main__":
    sys.exit(main())
