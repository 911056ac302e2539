"""Methods of several runs, from a trial's specification to its student: who learns, from whom, and how well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from raykd.models.classifier import load_classifier, load_config
from raykd.models.save import save_student
from raykd.models.shape import shape
from raykd.models.student import make_student, parse_student
from raykd.models.tokenizer import load_tokenizer
from raykd.train.config import TrialSpec
from raykd.train.loop import Report
from raykd.train.trial import run_trial
from tests.train.setting import TRAINING, Setting, same, weights

QUICK = TRAINING.model_copy(update={"evaluations": 2})


def run(
    setting: Setting,
    folder: Path,
    method: str,
    *,
    student: str = "cut:2",
    teacher: Path | None = None,
    until: int = 2,
    **parameters: Any,
) -> list[Report]:
    """The reports of a trial, stopped after evaluation `until`."""
    spec = TrialSpec(
        label="t0001",
        folder=str(folder),
        task=setting.task,
        train=str(setting.folder / "train"),
        dev={"dev": str(setting.folder / "dev")},
        teacher=str(teacher or setting.folder / "teacher"),
        student=student,
        origin=str(setting.folder / "teacher"),
        method=method,
        parameters=parameters,
        training=QUICK,
    )
    reports: list[Report] = []

    def keep(report: Report) -> bool:
        reports.append(report)
        return report.evaluation < until or until == 2

    last = run_trial(spec, keep)
    assert last == (reports[-1] if until == 2 else None)
    return reports


def depths(folder: Path) -> list[int]:
    """Layers of the students that the runs left, the trial's own last."""
    runs = [*sorted(folder.glob("link-*")), folder]
    return [shape(load_config(run / "student")).layers for run in runs]


@pytest.mark.parametrize(
    ("method", "parameters", "student", "expected"),
    [
        ("takd", {}, "cut:2", [3, 2]),
        ("takd", {"assistants": "cut:3 + cut:2"}, "cut:1", [3, 2, 1]),
        ("self_kd", {"temperature": 2.0}, "cut:2", [2, 2]),
        ("reversed_kd", {"temperature": 2.0}, "cut:2", [2, 4]),
        ("defective_kd", {"temperature": 2.0}, "cut:2", [4, 2]),
        ("born_again", {"generations": 3}, "cut:2", [2, 2, 2]),
    ],
)
def test_a_chain_leaves_the_networks_it_says(
    classes: Setting, tmp_path: Path, method: str, parameters: dict[str, Any], student: str, expected: list[int]
) -> None:
    reports = run(classes, tmp_path, method, student=student, **parameters)
    assert depths(tmp_path) == expected
    assert [report.evaluation for report in reports] == [1, 2]  # of the last run alone
    assert reports[-1].score > 0.6
    assert {"train/hard", "train/soft"} <= reports[-1].metrics.keys()
    assert reports[-1].metrics["train/loss"] < reports[0].metrics["train/loss"]
    assert ("dev/ensemble_accuracy" in reports[-1].metrics) == (method == "born_again")


@pytest.mark.parametrize("method", ["takd", "self_kd", "reversed_kd", "defective_kd", "born_again"])
def test_a_chain_learns_a_number(numbers: Setting, tmp_path: Path, method: str) -> None:
    reports = run(numbers, tmp_path, method)
    # What a hardly trained teacher says may fall where the label rises, and its student learns that.
    assert (abs(reports[-1].score) if method == "defective_kd" else reports[-1].score) > 0.5
    assert all(torch.isfinite(torch.tensor(list(report.metrics.values()))).all() for report in reports)


def student(setting: Setting, folder: Path) -> dict[str, Tensor]:
    """Weights of the one a run left."""
    return weights(load_classifier(folder / "student", setting.head))


@pytest.mark.parametrize(("method", "matters"), [("self_kd", False), ("defective_kd", False), ("takd", True)])
def test_a_teacher_who_is_not_asked_does_not_matter(
    classes: Setting, tmp_path: Path, method: str, matters: bool
) -> None:
    other = make_student(parse_student("cut:4"), classes.folder / "teacher", classes.head, seed=9)
    save_student(other, load_tokenizer(classes.folder / "teacher"), tmp_path / "other")
    run(classes, tmp_path / "a", method)
    run(classes, tmp_path / "b", method, teacher=tmp_path / "other")
    assert same(student(classes, tmp_path / "a"), student(classes, tmp_path / "b")) != matters


@pytest.mark.parametrize("method", ["takd", "born_again"])
def test_a_chain_stopped_in_its_last_run_goes_on_from_there(classes: Setting, tmp_path: Path, method: str) -> None:
    whole = run(classes, tmp_path / "whole", method)
    assert [report.evaluation for report in run(classes, tmp_path / "halves", method, until=1)] == [1]
    kept = (tmp_path / "halves" / "link-1" / "student" / "model.safetensors").stat().st_mtime_ns
    rest = run(classes, tmp_path / "halves", method)
    assert (tmp_path / "halves" / "link-1" / "student" / "model.safetensors").stat().st_mtime_ns == kept
    assert rest[-1].score == whole[-1].score
    assert same(student(classes, tmp_path / "whole"), student(classes, tmp_path / "halves"))


def test_the_generations_differ(classes: Setting, tmp_path: Path) -> None:
    run(classes, tmp_path, "born_again", generations=2)
    assert not same(student(classes, tmp_path / "link-1"), student(classes, tmp_path))


def test_annealing_goes_on_from_its_best_and_learns(either: Setting, tmp_path: Path) -> None:
    training = TRAINING.model_copy(update={"epochs": 6.0, "evaluations": 6})
    recipe = either.recipe("annealing_kd", tau_max=4, phase=0.5)
    reports = either.run(recipe, tmp_path, either.student(), training=training)
    assert [report.scored for report in reports] == [False] * 3 + [True] * 3
    assert ["train/annealed" in report.metrics for report in reports] == [True] * 3 + [False] * 3
    assert ["train/hard" in report.metrics for report in reports] == [False] * 3 + [True] * 3
    assert reports[-1].score > 0.8


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("alp_kd", {"kind": "po"}),
        ("ckd_combinatorial", {"variant": "code"}),
        ("ckd_combinatorial", {"variant": "paper"}),
        ("label_smoothing", {}),
        ("tf_reg", {"multiplier": 2.0}),
    ],
)
def test_a_single_run_learns(classes: Setting, tmp_path: Path, method: str, parameters: dict[str, Any]) -> None:
    training = TRAINING.model_copy(update={"epochs": 4.0})
    reports = classes.run(classes.recipe(method, **parameters), tmp_path, classes.student(), training=training)
    assert reports[-1].score > 0.8
    assert reports[-1].metrics["train/loss"] < reports[0].metrics["train/loss"]
