"""The three rings (which device holds what) of a Swift with one device and one copy.

A script for the interpreter that Swift is installed in: `python swift_rings.py FOLDER ACCOUNT_PORT CONTAINER_PORT
OBJECT_PORT` writes `account.ring.gz`, `container.ring.gz` and `object.ring.gz` into FOLDER.
"""

from __future__ import annotations

import sys
from pathlib import Path

from swift.common.ring import RingBuilder

PART_POWER = 4  # 16 partitions: enough for one device, and quick


def main() -> None:
    folder, *ports = sys.argv[1:]
    for name, port in zip(("account", "container", "object"), ports, strict=True):
        ring = RingBuilder(PART_POWER, replicas=1, min_part_hours=0)
        ring.add_dev(
            {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "disk", "weight": 1.0, "meta": ""}
        )
        ring.rebalance()
        ring.get_ring().save(str(Path(folder) / f"{name}.ring.gz"))


if __name__ == "__main__":
    main()
