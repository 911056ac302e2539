"""Proposals: distinct, resumable, conditional, learning; nothing is written to the study by proposing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from raykd.errors import UserError
from raykd.search.proposals import SAMPLERS, enqueue, propose, reopen
from raykd.search.space import Dimension, Space

METHOD = Dimension("method", "fixed", ("kd",))
SIXTY = (
    Dimension("alpha", "choice", (0.2, 0.5, 0.7)),
    Dimension("batch_size", "fixed", (32,)),
    Dimension("temperature", "choice", (1, 2, 5, 10, 20)),
    Dimension("epochs", "int", (2, 5)),
)
BRANCHES = (
    Dimension("method", "choice", ("none", "kd", "ckd")),
    Dimension("learning_rate", "log", (1e-5, 1e-3)),
    Dimension("temperature", "float", (1.0, 20.0), {"method": ("kd", "ckd")}),
    Dimension("delta", "int", (10, 15), {"method": ("ckd",)}),
)
sixty = Space("sixty", "", "", (METHOD, *SIXTY))
branches = Space("branches", "", "", BRANCHES)
quadratic = Space(
    "quadratic", "", "", (METHOD, Dimension("x", "float", (-5.0, 5.0)), Dimension("y", "float", (-5.0, 5.0)))
)


@pytest.fixture(autouse=True)
def calm() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def study_at(url: str | None) -> optuna.Study:
    return optuna.create_study(study_name="s", storage=url, direction="maximize", load_if_exists=True)


def score(point: dict[str, Any]) -> float:
    numbers = [value for value in point.values() if isinstance(value, (int, float))]
    return -sum((math.log(abs(value) + 1) - 1) ** 2 for value in numbers)


def run(study: optuna.Study, space: Space, count: int, **settings: Any) -> list[dict[str, Any]]:
    """`count` trials, of which every fifth fails and every third is stopped after one report."""
    points = []
    for _ in range(count):
        point = propose(study, space, **settings)
        assert point is not None
        points.append(point)
        trial = enqueue(study, space, point, {"settings": point})
        trial.report(score(point) - 1, 1)
        if trial.number % 5 == 4:
            study.tell(trial, state=TrialState.FAIL)
        elif trial.number % 3 == 2:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, score(point))
    return points


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sixty_distinct_proposals_then_none(sampler: str) -> None:
    study = study_at(None)
    points = run(study, sixty, 60, sampler=sampler, seed=3)
    assert {tuple(point.items()) for point in points} == {tuple(point.items()) for point in sixty.grid()}
    assert propose(study, sixty, sampler=sampler, seed=3) is None
    states = {trial.state for trial in study.trials}
    assert states == {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}


@pytest.mark.parametrize(("space", "sampler"), [(branches, "tpe"), (sixty, "random")], ids=["tpe", "random"])
def test_a_restart_changes_nothing(tmp_path: Path, space: Space, sampler: str) -> None:
    straight = run(study_at(None), space, 24, sampler=sampler, seed=7)
    url = f"sqlite:///{tmp_path}/study.db"
    broken = run(study_at(url), space, 14, sampler=sampler, seed=7)
    broken += run(study_at(url), space, 10, sampler=sampler, seed=7)
    assert broken == straight
    assert run(study_at(None), space, 24, sampler=sampler, seed=8) != straight


def test_a_small_space_is_used_up_on_disk_as_well(tmp_path: Path) -> None:
    space = Space("twelve", "", "", (METHOD, SIXTY[0], SIXTY[3]))
    study = study_at(f"sqlite:///{tmp_path}/study.db")
    points = run(study, space, 12, sampler="tpe", seed=3)
    assert {tuple(point.items()) for point in points} == {tuple(point.items()) for point in space.grid()}
    assert propose(study, space, sampler="tpe", seed=3) is None


def test_the_grid_is_shuffled_by_its_seed_and_survives_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    broken = run(study_at(url), sixty, 6, sampler="grid", seed=1) + run(study_at(url), sixty, 6, sampler="grid", seed=1)
    assert broken == run(study_at(None), sixty, 12, sampler="grid", seed=1)
    assert broken != list(sixty.grid())[:12]
    assert broken != run(study_at(None), sixty, 12, sampler="grid", seed=2)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_proposing_is_pure(sampler: str) -> None:
    study = study_at(None)
    run(study, sixty, 15, sampler=sampler, seed=0)
    enqueue(study, sixty, propose(study, sixty, sampler=sampler, seed=0) or {}, {})
    before = study.trials
    again = [propose(study, sixty, sampler=sampler, seed=0) for _ in range(3)]
    assert again[0] == again[1] == again[2]
    assert study.trials == before


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_conditions_hold_in_points_and_in_the_study(sampler: str) -> None:
    study = study_at(None)
    points = run(study, branches, 40, sampler=sampler, seed=5)
    for point, trial in zip(points, study.trials, strict=True):
        extra: set[str] = {"kd": {"temperature"}, "ckd": {"temperature", "delta"}}.get(point["method"], set())
        assert set(point) == {"method", "learning_rate"} | extra
        assert trial.params == point
        assert 1e-5 <= point["learning_rate"] <= 1e-3
    assert {point["method"] for point in points} == {"none", "kd", "ckd"}


def test_start_points_come_first_and_once() -> None:
    start: tuple[dict[str, Any], ...] = (
        {"alpha": 0.7},
        {"alpha": 0.7, "temperature": 5, "epochs": 3},
        {"temperature": 20},
    )
    space = Space("sixty", "", "", (METHOD, *SIXTY), start)
    study = study_at(None)
    points = run(study, space, 15, sampler="tpe", seed=0)
    assert all(given.items() <= point.items() for given, point in zip(start, points[:3], strict=True))
    assert points[1] == {"method": "kd", "alpha": 0.7, "batch_size": 32, "temperature": 5, "epochs": 3}
    assert len({tuple(point.items()) for point in points}) == 15


def test_tpe_learns_with_running_stopped_and_failed_trials_about() -> None:
    def last_twenty(sampler: str, seed: int) -> float:
        study = study_at(None)
        values = []
        held: list[optuna.Trial] = []
        for number in range(60):
            point = propose(study, quadratic, sampler=sampler, seed=seed)
            assert point is not None
            value = -((point["x"] - 2) ** 2) - (point["y"] + 1) ** 2
            values.append(value)
            held.append(enqueue(study, quadratic, point, {"value": value}))
            if len(held) == 3:  # three at a time
                done = held.pop(0)
                done.report(done.user_attrs["value"], 1)
                state = {4: TrialState.FAIL, 2: TrialState.PRUNED}.get(number % 7, TrialState.COMPLETE)
                study.tell(done, done.user_attrs["value"] if state is TrialState.COMPLETE else None, state=state)
        return sum(values[-20:]) / 20

    for seed in (0, 1):
        assert last_twenty("tpe", seed) > last_twenty("random", seed) + 5


def test_enqueue_writes_a_whole_running_trial_beside_waiting_ones(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    study = study_at(url)
    study.enqueue_trial({"alpha": 0.2})  # somebody else's: must not be taken for ours
    point = {"method": "kd", "alpha": 0.7, "batch_size": 32, "temperature": 5, "epochs": 3}
    trial = enqueue(study, sixty, point, {"note": "first"})
    assert trial.number == 1
    assert trial.params == {"alpha": 0.7, "temperature": 5, "epochs": 3}
    trial.report(0.4, 2)
    reloaded = study_at(url)
    frozen = reloaded.trials[1]
    assert (frozen.state, frozen.user_attrs) == (TrialState.RUNNING, {"note": "first"})
    assert sixty.walk(lambda name, _: frozen.params[name]) == point
    again = reopen(reloaded, 1)
    again.report(0.5, 3)
    assert reloaded.tell(again, 0.5).intermediate_values == {2: 0.4, 3: 0.5}


def test_an_all_fixed_space_has_one_point() -> None:
    space = Space("one", "", "", (METHOD, Dimension("alpha", "fixed", (0.9,))))
    study = study_at(None)
    assert run(study, space, 1, sampler="tpe", seed=0) == [{"method": "kd", "alpha": 0.9}]
    assert propose(study, space, sampler="tpe", seed=0) is None


def test_the_study_is_never_asked_for_endless_grids_or_unknown_samplers() -> None:
    with pytest.raises(UserError, match="unknown sampler 'tpee': did you mean 'tpe'"):
        propose(study_at(None), sixty, sampler="tpee", seed=0)
    with pytest.raises(UserError, match="no grid: x, y may take"):
        propose(study_at(None), quadratic, sampler="grid", seed=0)


def test_proposing_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    study = study_at(None)
    optuna.logging.set_verbosity(optuna.logging.INFO)
    assert propose(study, sixty, sampler="tpe", seed=0)
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
    assert capfd.readouterr().err == ""
