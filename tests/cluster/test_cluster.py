"""What fits on a cluster, and what is said before a sweep starts on one that cannot run it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray._private import services

from raykd.errors import UserError
from raykd.search.cluster import Node, capacity, require, session
from raykd.train.worker_start import interface_of
from tests.cluster.raylets import MARK, Raylets, free_port, processes_of, raylets

SMALL = [Node("a", "10.0.0.1", 4, 0), Node("b", "10.0.0.2", 4, 2)]


@pytest.mark.parametrize(
    ("found", "workers", "threads", "gpus", "trials"),
    [
        (SMALL, 1, 1, 0, 8),
        (SMALL, 1, 3, 0, 2),  # a worker lies on one node: 2 x 4 CPUs hold two of three
        (SMALL, 2, 3, 0, 1),  # a group may span both
        (SMALL, 1, 0.5, 0, 16),
        (SMALL, 1, 1, 1, 2),
        (SMALL, 1, 1, 0.5, 4),
        (SMALL, 1, 1, 0.4, 4),  # two shares of 0.4 a GPU, not five on two
        (SMALL, 1, 1, 2, 1),
        (SMALL, 3, 1, 1, 0),
        ([Node("a", "h", 0.3, 0)], 1, 0.1, 0, 3),  # 0.3 / 0.1 < 3 in floating point
        ([], 1, 1, 0, 0),
    ],
)
def test_capacity(found: list[Node], workers: int, threads: float, gpus: float, trials: int) -> None:
    assert capacity(found, workers=workers, threads=threads, gpus_per_worker=gpus) == trials


def test_too_small_says_the_arithmetic_at_once() -> None:
    """S29."""
    start = time.monotonic()
    with pytest.raises(UserError) as told:
        require(SMALL, workers=4, threads=2, gpus_per_worker=1)
    assert time.monotonic() - start < 1
    assert str(told.value) == (
        "a trial needs 4 workers x (2 CPU + 1 GPU) = 8 CPU, 4 GPU; the cluster has 2 nodes: 10.0.0.1 4 CPU 0 GPU, "
        "10.0.0.2 4 CPU 2 GPU; the largest that fits: 2 workers"
    )
    with pytest.raises(UserError, match=r"a trial needs 5 CPU; .* not one worker fits on a node"):
        require(SMALL, workers=1, threads=5, gpus_per_worker=0)
    with pytest.raises(UserError, match="the cluster has none"):
        require([], workers=1, threads=1, gpus_per_worker=0)
    assert require(SMALL, workers=2, threads=2, gpus_per_worker=1) == 1


def test_the_interface_of_an_address() -> None:
    assert interface_of("127.0.0.1") == "lo"
    assert interface_of("127.3.2.1") == "lo"
    assert interface_of("203.0.113.77") is None


JOIN = """
import sys, time
from raykd.errors import UserError
from raykd.search.cluster import check_nodes, nodes, require, session
from pathlib import Path
start = time.monotonic()
try:
    with session(sys.argv[1], {}):
        exec(sys.argv[2])
except UserError as error:
    print("UserError:", *error.problems, sep="\\n")
print("seconds", time.monotonic() - start)
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raylets]:
    """Two nodes, the second with another torch."""
    folder = tmp_path_factory.mktemp("pair")
    other = folder / "other" / "torch-0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 0.1\n")
    with raylets(folder / "cluster", (2,)) as cluster:
        cluster.start_node(1, environment={"PYTHONPATH": str(other.parent)})
        yield cluster


