"""A Ray cluster of several raylets on this one machine, for tests that need nodes that can die.

Nodes have loopback addresses of their own, or, as root, live in network namespaces joined by a bridge. Every process
of a node carries a mark in its environment, so a node can be killed whole and nothing stays behind.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.network import Network

MARK = "RAYKD_TEST_NODE"
RAY = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]
START_WAIT = 60.0  # seconds for a node to be up


@dataclass(frozen=True)
class Raylet:
    """One node: where it is, and what its processes are known by."""

    number: int
    address: str
    mark: str
    temporary: Path
    log: Path
    prefix: tuple[str, ...] = ()  # the command that enters its network namespace

    def processes(self) -> list[int]:
        """The id of every process of this node that runs now."""
        return processes_of(self.mark)

    def workers(self, doing: str = "") -> list[int]:
        """Its worker processes, busy or idle, whose titles (``ray::IDLE``, ``ray::RayTrainWorker``) hold `doing`."""
        titles = {pid: _read(pid, "cmdline").decode(errors="replace") for pid in self.processes()}
        return [pid for pid, title in titles.items() if title.startswith("ray::") and doing in title]


def processes_of(mark: str) -> list[int]:
    """Every process that runs now and has `mark` in its environment."""
    entry = f"{MARK}={mark}".encode()
    return [pid for pid in _running() if entry in _read(pid, "environ").split(b"\0")]


def _running() -> list[int]:
    """All processes but those that are dead and not yet waited for."""
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in found if _read(pid, "stat").rpartition(b")")[2].split()[:1] not in ([], [b"Z"])]


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:  # gone meanwhile
        return b""


class Raylets:
    """A head (number 0) and further nodes; made by `raylets`."""

    def __init__(self, folder: Path, network: Network | None, port: int) -> None:
        self.folder = folder
        self.network = network
        self.port = port
        self.nodes: dict[int, Raylet] = {}
        self.started: list[subprocess.Popen[bytes]] = []
        self.numbers = itertools.count()
        self.token = folder / "token"
        self.token.write_text(secrets.token_hex(32))
        self.token.chmod(0o600)

    @property
    def address(self) -> str:
        """HOST:PORT of the cluster."""
        return f"{self.nodes[0].address}:{self.port}"

    def token_only(self) -> dict[str, str]:
        """What lets a process in."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.token)}

    def environment(self) -> dict[str, str]:
        """What a driver that joins needs; it starts by `command`."""
        return {**self.token_only(), "RAY_ADDRESS": self.address}

    def command(self, *command: str) -> list[str]:
        """`command` as it runs on the head."""
        return [*self.nodes[0].prefix, *command]

    def start_node(
        self,
        cpus: int = 1,
        *,
        resources: Mapping[str, float] | None = None,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        inside: Sequence[str] = (),
    ) -> Raylet:
        """Start a node and wait until it is up. inside: a command that its processes start in, as ``unshare -m``."""
        number = next(self.numbers)
        address = self._loopback(number)
        prefix: tuple[str, ...] = ()
        if self.network is not None:
            address, prefix = self.network.add(number)
        # Sockets live below the temporary folder and their paths must stay short.
        temporary = Path(tempfile.mkdtemp(prefix="rk", dir=os.environ.get("TMPDIR", "/tmp")))
        node = Raylet(number, address, f"{self.folder}:{number}", temporary, self.folder / f"node-{number}.log", prefix)
        self.nodes[number] = node
        joins = ["--head", f"--port={self.port}", "--include-dashboard=false"]
        joins.append(f"--ray-client-server-port={free_port()}")
        joins = joins if number == 0 else [f"--address={self.address}"]
        command = [
            *(*prefix, *inside, *RAY, "start", "--block", *joins, f"--node-ip-address={address}"),
            *(f"--num-cpus={cpus}", "--num-gpus=0", f"--temp-dir={temporary}", "--disable-usage-stats"),
            *("--object-store-memory=100000000", "--include-log-monitor=false"),
            *(["--resources", json.dumps({**resources})] if resources else []),
            *options,
        ]
        # SPT_NOENV: a process that takes a title would write it over its environment, the mark with it.
        marked = {MARK: node.mark, "SPT_NOENV": "1", **self.token_only(), **(environment or {})}
        surroundings = {**os.environ, **marked}
        surroundings.pop("RAY_ADDRESS", None)
        with node.log.open("wb") as log:
            process = subprocess.Popen(
                command, env=surroundings, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.started.append(process)
        end = time.monotonic() + START_WAIT
        while "Ray runtime started" not in node.log.read_text():
            if time.monotonic() > end or process.poll() is not None:
                raise RuntimeError(f"node {number} did not start:\n{node.log.read_text()}")
            time.sleep(0.1)
        return node

    def kill(self, node: Raylet) -> None:
        """SIGKILL every process of `node` at once, as a machine does that loses power."""
        while processes := node.processes():
            for pid in processes:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)

    def drain(self, node: Raylet, seconds: float) -> None:
        """Tell the cluster that `node` goes away in `seconds`, as a spot machine is taken back."""
        listing = self._ray_python(
            "import json, ray._raylet as r, sys\n"
            "client = r.GcsClient(address=sys.argv[1])\n"
            "print(json.dumps([n.node_id.hex() for n in client.get_all_node_info().values()\n"
            "    if n.node_manager_address == sys.argv[2] and n.state == 0]))",
            node.address,
        )
        (identity,) = json.loads(listing)
        told = ["drain-node", f"--address={self.address}", f"--node-id={identity}"]
        told += [
            "--reason=DRAIN_NODE_REASON_PREEMPTION",
            "--reason-message=spot",
            f"--deadline-remaining-seconds={int(seconds)}",
        ]
        subprocess.run(
            self.command(*RAY, *told), env={**os.environ, **self.environment()}, check=True, capture_output=True
        )

    def _loopback(self, number: int) -> str:
        """An address of this machine for node `number`, unlike those of another test's cluster."""
        return f"127.{self.port % 250 + 1}.{self.port // 250 % 250}.{2 + number}"

    def _ray_python(self, code: str, *arguments: str) -> str:
        return self._run(sys.executable, "-c", code, self.address, *arguments).strip().splitlines()[-1]

    def _run(self, *command: str) -> str:
        told = {**os.environ, **self.environment()}
        return subprocess.run(self.command(*command), env=told, check=True, capture_output=True, text=True).stdout

    def stop(self) -> None:
        """End everything and take every trace away."""
        for node in reversed(self.nodes.values()):
            self.kill(node)
            shutil.rmtree(node.temporary, ignore_errors=True)
        for process in self.started:
            process.wait(10)
        if self.network is not None:
            self.network.remove()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def raylets(folder: Path, cpus: Sequence[int] = (1, 1), *, namespaces: bool = False) -> Iterator[Raylets]:
    """A cluster with a node for each of `cpus`, gone at the end. folder: for its token and logs."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = Raylets(folder, Network() if namespaces else None, free_port())
    try:
        for count in cpus:
            cluster.start_node(count)
        yield cluster
    finally:
        cluster.stop()
