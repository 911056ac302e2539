"""What orchestration costs a trial, and whether that grows with their number.

``python -m tests.benchmarks.scale [--trials 1000] [--bare]``
"""

from __future__ import annotations

import argparse
import socket
import tempfile
from pathlib import Path

from tests.benchmarks.scale_parts import HEADING
from tests.benchmarks.scale_sim import simulate
from tests.benchmarks.scale_tune import under_tune


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--bare", action="store_true", help="without the mirrors")
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--keep-up", action="store_true", help="let the mirrors keep up, to see what they cost")
    parser.add_argument("--tune", action="store_true", help="under Ray Tune, without the mirrors")
    parser.add_argument("--mute", action="store_true", help="an MLflow server that takes all and answers nothing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, socket.create_server(("127.0.0.1", 0), backlog=100) as mute:
        print(HEADING)
        if arguments.tune:
            under_tune(
                Path(place), arguments.trials, at_once=arguments.at_once, every=arguments.every,
                sampler=arguments.sampler,
            )  # fmt: skip
            return
        simulate(
            Path(place), arguments.trials, at_once=arguments.at_once, every=arguments.every,
            mirrored=not arguments.bare, sampler=arguments.sampler, keep_up=arguments.keep_up,
            patience=1.0 if arguments.mute else 3600.0,
            tracking_uri=f"http://127.0.0.1:{mute.getsockname()[1]}" if arguments.mute else f"sqlite:///{place}/mlflow.db",
        )  # fmt: skip


if __name__ == "__main__":
    main()