def join(cluster: Raylets, address: str, do: str = "print('joined')", **environment: str) -> tuple[list[str], float]:
    """The lines that a driver of its own says, and the seconds that it took from its first try."""
    surroundings = {**os.environ, **cluster.token_only(), **environment}
    done = subprocess.run(
        cluster.command(sys.executable, "-c", JOIN, address, do),
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    *lines, last = done.stdout.splitlines()
    return lines, float(last.split()[1])


@pytest.mark.slow
def test_joins_and_counts(pair: Raylets) -> None:
    do = "print(*nodes(), sep='\\n'); print(require(nodes(), workers=3, threads=1, gpus_per_worker=0))"
    lines, _ = join(pair, pair.address, do)
    first, second = (pair.nodes[number].address for number in (0, 1))
    assert lines == [f"{first} 2 CPU 0 GPU", f"{second} 1 CPU 0 GPU", "1"]


@pytest.mark.slow
def test_waits_for_nodes_and_takes_the_request_back(pair: Raylets) -> None:
    do = """
from ray.experimental.internal_kv import _internal_kv_get
from ray._private import ray_constants
asked = lambda: _internal_kv_get(ray_constants.AUTOSCALER_RESOURCE_REQUEST_CHANNEL)
def say(text):
    print(text)
try:
    require(nodes(), workers=5, threads=1, gpus_per_worker=0, wait=2, say=say)
finally:
    print(asked())
"""
    lines, seconds = join(pair, pair.address, do)
    assert lines[0].startswith("cluster: waits up to 2 s for nodes: a trial needs 5 workers x (1 CPU) = 5 CPU")
    assert lines[1] == "b'[]'"
    assert "after 2 s; the largest that fits: 3 workers" in lines[-1]
    assert seconds < 30


REFUSED = {
    "closed": "no Ray cluster answers there",
    "not Ray": "it does not answer as a Ray cluster",
    "token": "the cluster does not accept this token",
    "no token": "the cluster does not accept this token",
    "token file": "(RAY_AUTH_TOKEN_PATH) cannot be read",
    "word": "auto, or HOST:PORT",
    "client": "auto, or HOST:PORT",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", REFUSED)
def test_a_cluster_that_cannot_be_joined(pair: Raylets, what: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("0" * 64)
    changed = {
        "token": {"RAY_AUTH_TOKEN_PATH": str(wrong)},
        "no token": {"RAY_AUTH_MODE": "disabled"},
        "token file": {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "absent")},
    }
    with socket.socket() as silent:
        silent.bind((pair.nodes[0].address, 0))
        silent.listen()
        host, port = silent.getsockname()
        addresses = {"closed": f"{host}:{free_port()}", "not Ray": f"{host}:{port}", "word": "tomorrow"}
        addresses["client"] = f"ray://{pair.address}"
        address = addresses.get(what, pair.address)
        lines, seconds = join(pair, address, **changed.get(what, {}))
    assert lines[0] == "UserError:"
    assert len(lines) == 2
    assert REFUSED[what] in lines[1]
    assert address in lines[1]
    assert seconds < 20


@pytest.mark.slow
def test_auto_finds_a_cluster_or_says_that_there_is_none(pair: Raylets, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, _ = join(pair, "auto", RAY_ADDRESS=pair.address)
    assert lines == ["joined"]

    def none(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(services, "canonicalize_bootstrap_address", none)
    with pytest.raises(UserError, match="no Ray cluster runs on this machine, and RAY_ADDRESS"), session("auto", {}):
        pass


@pytest.mark.slow
def test_nodes_that_cannot_take_part_are_named(pair: Raylets, tmp_path: Path) -> None:
    """Other versions and files that are not there, all in one error, and asked while every CPU is busy."""
    token = tmp_path / "spec.json"
    token.write_text("sweep")
    (tmp_path / "teacher").mkdir()
    busy = "import ray; h = [ray.remote(lambda: __import__('time').sleep(60)).remote() for _ in range(3)];"
    do = f"{busy} check_nodes(print, token=Path({str(token)!r}), paths=[{str(tmp_path / 'teacher')!r}, '/nowhere'])"
    lines, seconds = join(pair, pair.address, do)
    first, second = (pair.nodes[number].address for number in (0, 1))
    assert lines[0] == "UserError:"
    assert lines[1].startswith(f"node {first}: cannot see /nowhere: put it")
    assert "RAYKD_HOME=s3://" in lines[1]
    assert lines[2].startswith(f"node {second}: other versions than here: torch 0.1 (here ")
    assert lines[3].startswith(f"node {second}: cannot see /nowhere")
    assert len(lines) == 4
    assert seconds < 60


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mount namespaces want root")
def test_a_folder_of_the_same_name_is_not_the_same_folder(tmp_path: Path) -> None:
    shared = tmp_path / "home"
    shared.mkdir()
    (shared / "spec.json").write_text("the driver's")
    hide = f'mount -t tmpfs none {shared} && echo other > {shared}/spec.json && exec "$@"'
    hidden = ["unshare", "-m", "sh", "-c", hide, "sh"]
    with raylets(tmp_path / "cluster", (1,)) as cluster:
        cluster.start_node(1, inside=hidden)
        do = f"check_nodes(print, token=Path({str(shared / 'spec.json')!r}), paths=[])"
        lines, _ = join(cluster, cluster.address, do)
        assert lines[0] == "UserError:"
        assert lines[1].startswith(f"node {cluster.nodes[1].address}: cannot see {shared / 'spec.json'}")
        assert len(lines) == 2


PRIVATE = """
import os, ray
from raykd.search.cluster import nodes, session
os.environ["RAY_ADDRESS"] = "10.255.255.1:1"  # somebody else's
with session(None, {"MINE": "yes"}, cpus=3):
    (node,) = nodes()
    print(node, ray.get(ray.remote(lambda: os.environ["MINE"]).remote()))
    print(os.environ["RAY_ADDRESS"], ray.get_runtime_context().gcs_address, flush=True)
    input()
"""
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}  # 127.0.0.1, as the kernel writes it
LISTENS = "0A"


@pytest.mark.slow
def test_a_private_ray_serves_this_machine_alone() -> None:
    marked = {**os.environ, MARK: f"private-{os.getpid()}", "SPT_NOENV": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", PRIVATE], env=marked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "127.0.0.1 3 CPU 0 GPU yes\n"
        assert process.stdout.readline().startswith("10.255.255.1:1 127.0.0.1:")
        addresses = listened_on(processes_of(marked[MARK]))
    finally:
        process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert addresses
    assert addresses <= LOOPBACK


def listened_on(pids: list[int]) -> set[str]:
    """The addresses that these processes serve on, as the kernel writes them."""
    sockets = {os.readlink(file) for pid in pids for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()}
    rows = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[1].rpartition(":")[0] for row in rows if row[3] == LISTENS and f"socket:[{row[9]}]" in sockets}
