"""Windows: a child ends together with the program, however the program ends.

A job object with ``JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE`` ends its processes when its last handle is closed, which the
system does for a program that died. (Microsoft's documentation: "Job Objects", ``SetInformationJobObject``.)
"""

import ctypes
import sys
from ctypes import wintypes
from typing import Any

_KILL_ON_JOB_CLOSE = 0x2000
_EXTENDED_LIMIT_INFORMATION = 9
_SET_QUOTA, _TERMINATE = 0x0100, 0x0001


class BasicLimits(ctypes.Structure):
    """``JOBOBJECT_BASIC_LIMIT_INFORMATION``."""

    _fields_ = (
        ("per_process_user_time_limit", ctypes.c_int64),
        ("per_job_user_time_limit", ctypes.c_int64),
        ("limit_flags", ctypes.c_uint32),
        ("minimum_working_set_size", ctypes.c_size_t),
        ("maximum_working_set_size", ctypes.c_size_t),
        ("active_process_limit", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority_class", ctypes.c_uint32),
        ("scheduling_class", ctypes.c_uint32),
    )


class ExtendedLimits(ctypes.Structure):
    """``JOBOBJECT_EXTENDED_LIMIT_INFORMATION``; six counters of input and output stand in its middle."""

    _fields_ = (
        ("basic", BasicLimits),
        ("io_counters", ctypes.c_ulonglong * 6),
        ("process_memory_limit", ctypes.c_size_t),
        ("job_memory_limit", ctypes.c_size_t),
        ("peak_process_memory_used", ctypes.c_size_t),
        ("peak_job_memory_used", ctypes.c_size_t),
    )


class KillOnClose:
    """Ties a child to this process; nothing on other systems. ``close`` when the child has ended."""

    def __init__(self, pid: int) -> None:
        """Older systems refuse a process that is in a job already: it is then left to the end of its pipe."""
        self._job = _job_with(pid) if sys.platform == "win32" else None

    def close(self) -> None:
        """Give the handle back."""
        if self._job is not None:
            _kernel().CloseHandle(self._job)
            self._job = None


def _kernel() -> Any:
    assert sys.platform == "win32"
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateJobObjectW.restype = wintypes.HANDLE
    kernel.OpenProcess.restype = wintypes.HANDLE
    kernel.SetInformationJobObject.argtypes = (wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD)
    kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
    kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
    return kernel


def _job_with(pid: int) -> int | None:
    kernel = _kernel()
    job = kernel.CreateJobObjectW(None, None)
    if not job:
        return None
    limits = ExtendedLimits()
    limits.basic.limit_flags = _KILL_ON_JOB_CLOSE
    kernel.SetInformationJobObject(job, _EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits))
    process = kernel.OpenProcess(_SET_QUOTA | _TERMINATE, False, pid)
    if process:
        kernel.AssignProcessToJobObject(job, process)
        kernel.CloseHandle(process)
    return job
