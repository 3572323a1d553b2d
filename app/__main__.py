"""``python -m app`` is the same as ``alcove``."""

import sys
from multiprocessing import freeze_support


def main() -> int:
    """Run the program; the exit status. In a frozen program's child this never returns."""
    freeze_support()
    from app.main import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
