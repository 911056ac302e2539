"""The table of what came of each fault."""

from __future__ import annotations

import datetime
import os
import platform
import sys
from pathlib import Path

from tests.chaos.fault import Row

COLUMNS = ("fault", "moment", "outcome", "seconds to recover", "lost", "twice", "leaked", "champion same")
ABOUT = """# What came of each fault

Every fault is injected at three moments of a sweep of a baseline and three trials, one at a time: `start`, before the
first report; `middle`, two trials done and the third under way; `checkpoint`, half of a checkpoint's file written.
*seconds to recover*: from the fault to the next report in the sweep's journal. *lost*: trials and reports missing in
the journal, the Optuna study or MLflow. *twice*: of which there is more than one. *leaked*: processes and reserved
resources left after the end. *champion same*: the champion is the same trial with the same weights, bit for bit, as
without a fault, and so are the settings and scores of all trials (not asked where a fault changes the arithmetic).
"""


def heading() -> str:
    """The first two lines of the table."""
    return f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def line(row: Row) -> str:
    """One row, and below it what is wrong."""
    seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
    same = {None: "not asked", True: "yes", False: "NO"}[row.same]
    cells = (row.fault, row.moment, row.outcome, seconds, row.lost, row.twice, row.leaked, same)
    text = f"| {' | '.join(map(str, cells))} |"
    return "\n".join([text, *(f"  PROBLEM: {problem}" for problem in row.problems)])


def write(file: Path, rows: list[Row]) -> None:
    """The table with what it was measured on."""
    survived = sum(not row.problems for row in rows)
    sums = [sum(getattr(row, what) for row in rows) for what in ("lost", "twice", "leaked")]
    recovered = sorted(row.seconds for row in rows if row.seconds is not None)
    middle = recovered[len(recovered) // 2] if recovered else 0.0
    text = [
        ABOUT,
        f"{survived} of {len(rows)} survived; lost {sums[0]}, counted twice {sums[1]}, leaked {sums[2]}; "
        f"median {middle:.0f} s to recover.",
        "",
        f"{datetime.date.today()}, {os.cpu_count()} cores ({platform.machine()}, shared with other work), "
        f"Python {platform.python_version()}: `python -m tests.chaos {' '.join(sys.argv[1:])}`".rstrip(),
        "",
        heading(),
        *map(line, rows),
    ]
    file.write_text("\n".join(text) + "\n")
