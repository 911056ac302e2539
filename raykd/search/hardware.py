"""How many trials run at once, and on what: on this machine alone, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import torch

from raykd.cpus import available_cpus
from raykd.errors import UserError
from raykd.search.space import Space
from raykd.train.config import Training


@dataclass(frozen=True)
class Asked:
    """What the user wants of the hardware; None is chosen for what there is."""

    address: str | None = None  # of a running Ray cluster; None: this machine alone
    concurrency: int | None = None
    workers: int = 1
    gpus_per_worker: float | None = None
    wait: float = 0.0  # seconds for an autoscaler to start nodes

    def check(self) -> None:
        """UserError for what is wrong whatever the hardware."""
        problems = []
        if self.workers < 1:
            problems.append(f"workers-per-trial {self.workers}: at least 1")
        if self.concurrency is not None and self.concurrency < 1:
            problems.append(f"concurrency {self.concurrency}: at least 1")
        if self.gpus_per_worker is not None and not 0 <= self.gpus_per_worker < float("inf"):
            problems.append(f"gpus-per-worker {self.gpus_per_worker:g}: 0 or more")
        if not 0 <= self.wait < float("inf"):
            problems.append(f"wait-for-nodes {self.wait:g}: 0 seconds or more")
        elif self.wait and self.address is None:
            problems.append("wait-for-nodes: only a cluster (--address) can grow")
        if problems:
            raise UserError(*problems)


def fit_here(asked: Asked) -> tuple[int, float]:
    """Trials at once and GPUs a worker on this machine: one worker a core, or one a GPU where there are any.

    Cores are those that the process may use (`available_cpus`). OMP_NUM_THREADS changes nothing here: it says how many
    threads a process takes, and a worker takes one.
    """
    cores, accelerators = available_cpus(), torch.cuda.device_count()
    gpus = float(asked.gpus_per_worker if asked.gpus_per_worker is not None else min(1, accelerators))
    problems = []
    if asked.workers > cores:
        problems.append(f"workers-per-trial {asked.workers}: {cores} cores may be used here, so 1 to {cores}")
    if gpus * asked.workers > accelerators:
        problems.append(f"gpus-per-worker {gpus:g} x {asked.workers} workers: this machine has {accelerators} GPUs")
    if problems:
        raise UserError(*problems)
    fit = int(accelerators / (gpus * asked.workers)) if gpus else cores // asked.workers
    return min(asked.concurrency or fit, fit), gpus


def fit_there(asked: Asked, say: Callable[[str], object]) -> tuple[int, float]:
    """The same on the cluster that was joined. More than fits now may be asked for: an autoscaler sees what waits."""
    from raykd.search import cluster

    found = cluster.nodes()
    most = max((node.gpus for node in found), default=0.0)
    gpus = float(asked.gpus_per_worker if asked.gpus_per_worker is not None else min(1.0, most))
    fit = cluster.require(found, workers=asked.workers, threads=1, gpus_per_worker=gpus, wait=asked.wait, say=say)
    here = ", ".join(f"{node.address} {node.cpus:g} CPU {node.gpus:g} GPU" for node in cluster.nodes())
    say(f"cluster: {here}; {fit} trials fit at once")
    return asked.concurrency or fit, gpus


def check_shares(space: Space, training: Training, workers: int) -> None:
    """Workers take equal shares of a batch, so every batch size must divide among them."""
    if workers == 1:
        return
    sizes = next((d.candidates() for d in space.dimensions if d.name == "batch_size"), (training.batch_size,))
    uneven = list(islice((size for size in sizes if size % workers), 5))  # a range may be longer than patience
    if uneven:
        raise UserError(f"batch_size {', '.join(map(str, uneven))}: does not divide among {workers} workers")
