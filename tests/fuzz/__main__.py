"""``python -m tests.fuzz --cases 10000 --seed 1``: a table of what generated bad inputs led to; 1 if any failed."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before any library looks

from tests.fuzz.explore import KINDS, Tally, explore
from tests.fuzz.ground import ground


def main() -> int:
    """Run, print, and say whether all went well."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=list(KINDS), help="only these")
    parser.add_argument("--traces", action="store_true", help="show where each failure came from")
    given = parser.parse_args()
    chosen = [given.kind] if given.kind else list(KINDS)
    whole = sum(KINDS[kind][1] for kind in chosen)
    tallies: list[Tally] = []
    print(
        f"{'kind':<16}{'cases':>7}{'refused':>9}{'good':>7}{'listed':>8}{'saved':>7}{'messages':>10}{'failures':>10}{'slowest':>9}{'seconds':>9}"
    )
    with tempfile.TemporaryDirectory() as scratch, ground(Path(scratch)) as place:
        for kind in chosen:
            started = time.perf_counter()
            tally = explore(kind, round(given.cases * KINDS[kind][1] / whole), given.seed, place)
            tallies.append(tally)
            _line(tally, time.perf_counter() - started)
    for tally in tallies:
        for fault, (case, outcome) in tally.failures.items():
            print(f"\n{tally.kind}: {fault}\n  {ascii(case)[:2000]}\n  said: {outcome.said[:300]!r}")
            if given.traces:
                print(outcome.where[-3000:])
    total = sum(sum(tally.ended.values()) for tally in tallies)
    print(f"\n{total:,} cases, {sum(tally.faults for tally in tallies)} failures")
    return 1 if any(tally.faults for tally in tallies) else 0


def _line(tally: Tally, seconds: float) -> None:
    ended = tally.ended
    counts = f"{sum(ended.values()):>7,}{ended['refused']:>9,}{ended['reached']:>7,}"
    counts += f"{ended['listed']:>8,}{ended['saved']:>7,}"
    print(
        f"{tally.kind:<16}{counts}{len(tally.messages):>10,}{tally.faults:>10,}{tally.slowest:>8.1f}s{seconds:>9.0f}",
        flush=True,
    )


sys.exit(main())
