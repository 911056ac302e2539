"""A trial's own log: every report, one JSON line each, in ``reports.jsonl`` of its folder.

It is written by the trial before anyone else hears of the report, so whoever must catch up (MLflow after it was away,
a resumed sweep) reads it here.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from raykd.train.loop import Report

REPORTS = "reports.jsonl"


def write_report(folder: Path, report: Report) -> None:
    """Append `report`; on a line of its own even where a crash cut the last one short."""
    file = folder / REPORTS
    cut_short = file.is_file() and not file.read_bytes().endswith(b"\n")
    with file.open("a", encoding="utf-8") as lines:
        lines.write("\n" * cut_short + json.dumps(asdict(report)) + "\n")


def read_reports(folder: Path) -> list[dict[str, Any]]:
    """The reports in `folder`, each evaluation once, in order; a line cut short by a crash is left out."""
    file = folder / REPORTS
    reports: dict[int, dict[str, Any]] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        try:
            report = json.loads(line)
        except json.JSONDecodeError:
            continue
        reports[report["evaluation"]] = report
    return [reports[number] for number in sorted(reports)]
