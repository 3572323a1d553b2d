"""Limits of control groups, read from trees of files as kernels and containers show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.engine.cgroups import CgroupLimits, read_limits
from tests.support.file_tree import grow

GB = 1 << 30
V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)

TREES = {
    "no control groups at all": ({}, CgroupLimits()),
    "version 2 without limits": (
        {
            "proc/self/cgroup": "0::/user.slice/app.scope\n",
            "proc/self/mountinfo": V2,
            "sys/fs/cgroup/user.slice/app.scope/memory.max": "max\n",
            "sys/fs/cgroup/user.slice/app.scope/memory.high": "max\n",
            "sys/fs/cgroup/user.slice/app.scope/memory.current": f"{GB}\n",
            "sys/fs/cgroup/user.slice/app.scope/cpu.max": "max 100000\n",
        },
        CgroupLimits(),
    ),
    "version 2: the parent's limits are tighter, its cached files are free": (
        {
            "proc/self/cgroup": "0::/user.slice/app.scope\n",
            "proc/self/mountinfo": V2,
            "sys/fs/cgroup/user.slice/app.scope/memory.max": f"{8 * GB}\n",
            "sys/fs/cgroup/user.slice/app.scope/memory.current": f"{2 * GB}\n",
            "sys/fs/cgroup/user.slice/app.scope/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/user.slice/memory.max": f"{4 * GB}\n",
            "sys/fs/cgroup/user.slice/memory.current": f"{3 * GB}\n",
            "sys/fs/cgroup/user.slice/memory.stat": f"anon {GB}\nactive_file {GB // 2}\ninactive_file {GB // 2}\n",
            "sys/fs/cgroup/user.slice/cpu.max": "150000 100000\n",
        },
        CgroupLimits(4 * GB, 2 * GB, 1.5),
    ),
    "version 2: throttling counts as a limit": (
        {
            "proc/self/cgroup": "0::/a\n",
            "proc/self/mountinfo": V2,
            "sys/fs/cgroup/a/memory.max": "max\n",
            "sys/fs/cgroup/a/memory.high": f"{3 * GB}\n",
            "sys/fs/cgroup/a/memory.current": f"{4 * GB}\n",
        },
        CgroupLimits(3 * GB, 0),
    ),
    "version 2: the tightest limit is one group's, the fullest another": (
        {
            "proc/self/cgroup": "0::/a/b\n",
            "proc/self/mountinfo": V2,
            "sys/fs/cgroup/a/b/memory.max": f"{2 * GB}\n",
            "sys/fs/cgroup/a/b/memory.current": "0\n",
            "sys/fs/cgroup/a/memory.max": f"{4 * GB}\n",
            "sys/fs/cgroup/a/memory.current": f"{3 * GB}\n",
        },
        CgroupLimits(2 * GB, GB),
    ),
    "version 1": (
        {
            "proc/self/cgroup": "4:memory:/jobs/one\n1:cpu,cpuacct:/jobs\n0::/\n",
            "proc/self/mountinfo": V1,
            "sys/fs/cgroup/memory/jobs/one/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/jobs/memory.limit_in_bytes": f"{6 * GB}\n",
            "sys/fs/cgroup/memory/jobs/memory.usage_in_bytes": f"{2 * GB}\n",
            "sys/fs/cgroup/memory/jobs/memory.stat": f"cache {GB}\ntotal_inactive_file {GB}\ninactive_file 5\n",
            "sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
        CgroupLimits(6 * GB, 5 * GB, 0.5),
    ),
    "a container of version 1 that sees its own part only": (
        {
            "proc/self/cgroup": "4:memory:/docker/abc/inner\n",
            "proc/self/mountinfo": "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup ro,memory\n",
            "sys/fs/cgroup/memory/inner/memory.limit_in_bytes": f"{3 * GB}\n",
            "sys/fs/cgroup/memory/inner/memory.usage_in_bytes": f"{GB}\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GB}\n",
        },
        CgroupLimits(2 * GB, 2 * GB),
    ),
    "a group outside of what is mounted": (
        {
            "proc/self/cgroup": "0::/../../other\n",
            "proc/self/mountinfo": V2,
            "sys/fs/cgroup/memory.max": f"{GB}\n",
            "sys/fs/cgroup/memory.current": "0\n",
        },
        CgroupLimits(GB, GB),
    ),
    "both versions, and a mount point with a space": (
        {
            "proc/self/cgroup": "4:memory:/\n0::/a\n",
            "proc/self/mountinfo": "1 2 0:3 / /my\\040groups rw - cgroup2 none rw\n" + V1,
            "my groups/a/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GB}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GB // 4}\n",
        },
        CgroupLimits(GB, 3 * GB // 4, 2.0),
    ),
    "nonsense": (
        {
            "proc/self/cgroup": "what\n0::/a\n",
            "proc/self/mountinfo": "what\n" + V2,
            "sys/fs/cgroup/a/memory.max": "plenty\n",
            "sys/fs/cgroup/a/cpu.max": "100000 0\n",
        },
        CgroupLimits(),
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_limits_of_a_tree(name: str, tmp_path: Path) -> None:
    files, expected = TREES[name]
    assert read_limits(grow(tmp_path, files)) == expected
