"""The CPUs that a process may use, by made-up control groups, by real affinity, and by OMP_NUM_THREADS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from raykd import cpus

CODE = "from raykd.cpus import available_cpus, thread_count; print(available_cpus(), thread_count())"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, 16),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 16),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "400000 100000\n"}, 4),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "20000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "300000 100000\n"}, 3),
        (
            {  # the group above allows less
                "proc/self/cgroup": "0::/pod/own\n",
                "sys/fs/cgroup/pod/cpu.max": "200000 100000\n",
                "sys/fs/cgroup/pod/own/cpu.max": "800000 100000\n",
            },
            2,
        ),
        (  # the path is the host's, and a container sees its own group as the root
            {"proc/self/cgroup": "0::/docker/0123\n", "sys/fs/cgroup/cpu.max": "250000 50000\n"},
            5,
        ),
        (
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/box\n1:name=systemd:/\n",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "600000\n",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
            },
            6,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/\n0::/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            16,
        ),
        ({"proc/self/cgroup": "nonsense\n\n7:\n", "sys/fs/cgroup/cpu.max": "\n"}, 16),
        ({"proc/self/cgroup": "0::/../up\n", "sys/fs/cgroup/cpu.max": "0 0\n"}, 16),
    ],
)
def test_quotas(files: dict[str, str], count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(16)))
    assert cpus.available_cpus(write(tmp_path, files)) == count


@pytest.mark.parametrize(
    ("value", "count"),
    [("3", 3), ("1", 1), ("99", 8), ("4,2", 4), ("0", 8), ("-1", 8), ("two", 8), ("", 8), ("1.5", 8), ("٣", 8)],
)
def test_threads(value: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpus, "available_cpus", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert cpus.thread_count() == count


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux alone pins processes to cores")
def test_affinity_of_a_real_process() -> None:
    core = min(os.sched_getaffinity(0))
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    assert done.stdout.split() == ["1", "1"]


def test_a_wish_of_the_user_stays() -> None:
    environment = {"OMP_WAIT_POLICY": "ACTIVE"}
    cpus.sleep_while_waiting(environment)
    assert environment == {"OMP_WAIT_POLICY": "ACTIVE"}


def test_nothing_else_counts_the_machine() -> None:
    """Each command asks raykd.cpus; a count of its own would forget what the process may use."""
    root = Path(cpus.__file__).parent
    users = {file.name for file in root.rglob("*.py") if "cpu_count" in file.read_text(encoding="utf-8")}
    assert users == {"cpus.py", "turns.py"}  # the latter holds the machine's load against all of the machine
