"""Published numbers beside those of a sweep's finals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from raykd import storage
from raykd.errors import UserError
from raykd.models.planned import student_shape
from raykd.models.spec import parse_student
from raykd.report.contenders import Contender
from raykd.report.paper_card import CardRow, paper_card
from raykd.search.found import splits_of
from raykd.search.spec import SweepSpec

MOST = 10  # rows: the most comparable ones


def cards(spec: SweepSpec, contenders: Sequence[Contender]) -> list[CardRow]:
    """For the method of each contender, what papers report for it on the task; [] where its networks have gone."""
    try:
        origin = Path(storage.at_hand(spec.origin))
        shapes = {one.name: student_shape(parse_student(spec.student_of(one.settings)), origin) for one in contenders}
    except (OSError, UserError):
        return []
    reporting = splits_of(spec)[1]
    split = "dev" if reporting.startswith("dev") else reporting  # MNLI's dev_matched
    best = {str(one.settings.get("method")): one for one in reversed(contenders)}  # of each method the best one
    rows = [
        row
        for method, one in best.items()
        for row in paper_card(
            spec.task.flag,
            method,
            shapes[one.name],
            one.report,
            metric=spec.task.primary,
            teacher=spec.teacher_name,
            split=split,
        )
    ]
    return sorted(rows, key=lambda row: (not row.comparable, row.verdict.count(",")))[:MOST]
