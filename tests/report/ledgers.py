"""Sweeps of every kind of task without a model: splits that hold labels alone, trials that answer as they are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import TrialState
from rich.console import Console

from raykd.report.saved import saved_of
from raykd.report.story import Story
from raykd.report.verdict import verdict
from raykd.search.found import look
from raykd.search.ledger import Ledger
from raykd.search.read_story import tell
from raykd.search.result import print_result
from raykd.search.space import Dimension, Space
from raykd.search.spec import SweepSpec
from raykd.search.sweep import SweepResult
from raykd.tasks.predictions import pack, score_of
from raykd.train.config import TaskSpec, Training

CLASSES = TaskSpec(name="rte", labels=("yes", "no"), metrics=("accuracy",), primary="accuracy")
COLA = TaskSpec(name="cola", labels=("bad", "good"), metrics=("matthews", "accuracy"), primary="matthews")
NUMBER = TaskSpec(name="stsb", labels=(), metrics=("pearson",), primary="pearson")
Answer = Callable[[str, str, np.ndarray], np.ndarray]  # of a trial's label, a split's name and labels


def split(folder: Path, labels: np.ndarray) -> str:
    """A tokenised split of one-token rows, of which only the labels matter."""
    folder.mkdir(parents=True)
    count = len(labels)
    arrays = {"ids": np.zeros(count, int), "labels": labels, "offsets": np.arange(count + 1)}
    arrays["hashes"] = np.arange(count, dtype=np.uint64)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    about = {"key": "k", "truncated": 0, "arrays": [*arrays], "pad_id": 0, "pad_type": 0, "pad_left": False}
    (folder / "meta.json").write_text(json.dumps(about))
    return str(folder)


def spec_of(folder: Path, task: TaskSpec, labels: dict[str, np.ndarray], **more: Any) -> SweepSpec:
    """A sweep on splits with these labels: three trials, two finalists, two seeds."""
    settings: dict[str, Any] = {"trials": 3, "finalists": 2, "final_seeds": 2, "pruner": "none"} | more
    return SweepSpec(
        name="s1", task=task, source="nowhere", fingerprint="0", train="train",
        dev={name: split(folder / name, of) for name, of in labels.items()},
        teacher="teacher", teacher_name="a teacher", teacher_score=0.9, teacher_parameters=2, student="cut:1",
        origin="teacher", student_parameters=1, space="small", method=None, training=Training(),
        concurrency=2, tracking_uri="sqlite://", **settings,
    )  # fmt: skip


def space() -> Space:
    """Temperatures from 3 on, in their order; kd's own is 2."""
    start = tuple({"temperature": value} for value in range(3, 9))
    dimensions = (Dimension("method", "fixed", ("kd",)), Dimension("temperature", "int", (3, 9)))
    return Space("small", "", "", dimensions, start)


def run(ledger: Ledger, task: TaskSpec, labels: dict[str, np.ndarray], answer: Answer, most: int = 1000) -> None:
    """Run what is left, `most` trials of it; one whose answer raises ValueError fails with that error."""
    while most and (trial := ledger.next()) is not None:
        most -= 1
        try:
            given = {name: answer(trial.label, name, of) for name, of in labels.items()}
        except ValueError as error:
            ledger.end(trial.label, TrialState.FAIL, error=str(error))
            continue
        scores = {name: score_of(task, given[name], of) for name, of in labels.items()}
        report: dict[str, Any] = {"evaluation": 1, "progress": 1.0, "step": 1, "scored": True, "seconds": 3.0}
        report |= {"score": scores[next(iter(labels))], "first_step": 0.0, "at": 1.0}
        report |= {"metrics": {f"{name}/{task.primary}": score for name, score in scores.items()}}
        ledger.report(trial.label, report | {"answers": {name: pack(of) for name, of in given.items()}})
        ledger.end(trial.label, TrialState.COMPLETE)


def concluded(spec: SweepSpec, ledger: Ledger) -> tuple[Story, SweepResult]:
    """The story and the result that the end of the sweep has."""
    found = look(ledger, spec, tell(spec, ledger).contenders)
    champion = found.champion
    story = tell(spec, ledger, saved=None if champion is None else champion.label)
    said = verdict(story)
    result = SweepResult(
        spec, Path("x"), ledger.entries(), found, None if champion is None else Path("x/champion"), None, None,
        complete=True, said=(said.headline, *said.sentences, *said.warnings), saved=saved_of(story),
    )  # fmt: skip
    return story, result


def printed(result: SweepResult, width: int = 120) -> str:
    """What the command line says of a result."""
    console = Console(width=width, file=StringIO(), record=True, soft_wrap=True)
    print_result(result, console)
    return console.export_text()
