"""Network namespaces for the nodes of a test's cluster, each with an address of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess


class Network:
    """A bridge and a network namespace a node, with addresses that exist only between them."""

    def __init__(self) -> None:
        self.name = f"rk{secrets.token_hex(3)}"
        self.subnet = f"10.{213 + secrets.randbelow(30)}.{secrets.randbelow(250)}"
        self.spaces: list[str] = []
        self._ip("link", "add", self.name, "type", "bridge")
        self._ip("link", "set", self.name, "up")

    def add(self, number: int) -> tuple[str, tuple[str, ...]]:
        """A namespace for node `number`: its address, and the command that enters it."""
        space, outside, address = f"{self.name}n{number}", f"{self.name}v{number}", f"{self.subnet}.{number + 1}"
        self._ip("netns", "add", space)
        self.spaces.append(space)
        self._ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", space)
        self._ip("link", "set", outside, "master", self.name, "up")
        self._ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
        self._ip("-n", space, "link", "set", "eth0", "up")
        self._ip("-n", space, "link", "set", "lo", "up")
        return address, ("ip", "netns", "exec", space)

    def remove(self) -> None:
        """Take namespaces and bridge away."""
        for space in self.spaces:
            self._ip("netns", "del", space)
        self._ip("link", "del", self.name)

    @staticmethod
    def _ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)


def namespaces_work() -> bool:
    """Whether this machine lets the test make network namespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    try:
        network = Network()
        network.add(0)
    except (subprocess.CalledProcessError, OSError):
        return False
    network.remove()
    return True
