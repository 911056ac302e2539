"""What every worker process does before its first trial, as Ray's ``worker_process_setup_hook``."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys

from raykd.train.notice import listen

BEGIN = "raykd.train.worker_start.begin"
SIOCGIFADDR = 0x8915  # Linux: the address of an interface


def begin() -> None:
    """Listen for a notice to leave, and let groups talk by the interface that Ray talks by."""
    import ray.util

    listen()
    name = interface_of(ray.util.get_node_ip_address())
    if name is not None:
        # Left alone, gloo takes the address that the host's own name stands for: on Debian 127.0.1.1, which no other
        # machine can reach.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


def interface_of(address: str) -> str | None:
    """The network interface that has this IPv4 address; None where that cannot be told."""
    if sys.platform != "linux":
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asking.fileno(), SIOCGIFADDR, struct.pack("256s", name.encode()))
            except OSError:  # it has none
                continue
            has = socket.inet_ntoa(answer[20:24])
            if has == address or (has.startswith("127.") and address.startswith("127.")):
                return name
    return None
