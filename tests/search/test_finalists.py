"""One configuration is one contender: who of a search runs again beside the baselines, whoever is the same as they."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState

from raykd.search.configuration import configuration
from raykd.search.finalists import Picked, pick
from raykd.search.finals import BASELINE, KD
from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.space import Dimension, Space
from raykd.search.spec import SweepSpec
from raykd.tasks.predictions import pack
from tests.search.conftest import report

pytestmark = pytest.mark.usefixtures("quick")

PLAIN: dict[str, Any] = {"method": "none", "epochs": 3}


@pytest.fixture
def spec(spec: SweepSpec) -> SweepSpec:
    return spec.model_copy(update={"trials": 5, "finalists": 2, "final_seeds": 2, "pruner": "none"})


@pytest.fixture
def space() -> Space:
    """It begins with kd at its defaults, as the built-in sample's space does."""
    return Space(
        name="small", about="", source="",
        dimensions=(Dimension("method", "fixed", ("kd",)), Dimension("temperature", "int", (1, 9))),
        start=tuple({"temperature": value} for value in (2, 3, 4, 5, 6)),
    )  # fmt: skip


def unknown(label: str) -> np.ndarray | None:
    return None


def test_a_configuration_is_the_same_however_much_of_it_is_spelt_out(spec: SweepSpec) -> None:
    plain = configuration(spec, {"method": "kd"})
    spelt = {"method": "kd", "temperature": 2, "alpha": 0.9, "epochs": 3, "student": "cut:1", "seed": 7}
    assert configuration(spec, spelt) == plain
    for name, value in (("temperature", 2.5), ("alpha", 0.8), ("epochs", 2), ("student", "cut:2"), ("method", "pd")):
        other = {**spelt, name: value} if name != "method" else {"method": value}
        assert configuration(spec, other) != plain


def picked(spec: SweepSpec, *settings: dict[str, Any], many: int = 2, answers: Any = unknown) -> Picked:
    spec = spec.model_copy(update={"finalists": many})
    named = {f"t{number}": of for number, of in enumerate(settings)}
    student = {"student": "cut:1"} if any("student" in of for of in settings) else {}
    return pick(spec, [*named], named, (BASELINE, PLAIN | student), answers)


def test_the_configuration_of_a_baseline_takes_nobodys_place(spec: SweepSpec) -> None:
    kd, none = {"method": "kd", "epochs": 3, "temperature": 2.0}, {"method": "none", "epochs": 3}
    others: list[dict[str, Any]] = [{"method": "kd", "temperature": value} for value in (3, 4, 5)]
    for place in range(4):
        order = [*others[:place], kd, *others[place:]]
        own = [f"t{number}" for number in range(4) if number != place]
        assert picked(spec, *order) == Picked(tuple(own[:2]), ("cut:1",))
        assert picked(spec, none, *order) == Picked(tuple(f"t{int(name[1:]) + 1}" for name in own[:2]), ("cut:1",))
    assert picked(spec, kd, none) == Picked((), ("cut:1",))  # all that was found runs as a baseline
    assert picked(spec, kd, others[0], others[1], many=1) == Picked(("t1",), ("cut:1",))
    assert picked(spec) == Picked()


def test_of_several_students_each_has_baselines_of_its_own(spec: SweepSpec) -> None:
    """kd of the second student is among the best: another configuration of that student takes its place."""

    def of(student: str, temperature: float) -> dict[str, Any]:
        return {"method": "kd", "student": student, "temperature": temperature}

    assert picked(spec, of("cut:2", 2), of("cut:1", 3), of("cut:1", 4), of("cut:2", 5)) == Picked(
        ("t1", "t3"), ("cut:1", "cut:2")
    )
    assert picked(spec, of("cut:2", 2), of("cut:3", 2), of("cut:1", 4)) == Picked((), ("cut:2", "cut:3"))
    assert picked(spec, of("cut:2", 3), of("cut:2", 2), of("cut:3", 2)) == Picked(("t0",), ("cut:2", "cut:3"))


