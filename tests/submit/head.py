"""A Ray head of its own for a test, with dashboard and token, on this machine's loopback address."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

# Stands for raykd on the cluster: a tune that only says what it sees. --seed is its exit code, --trials its seconds.
STUB = """#!{python}
import os, sys, time
words = sys.argv[1:]
def of(flag, default): return words[words.index(flag) + 1] if flag in words else default
print("line:", *words)
print("home:", os.environ.get("RAYKD_HOME"), "secret:", os.environ.get("AWS_SECRET_ACCESS_KEY"))
data = of("--data", "")
if os.path.isfile(data): print("data:", open(data).read().strip())
for second in range(int(of("--trials", "0"))):
    print("second", second)
    time.sleep(1)
print("done \\u2713")
sys.exit(int(of("--seed", "0")))
"""


@dataclass(frozen=True)
class Head:
    """address: of the dashboard. token: file with its token."""

    address: str
    port: int
    token: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to be let in."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.token)}


@contextmanager
def ray_head() -> Iterator[Head]:
    """Start a head with one CPU; everything of it is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # Ray's sockets allow no long paths
    (folder / "bin").mkdir()
    (folder / "bin" / "raykd").write_text(STUB.format(python=sys.executable))
    (folder / "bin" / "raykd").chmod(0o755)
    (folder / "token").write_text("0123456789abcdef" * 4)
    (folder / "token").chmod(0o600)
    ports = free_ports(5)
    head = Head(f"http://127.0.0.1:{ports[1]}", ports[1], folder / "token")
    flags = ["--port", "--dashboard-port", "--dashboard-agent-listen-port", "--ray-client-server-port"]
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus", "1"]
    command += [word for flag, port in zip(flags, ports, strict=False) for word in (flag, str(port))]
    command += ["--node-ip-address", "127.0.0.1", "--dashboard-host", "127.0.0.1", "--disable-usage-stats"]
    command += ["--temp-dir", str(folder / "t"), "--object-store-memory", "80000000"]
    environment = {
        **os.environ, **head.environment, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # without it Ray turns 127.0.0.1 into an outer address
    }  # fmt: skip
    log = (folder / "log").open("w")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        await_port(head.port, process)
        yield head
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        _end_all_of(folder)
        process.wait(20)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Ports that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def await_port(port: int, process: subprocess.Popen[bytes], seconds: float = 90) -> None:
    """Wait until something listens on `port`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, "the server ended"
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.3)
    raise AssertionError(f"nothing listens on {port}")


def _end_all_of(folder: Path) -> None:
    """Kill what names `folder` in its command line: only this head's processes do."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes()
                if f"{folder}/t".encode() in words:
                    os.kill(int(entry.name), signal.SIGKILL)
            except (OSError, ProcessLookupError):
                continue
