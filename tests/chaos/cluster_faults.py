"""Machines that go away: a sweep on a cluster whose head runs the driver and whose other node runs the trials."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.chaos.fault import Fault, Setting
from tests.chaos.sweep import Sweep
from tests.cluster.raylets import Raylet, Raylets, raylets

CLUSTER = "cluster"
NOTICE_S = 20.0  # between a spot machine's notice and its end
BACK_S = 10.0  # every resource is free again as soon as this after a sweep
RESERVED = """
import json, sys
from ray._private.state import GlobalState
from ray._raylet import GcsClientOptions
state = GlobalState()
state._initialize_global_state(GcsClientOptions.create(sys.argv[1], None, True, False))
free, all_ = state.available_resources(), state.cluster_resources()
groups = [g for g in state.placement_group_table().values() if g["state"] != "REMOVED"]
named = [name for name in all_ if name == "CPU" or name == "memory"]
short = [f"{name} {free.get(name, 0):g} of {all_[name]:g}" for name in named if free.get(name, 0) < all_[name]]
print(json.dumps(short + [f"placement group {g['placement_group_id']} {g['state']}" for g in groups]))
"""


class Machines:
    """The cluster of one case, which may have to be set up again."""

    def __init__(self, folder: Path, environment: Mapping[str, str], stack: ExitStack) -> None:
        self._folder, self._environment, self._stack = folder, environment, stack
        self._number = 0
        self.start()

    def start(self) -> None:
        """A head without cores for trials and a node with one."""
        self._number += 1
        self.cluster: Raylets = self._stack.enter_context(raylets(self._folder / f"cluster-{self._number}", ()))
        self.cluster.start_node(0, environment=self._environment)
        self.node = self.add()

    def add(self) -> Raylet:
        """Another node for trials."""
        self.node = self.cluster.start_node(1, environment=self._environment)
        return self.node

    def extra(self) -> list[str]:
        return ["--address", self.cluster.address]

    def reserved(self) -> list[str]:
        """What is still taken after the sweep; then the cluster ends."""
        environment = {**os.environ, **self._environment, **self.cluster.environment()}
        end = time.monotonic() + BACK_S
        command = [sys.executable, "-c", RESERVED, self.cluster.address]
        while True:
            done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            left = [str(line) for line in json.loads(done.stdout.strip().splitlines()[-1])]
            if not left or time.monotonic() > end:
                self.cluster.stop()
                return left


@contextmanager
def cluster(case: Path, environment: Mapping[str, str]) -> Iterator[Setting]:
    with ExitStack() as stack:
        machines = Machines(case, environment, stack)
        own = {**machines.cluster.environment()}
        yield Setting(extra=tuple(machines.extra()), environment=own, reserved=machines.reserved, machines=machines)


def lose_node(sweep: Sweep, pid: int, setting: Setting) -> None:
    """The node that runs the trial loses power; another one comes."""
    machines = setting.machines
    assert isinstance(machines, Machines)
    machines.cluster.kill(machines.node)
    sweep.release()
    machines.add()


def take_node(sweep: Sweep, pid: int, setting: Setting) -> None:
    """A spot machine is taken back with notice; another one comes."""
    machines = setting.machines
    assert isinstance(machines, Machines)
    going = machines.node
    end = time.monotonic() + NOTICE_S
    machines.cluster.drain(going, NOTICE_S)
    sweep.release()
    machines.add()
    time.sleep(max(0.0, end - time.monotonic()))
    machines.cluster.kill(going)


def lose_head(sweep: Sweep, pid: int, setting: Setting) -> None:
    """Everything loses power, the driver too; a new cluster runs the same job again."""
    machines = setting.machines
    assert isinstance(machines, Machines)
    sweep.drivers[-1].kill()
    machines.cluster.stop()
    machines.start()
    sweep.extra = [*sweep.extra[: sweep.extra.index("--address")], *machines.extra()]
    sweep.environment.update(machines.cluster.environment())
    sweep.resume("--continue")


FAULTS = (
    Fault("SIGKILL of a node", lose_node, needs=CLUSTER, again=("died",)),
    Fault("spot node drained, then killed", take_node, needs=CLUSTER, again=("preempted",)),
    Fault("SIGKILL of head, driver and nodes", lose_head, needs=CLUSTER),
)