def test_one_that_answers_as_a_baseline_makes_room(spec: SweepSpec) -> None:
    """t0 is kd itself, t1 answers as that does, t2 as no distillation does."""
    said = {
        BASELINE: [0] * 8 + [1] * 8, "t0": [1] * 16, "t1": [1] * 16, "t2": [0] * 8 + [1] * 8,
        "t3": [0] * 16, "t4": [1, 0] * 8,
    }  # fmt: skip
    kd = {"method": "kd", "epochs": 3}
    others: list[dict[str, Any]] = [{"method": "kd", "temperature": value} for value in (3, 4, 5, 6)]
    found = picked(spec, kd, *others, answers=lambda label: np.array(said[label]))
    assert found == Picked(("t3", "t4"), ("cut:1",))
    few = picked(spec, kd, *others[:3], answers=lambda label: np.array(said[label]))
    assert few == Picked(("t1", "t3"), ("cut:1",))  # too few differ: the best of the others comes too


def drive(ledger: Ledger, most: int = 100) -> list[str]:
    """Run what is left, `most` trials of it: how good a trial is follows from its label."""
    labels: list[str] = []
    while len(labels) < most and (trial := ledger.next()) is not None:
        labels.append(trial.label)
        chance = np.random.default_rng(sum(trial.label.encode()))
        answers = pack(chance.integers(0, 2, 16).astype(np.uint8))
        score = {BASELINE: 0.4, "t0000": 0.9}.get(trial.label, float(chance.random()) / 2)
        ledger.report(trial.label, {**report(8, score), "answers": {next(iter(ledger.spec.dev)): answers}})
        ledger.end(trial.label, TrialState.COMPLETE)
    return labels


def test_kd_at_its_defaults_runs_once_in_the_finals(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = Ledger(Journal(tmp_path), spec, space, "trials")
    labels = drive(ledger)
    finals = {label.rpartition("-s")[0] for label in labels[6:]}
    assert "t0000" not in finals  # the best of the search, and the same as kd
    assert len(finals) == 4
    assert {BASELINE, KD} < finals
    assert ledger.planned == len(ledger.entries()) == len(labels) == 6 + 4 * 2
    assert "t0000" in ledger.keepers()


def test_whoever_goes_on_in_the_middle_has_the_same_plan(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    """Opened anew after any number of trials, in the search or in the finals, it ends with the same runs in the same
    order."""
    whole = drive(Ledger(Journal(tmp_path / "whole"), spec, space, "trials"))
    for count in range(len(whole) + 1):
        folder = tmp_path / f"after {count}"
        before = Ledger(Journal(folder), spec, space, "trials")
        first = drive(before, count)
        again = Ledger(Journal(folder), spec, space, "trials")
        if count > 5:  # the search is over
            assert again.planned_finals() == before.planned_finals()
            assert [final.label for final, _ in again.planned_finals()] == whole[6:]
        assert [*first, *drive(again)] == whole


def test_nobody_to_confirm(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    """Where nothing is complete, and where nothing but the baseline's own configuration is."""
    ledger = Ledger(Journal(tmp_path / "none"), spec, space, "trials")
    while (trial := ledger.next()) is not None:
        ledger.end(trial.label, TrialState.FAIL, error="made to")
    assert ledger.planned_finals() == []
    assert ledger.planned == len(ledger.entries()) == 6
    one = Space("one", "", "", (Dimension("method", "fixed", ("kd",)), Dimension("temperature", "choice", (2,))))
    alone = Ledger(Journal(tmp_path / "one"), spec.model_copy(update={"trials": 1}), one, "trials")
    assert drive(alone) == [BASELINE, "t0000", "baseline-s1", "kd-s1", "baseline-s2", "kd-s2"]
    assert alone.planned == 6
