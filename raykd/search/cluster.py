"""What a Ray cluster has, how many trials fit on it, and whether each of its nodes can run one."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raykd.errors import UserError
from raykd.search.join import session
from raykd.search.look import looking

__all__ = ["Node", "capacity", "check_nodes", "nodes", "require", "session"]

ALIKE = ("python", "ray", "raykd", "torch", "transformers")
ANSWER_S = 90.0  # for a node to say what it has; it starts a process for that
SIGHT_S = 5.0  # a file made a moment ago may take this long to be seen over NFS
SHOWN = 8  # nodes named in a message
ALMOST = 1e-6  # of a resource, lost in floating point


@dataclass(frozen=True)
class Node:
    """A machine of the cluster and all it has, free or not."""

    id: str
    address: str
    cpus: float
    gpus: float

    def __str__(self) -> str:
        return f"{self.address} {self.cpus:g} CPU {self.gpus:g} GPU"


def nodes() -> list[Node]:
    """The nodes that live, are not being taken away, and have CPUs or GPUs."""
    leaving = ray._private.state.state.get_draining_nodes()
    found = [
        Node(node["NodeID"], node["NodeManagerAddress"], has.get("CPU", 0.0), has.get("GPU", 0.0))
        for node in ray.nodes()
        if node["Alive"] and node["NodeID"] not in leaving
        for has in (node["Resources"],)
    ]
    return sorted((node for node in found if node.cpus or node.gpus), key=lambda node: (node.address, node.id))


def slots(node: Node, *, threads: float, gpus_per_worker: float) -> int:
    """Workers that fit on `node`. A share of a GPU lies on one GPU."""
    by_cpus = math.floor(node.cpus / threads + ALMOST)
    if not gpus_per_worker:
        return by_cpus
    if gpus_per_worker < 1:
        by_gpus = math.floor(node.gpus + ALMOST) * math.floor(1 / gpus_per_worker + ALMOST)
    else:
        by_gpus = math.floor(node.gpus / gpus_per_worker + ALMOST)
    return min(by_cpus, by_gpus)


def capacity(found: Sequence[Node], *, workers: int, threads: float, gpus_per_worker: float) -> int:
    """Trials that run at once on the nodes `found`: each worker on one node, the group over any of them."""
    return sum(slots(node, threads=threads, gpus_per_worker=gpus_per_worker) for node in found) // workers


def require(
    found: Sequence[Node],
    *,
    workers: int,
    threads: float,
    gpus_per_worker: float,
    wait: float = 0.0,
    say: Callable[[str], object] = print,
) -> int:
    """The capacity of `found`, at least one; else that of the cluster within `wait` seconds, asked of its autoscaler.

    Raises UserError with the arithmetic when a trial does not fit.
    """
    fit = capacity(found, workers=workers, threads=threads, gpus_per_worker=gpus_per_worker)
    if not fit and wait > 0:
        say(f"cluster: waits up to {wait:g} s for nodes: {_arithmetic(workers, threads, gpus_per_worker)}")
        bundle = {"CPU": threads} | ({"GPU": gpus_per_worker} if gpus_per_worker else {})
        _request([bundle] * workers)
        try:
            end = time.monotonic() + wait
            while not fit and time.monotonic() < end:
                time.sleep(min(1.0, wait))
                found = nodes()
                fit = capacity(found, workers=workers, threads=threads, gpus_per_worker=gpus_per_worker)
        finally:
            _request([])
    if not fit:
        raise UserError(_too_small(found, workers, threads, gpus_per_worker, wait))
    return fit


def _request(bundles: list[dict[str, float]]) -> None:
    from ray.autoscaler.sdk import request_resources

    request_resources(bundles=bundles)


def _arithmetic(workers: int, threads: float, gpus: float) -> str:
    one = f"{threads:g} CPU" + (f" + {gpus:g} GPU" if gpus else "")
    if workers == 1:
        return f"a trial needs {one}"
    total = f"{workers * threads:g} CPU" + (f", {workers * gpus:g} GPU" if gpus else "")
    return f"a trial needs {workers} workers x ({one}) = {total}"


def _too_small(found: Sequence[Node], workers: int, threads: float, gpus: float, wait: float) -> str:
    places = sum(slots(node, threads=threads, gpus_per_worker=gpus) for node in found)
    most = f"the largest that fits: {places} worker{'s' * (places != 1)}" if places else "not one worker fits on a node"
    listed = ", ".join(map(str, found[:SHOWN])) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
    has = f"the cluster has {len(found)} node{'s' * (len(found) != 1)}: {listed}" if found else "the cluster has none"
    waited = f" after {wait:g} s" if wait > 0 else ""
    return f"{_arithmetic(workers, threads, gpus)}; {has}{waited}; {most}"


def check_nodes(say: Callable[[str], object], *, token: Path | None, paths: Sequence[str]) -> None:
    """That every node has the driver's versions, reads the file `token` as the driver does, and sees all `paths`.

    Raises UserError with what is wrong on every node. A node whose CPUs are all busy is asked all the same.
    """
    look = looking()
    content = hashlib.sha256(token.read_bytes()).hexdigest() if token else None
    wanted = {"token": (str(token.resolve()), content) if token else None, "paths": list(dict.fromkeys(paths))}
    here = look(ALIKE, None, [], 0.0)
    remote = ray.remote(num_cpus=0, max_retries=0)(look)
    found = nodes()
    asked = {
        remote.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(
            ALIKE, wanted["token"], wanted["paths"], SIGHT_S
        ): node
        for node in found
    }
    answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_S) if asked else ([], [])
    problems = []
    for reference, node in asked.items():
        try:
            answer = ray.get(reference) if reference in answered else None
        except ray.exceptions.RayError as error:
            problems.append(f"node {node.address}: cannot run a task: {str(error).strip().splitlines()[-1]}")
            continue
        problems += _wrong(node, answer, here)
        if answer is None:
            ray.cancel(reference, force=True)
    if problems:
        raise UserError(*problems)
    say(f"cluster: {len(found)} node{'s' * (len(found) != 1)} checked: same versions, and the sweep's files in sight")


def _wrong(node: Node, answer: dict[str, Any] | None, here: dict[str, Any]) -> list[str]:
    if answer is None:
        return [f"node {node.address}: no answer within {ANSWER_S:g} s; is raykd installed there?"]
    problems = []
    differ = [
        f"{name} {answer['versions'][name] or 'not installed'} (here {here['versions'][name]})"
        for name in ALIKE
        if answer["versions"][name] != here["versions"][name]
    ]
    if differ:
        problems.append(f"node {node.address}: other versions than here: {', '.join(differ)}: use one image for all")
    if answer["unseen"]:
        problems.append(
            f"node {node.address}: cannot see {', '.join(answer['unseen'])}: put it, and RAYKD_HOME, on storage that "
            "every node mounts at the same path (NFS), or set RAYKD_HOME=s3://BUCKET/PREFIX"
        )
    return problems
