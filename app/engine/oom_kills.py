"""Whether the system ended a process for want of memory: it uses the same signal as everybody else who kills."""

from pathlib import Path


def oom_kills(root: Path = Path("/")) -> int:
    """How many processes Linux has ended to get memory back, since it started; 0 where that is not told.

    It counts those of a group's limit too (``oom_kill`` in /proc/vmstat, since Linux 4.13), before it kills.
    """
    try:
        lines = (root / "proc/vmstat").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    found = next((line.split()[-1] for line in lines if line.startswith("oom_kill ")), "0")
    return int(found) if found.isdecimal() else 0
