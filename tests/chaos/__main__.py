"""``make chaos``: faults at three moments of a sweep; a table of what came of each. See ``--help``."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from tests.chaos.place import make_place, threads

threads()

from tests.chaos.bench import Bench  # noqa: E402 - what it imports reads the number of threads
from tests.chaos.fault import Row  # noqa: E402
from tests.chaos.kills import kills  # noqa: E402
from tests.chaos.processes import preload  # noqa: E402
from tests.chaos.table import heading, line, write  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--case", action="append", help="FAULT@MOMENT: only this one, by a part of its name; repeat")
    parser.add_argument("--sort", action="append", help="machine, group, services or cluster; repeat; default: all")
    parser.add_argument("--moment", action="append", help="start, middle or checkpoint; repeat; default: all")
    parser.add_argument("--kills", type=int, help="instead: kill -9 of the driver at so many random moments")
    parser.add_argument("--seed", type=int, default=1, help="of those moments")
    parser.add_argument("--quick", action="store_true", help="do not run an unhurt group to compare groups with")
    parser.add_argument("--json", type=Path, help="also write the rows there")
    parser.add_argument("--save", type=Path, help="also write the table there, e.g. tests/chaos/RESULTS.md")
    parser.add_argument("--place", type=Path, help="keep the workspace in this folder (a short name), and use it again")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of everything that must be ended
    preload()
    folder = asked.place or Path(tempfile.mkdtemp(prefix="rc"))
    rows: list[Row] = []
    try:
        place = make_place(folder)
        if asked.kills:
            return kills(place, asked.kills, asked.seed)
        with ExitStack() as stack:
            bench = Bench(place, stack, quick=asked.quick)
            print(heading(), flush=True)
            for fault, moment in bench.cases(asked.sort, asked.moment, asked.case):
                row = bench.run(fault, moment)
                rows.append(row)
                print(line(row), flush=True)
    finally:
        if asked.place is None:
            shutil.rmtree(folder, ignore_errors=True)
        if asked.json:
            asked.json.write_text(json.dumps([asdict(row) for row in rows]))
        if asked.save and rows:
            write(asked.save, rows)
    return int(not rows or any(row.problems for row in rows))


if __name__ == "__main__":
    sys.exit(main())
