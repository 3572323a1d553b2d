"""A disk that really is full: a small file system where the machine allows one, a limit on file sizes elsewhere."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


def can_mount() -> bool:
    """Whether this process may mount a file system of its own."""
    return sys.platform == "linux" and os.geteuid() == 0 and Path("/proc/filesystems").read_text().find("tmpfs") >= 0


@contextlib.contextmanager
def small_disk(folder: Path, size_bytes: int, *, files: int = 0) -> Iterator[Path]:
    """A file system of its own at ``folder`` that holds ``size_bytes``, and so many files (0: any number)."""
    folder.mkdir()
    options = f"size={size_bytes},nr_inodes={files},mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


@contextlib.contextmanager
def no_file_beyond(size_bytes: int) -> Iterator[None]:
    """While inside, no file of this process can grow beyond ``size_bytes`` (POSIX)."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fill(folder: Path) -> None:
    """Leave not one free byte on the file system that ``folder`` is on; meant for ``small_disk`` alone."""
    handle = os.open(folder / "filler", os.O_CREAT | os.O_WRONLY)
    try:
        for piece in (65_536, 4096, 1):
            with contextlib.suppress(OSError):
                while os.write(handle, bytes(piece)):
                    pass
    finally:
        os.close(handle)
