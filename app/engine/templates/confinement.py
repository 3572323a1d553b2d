"""What keeps a hostile template in: bounds on its process's memory, time and files, and an end with its parent's."""

import ctypes
import os
import signal
import sys
from multiprocessing import parent_process
from typing import Any, Final

MEMORY_BYTES: Final = 256 * 1024 * 1024
"""What a template may take beyond what Python itself takes."""

CPU_S: Final = 2.0
"""Seconds of a processor that one drawing may take."""

CLOCK_S: Final = 10.0
"""Seconds on the clock that it may take, on a machine that is busy with other things."""

# The kernel's own end to a process that nobody watches any more, because its parent died while it was drawing.
_UNWATCHED_CPU_S: Final = 10
_PR_SET_PDEATHSIG: Final = 1


def confine_self() -> None:
    """Give up, in the template's process, what a template has no need of. Everything must be imported before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal reaches the whole group
    if sys.platform == "win32":
        return  # a job object is laid around it from outside
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    parent = parent_process()
    if parent is not None and os.getppid() != parent.pid:
        os._exit(0)  # it died before the line above
    import resource

    for kind, bound in (
        (resource.RLIMIT_AS, _mapped_bytes() + MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),  # no file and no socket can be opened any more; those that are open stay
    ):
        try:
            resource.setrlimit(kind, (bound, bound))
        except (OSError, ValueError):
            continue  # macOS bounds no address space: the parent looks at the memory as well


def allow_more_time() -> None:
    """Bound the processor time of the next drawing from inside; the parent's own bound is narrower."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    bound = int(used.ru_utime + used.ru_stime) + _UNWATCHED_CPU_S
    _, hardest = resource.getrlimit(resource.RLIMIT_CPU)
    if hardest in (resource.RLIM_INFINITY, -1) or bound < hardest:
        resource.setrlimit(resource.RLIMIT_CPU, (bound, hardest))


def _mapped_bytes() -> int:
    """The address space this process has now; 0 where it is not told."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - read once, before files are closed off
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


# ---- Windows ----

_JOB_OBJECT_EXTENDED_LIMITS: Final = 9
_LIMIT_ACTIVE_PROCESS: Final = 0x8
_LIMIT_PROCESS_MEMORY: Final = 0x100
_LIMIT_KILL_ON_CLOSE: Final = 0x2000
_PROCESS_SET_QUOTA_AND_TERMINATE: Final = 0x0100 | 0x0001


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    )


class _ExtendedLimits(ctypes.Structure):
    _fields_ = (
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


class Job:
    """A Windows job object around one process: its memory is bounded, and it dies when the job's last handle closes,
    which the system does when this process ends, however it ends. Elsewhere it does nothing.
    """

    def __init__(self, pid: int) -> None:
        self._handle: int | None = None
        if sys.platform != "win32":
            return
        kernel: Any = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateJobObjectW.restype = ctypes.c_void_p
        kernel.OpenProcess.restype = ctypes.c_void_p
        self._close: Any = kernel.CloseHandle
        self._handle = kernel.CreateJobObjectW(None, None)
        limits = _ExtendedLimits()
        limits.BasicLimitInformation.LimitFlags = _LIMIT_ACTIVE_PROCESS | _LIMIT_PROCESS_MEMORY | _LIMIT_KILL_ON_CLOSE
        limits.BasicLimitInformation.ActiveProcessLimit = 1
        limits.ProcessMemoryLimit = MEMORY_BYTES
        job = ctypes.c_void_p(self._handle)
        kernel.SetInformationJobObject(
            job, _JOB_OBJECT_EXTENDED_LIMITS, ctypes.byref(limits), ctypes.c_uint32(ctypes.sizeof(limits))
        )
        process = ctypes.c_void_p(kernel.OpenProcess(_PROCESS_SET_QUOTA_AND_TERMINATE, False, pid))
        held = kernel.AssignProcessToJobObject(job, process)
        kernel.CloseHandle(process)
        if not held:
            self.close()
            raise OSError("the template's process cannot be bounded")

    def close(self) -> None:
        """Let the job go, and its process with it."""
        if self._handle is not None:
            self._close(ctypes.c_void_p(self._handle))
            self._handle = None
