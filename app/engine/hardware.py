"""What of this machine matters for running a model: for now the number of threads that decode fastest."""

import os

# Below this, starting and joining threads costs more than they compute: on 1 MB of weights, one thread decoded several
# times as fast as two.
TINY_MODEL_BYTES = 50 * 1024 * 1024


def usable_cores() -> int:
    """Physical cores this process may run on, at least 1. Second threads of a core slow decoding down."""
    import psutil  # 40 ms that the start of a child with a tiny model need not wait for

    physical = psutil.cpu_count(logical=False) or 1
    return max(1, min(physical, _allowed_cpus()))


def _allowed_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(weight_bytes: int) -> int:
    """How many threads decode a model of this size fastest."""
    return 1 if weight_bytes < TINY_MODEL_BYTES else usable_cores()
