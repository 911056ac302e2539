"""Whichever pruner: with an aim a small student is neither stopped nor held up by the scores of a large one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.space import Dimension, Space
from raykd.search.spec import SweepSpec
from tests.search.conftest import report

LARGE, SMALL = "cut:4", "cut:1"
RIGHT = {LARGE: 90, SMALL: 50}  # of 100 answers


@pytest.fixture
def space(space: Space) -> Space:
    """Two trials of the large student come first, then two of the small one."""
    start = tuple({"student": one, "temperature": number} for one in (LARGE, SMALL) for number in (1, 2))
    students = Dimension("student", "choice", (LARGE, SMALL))
    return dataclasses.replace(space, dimensions=(*space.dimensions, students), start=start)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("aim", "small"), [(None, False), ("accuracy>=0.5, min parameters", True)])
@pytest.mark.parametrize("pruner", ["halving", "promotion", "paired"])
def test_among_whom(tmp_path: Path, spec: SweepSpec, space: Space, pruner: str, aim: str | None, small: bool) -> None:
    spec = spec.model_copy(update={"pruner": pruner, "aim": aim})
    right = [np.arange(100) < RIGHT[one] for one in (LARGE, SMALL)]
    ledger = Ledger(Journal(tmp_path), spec, space, "trials", lambda said: right[said["score"] < 0.7].astype(float))
    ledger.next()  # the baseline
    trials = [trial for trial in (ledger.next() for _ in range(4)) if trial is not None]
    assert [trial.student for trial in trials] == [LARGE, LARGE, SMALL, SMALL]
    goes_on = set()
    for trial in trials:
        if not ledger.report(trial.label, report(2, RIGHT[trial.student] / 100)):
            goes_on.add(trial.student)
    if pruner == "promotion":
        after = [trial for trial in (ledger.next() for _ in range(2)) if trial is not None]
        goes_on = {trial.student for trial in after if trial.label in {one.label for one in trials}}
    assert goes_on == ({LARGE, SMALL} if small else {LARGE})
    again = Ledger(Journal(tmp_path), spec, space, "trials", ledger._goodness)  # a crash changes nothing of it
    assert {entry.label: entry.state for entry in again.entries()} == {e.label: e.state for e in ledger.entries()}
