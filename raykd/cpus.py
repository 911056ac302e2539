"""How many CPUs this process may use: what its affinity, its container's quota and OMP_NUM_THREADS leave of them.

``os.cpu_count`` tells what the machine has. A batch system pins a process to some of its cores, a container runtime
limits the time it gets on them: threads beyond that wait for each other and make everything slower.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

OMP = "OMP_NUM_THREADS"
WAIT = "OMP_WAIT_POLICY"
ROOT = Path("/")


def available_cpus(root: Path = ROOT) -> int:
    """The CPUs that this process may keep busy, by its affinity and the quota of its control groups.

    Args:
        root: where ``proc`` and ``sys`` are looked for.

    Returns:
        At least 1; a quota of 1.5 CPUs is 1.
    """
    try:
        count = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not Linux
        count = os.cpu_count() or 1
    quota = _quota(root)
    return max(1, count if quota is None else min(count, int(quota)))


def thread_count() -> int:
    """The threads that torch is to compute with in this process: all of `available_cpus`, or fewer if OMP_NUM_THREADS
    says so. A value that is no positive number counts for nothing.

    Load of other processes does not change it: sums depend on the number of threads, and a run would not give the same
    again. See `sleep_while_waiting` for what keeps a busy machine from slowing it down.
    """
    wanted = os.environ.get(OMP, "").split(",")[0].strip()  # a list is by level of nesting
    cpus = available_cpus()
    return min(cpus, int(wanted)) if wanted.isascii() and wanted.isdecimal() and int(wanted) > 0 else cpus


def use_threads(count: int | None = None) -> None:
    """Let torch compute with `count` threads in this process; None: with `thread_count`."""
    import torch

    torch.set_num_threads(thread_count() if count is None else count)


def sleep_while_waiting(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have OpenMP's threads sleep, not spin, while they wait for each other, unless the user has said otherwise.

    Where others use the machine as well a thread that spins takes the core from the very thread it waits for. Of use
    only before torch is imported.
    """
    environment.setdefault(WAIT, "PASSIVE")


def _quota(root: Path) -> float | None:
    """The smallest quota, in CPUs, of the control groups of this process and of those above them; None for no limit."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    groups = root / "sys/fs/cgroup"
    quotas: list[float | None] = []
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:  # version 2; beside version 1 its tree is mounted as "unified"
            for mount in (groups, groups / "unified"):
                quotas += [_quota_v2(folder) for folder in _upwards(mount, path)]
        elif "cpu" in controllers.split(","):
            for mount in (groups / name for name in dict.fromkeys((controllers, "cpu", "cpu,cpuacct"))):
                quotas += [_quota_v1(folder) for folder in _upwards(mount, path)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _upwards(mount: Path, path: str) -> list[Path]:
    """The folder of the group `path` and of each above it. In a container the path may be the host's, and only the
    mount itself is there."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return [mount.joinpath(*parts[:length]) for length in range(len(parts), -1, -1)]


def _quota_v2(folder: Path) -> float | None:
    """Of ``cpu.max``: "max 100000", or microseconds of CPU time in each period of so many."""
    quota, period, *_ = [*_words(folder / "cpu.max"), "", ""]
    return _share(quota, period)


def _quota_v1(folder: Path) -> float | None:
    """Of ``cpu.cfs_quota_us``, where -1 is no limit, and ``cpu.cfs_period_us``."""
    quota, period = (" ".join(_words(folder / f"cpu.cfs_{name}_us")) for name in ("quota", "period"))
    return _share(quota, period)


def _share(quota: str, period: str) -> float | None:
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(quota) and int(period) else None


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return []
