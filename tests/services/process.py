"""What the services share: a server process behind its keeper, a port that stays free while it is down, waiting."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

KEEPER = Path(__file__).with_name("keeper.py")
PORTS = range(20_000, 32_000)  # below what Linux hands to outgoing connections: nobody takes it while we are down


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port found between {PORTS.start} and {PORTS.stop}")


@dataclass
class ServerProcess:
    """One server: `command`, run as `user` (None: whoever runs the tests); its output goes to `<folder>/<name>.log`."""

    name: str
    command: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    _keeper: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def running(self) -> bool:
        return self._keeper is not None and self._keeper.poll() is None

    def start(self) -> None:
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        with self.log.open("ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(KEEPER), str(self.folder), self.user or "-", *self.command],
                env={**os.environ, **self.environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # control-C in a terminal reaches the tests, which then stop the server
            )

    def stop(self, timeout: float = 30.0) -> None:
        """Clean shutdown; after `timeout` seconds the hard way. Does nothing where the server is down."""
        if self._keeper is None:
            return
        self._keeper.send_signal(self.stop_signal)
        try:
            self._keeper.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"{self.name} did not stop in {timeout} s:\n{self.tail()}") from None
        self._keeper = None

    def kill(self) -> None:
        """The server crashes: SIGKILL for it and its children."""
        if self._keeper is None:
            return
        self._keeper.send_signal(signal.SIGUSR1)
        self._keeper.wait()
        self._keeper = None

    def tail(self, lines: int = 25) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait(self, healthy: Callable[[], bool], timeout: float = 120.0) -> None:
        """Until `healthy()`; a server that ended meanwhile is an error with the end of its log."""
        end = time.monotonic() + timeout
        while not healthy():
            if not self.running:
                raise RuntimeError(f"{self.name} ended by itself:\n{self.tail()}")
            if time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{self.name} was not ready after {timeout} s:\n{self.tail()}")
            time.sleep(0.1)


def answers(port: int, path: str) -> bool:
    """Whether an HTTP server on this port answers GET `path` with 200."""
    request = f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(request)
            return b" 200 " in connection.recv(64)
    except OSError:
        return False
