"""From the book of a sweep to its story, and what the story works out: champion, cost, verdict."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from optuna.trial import TrialState
from typer.testing import CliRunner

from raykd.cli_report import register
from raykd.errors import UserError
from raykd.report.figures_curves import pareto
from raykd.report.story import Network, Run, Story
from raykd.report.tables import cost
from raykd.report.verdict import verdict
from raykd.report.words import chance, points, settings, size, time, value
from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.read_story import find, kind_of, read_story
from raykd.search.room import room
from raykd.search.space import Dimension, Space
from raykd.search.spec import SweepSpec
from raykd.tasks.predictions import pack
from raykd.train.config import TaskSpec, Training
from raykd.workspace import Workspace
from tests.report.stories import whole

LABELS = np.array([0, 1, 0, 1, 0, 1, 0, 1])


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "home")


@pytest.fixture
def spec(tmp_path: Path) -> SweepSpec:
    """A sweep on a tenth of train whose tokenised splits are arrays without a word in them."""
    for split in ("select", "dev"):
        folder = tmp_path / split
        folder.mkdir()
        arrays = {"ids": np.zeros(20, int), "labels": LABELS, "offsets": np.array([0, 1, 2, 3, 4, 5, 6, 13, 20])}
        arrays["hashes"] = np.arange(8, dtype=np.uint64)
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        meta = f'{{"key": "k", "truncated": 0, "arrays": {[*arrays]}, "pad_id": 0, "pad_type": 0, "pad_left": false}}'
        (folder / "meta.json").write_text(meta.replace("'", '"'))
    return SweepSpec(
        name="s1", task=TaskSpec(name="rte", labels=("yes", "no"), metrics=("accuracy",), primary="accuracy"),
        source="nowhere", fingerprint="0", train="train",
        dev={"select": str(tmp_path / "select"), "dev": str(tmp_path / "dev")},
        teacher="teacher", teacher_name="a teacher", teacher_score=0.9, teacher_parameters=2, student="cut:1",
        origin="teacher", student_parameters=1, space="small", method=None, trials=2, training=Training(),
        concurrency=2, tracking_uri="sqlite://", finalists=1, final_seeds=2,
    )  # fmt: skip


@pytest.fixture
def space() -> Space:
    rates = Dimension("learning_rate", "choice", (1e-5, 3e-5))
    return Space("small", "for tests", "none", (Dimension("method", "fixed", ("kd",)), rates))


def ran(ledger: Ledger, right: int, *, error: str | None = None) -> str:
    """Run the next trial: `right` of eight answers are right at its end."""
    trial = ledger.next()
    assert trial is not None
    answers = np.where(np.arange(8) < right, LABELS, 1 - LABELS).astype(np.uint8)
    for number, progress in ((1, 0.5), (2, 1.0)):
        splits = ("select", "dev") if progress == 1.0 else ("select",)
        report: dict[str, Any] = {"evaluation": number, "progress": progress, "step": number, "score": right / 8}
        report |= {"scored": True, "seconds": 10.0 * number, "first_step": 0.0, "at": 1.0}
        report |= {"metrics": {f"{split}/accuracy": right / 8 for split in splits}}
        ledger.report(trial.label, report | {"answers": {split: pack(answers) for split in splits}})
        if error:
            break
    ledger.end(trial.label, TrialState.FAIL if error else TrialState.COMPLETE, error=error)
    return trial.label


def test_a_sweep_is_read_as_its_journal_has_it(workspace: Workspace, spec: SweepSpec, space: Space) -> None:
    found = room(workspace, "s1")
    found.write(spec, space)
    ledger = Ledger(Journal(found.folder), spec, space, "trials")
    labels = [ran(ledger, 4), ran(ledger, 6), ran(ledger, 5, error="no memory")]
    labels += [ran(ledger, right) for right in (4, 5, 6, 4, 5, 7)]  # baseline, kd, t0000, on two seeds
    assert ledger.next() is None
    before = {file: file.stat().st_mtime_ns for file in found.folder.rglob("*")}
    story = read_story(found, workspace)
    assert {file: file.stat().st_mtime_ns for file in found.folder.rglob("*")} == before
    assert [run.label for run in story.runs] == labels
    assert [run.kind for run in story.runs] == ["baseline", "search", "search", *["final"] * 6]
    assert (story.selecting, story.reporting) == ("select", "dev")
    assert story.best is not None
    assert (story.best.label, story.best.score, story.best.seconds) == ("t0000", 0.75, 20.0)
    assert story.runs[2].error == "no memory"
    assert story.champion is not None
    assert (story.champion.name, story.champion.report.mean, story.champion.promised) == ("t0000", 6.5 / 8, 0.75)
    assert set(story.champion.against) == {"baseline", "kd"}
    assert "seed" not in story.champion.settings
    assert story.finals_left == 0
    assert story.result(story.finals("t0000")[1], "dev") == 7 / 8
    assert story.teacher.scores == {"dev": 0.9}
    assert len(story.trials) == 2
    np.testing.assert_array_equal(story.labels["dev"], LABELS)
    np.testing.assert_array_equal(story.lengths["dev"], [1] * 6 + [7] * 2)


def test_finals_whose_rows_are_gone_are_shown_untested(workspace: Workspace, spec: SweepSpec, space: Space) -> None:
    found = room(workspace, "s1")
    found.write(spec.model_copy(update={"dev": {"select": "/nowhere", "dev": "/nowhere"}}), space)
    ledger = Ledger(Journal(found.folder), spec, space, "trials")
    for right in (4, 6, 5, 4, 5, 6, 4, 5, 7):
        ran(ledger, right)
    story = read_story(found, workspace)
    assert story.champion is not None
    assert (story.champion.name, story.champion.report.mean, story.champion.promised) == ("t0000", 6.5 / 8, 0.75)
    said = verdict(story)
    assert said.headline == "t0000 is the champion with 0.8125 accuracy on dev."
    assert any("No difference is tested" in warning for warning in said.warnings)


def test_a_running_sweep_is_read_too(workspace: Workspace, spec: SweepSpec, space: Space) -> None:
    """Its last line may be half written, its splits gone, and its reports of a time before answers were kept."""
    found = room(workspace, "s1")
    gone = spec.model_copy(update={"dev": {"dev": "/nowhere"}})
    found.write(gone, space)
    ledger = Ledger(Journal(found.folder), gone, space, "trials")
    ran(ledger, 4)
    assert ledger.next() is not None
    file = next((found.folder / "journal").iterdir())
    with file.open("ab") as journal:
        journal.write(b'{"event": "rep')
    story = read_story(found, workspace)
    assert [run.state for run in story.runs] == ["complete", "running"]
    assert (story.selecting, story.reporting, dict(story.labels), list(story.contenders)) == ("dev", "dev", {}, [])
    (found.folder / "teacher.json").write_text('{"scores": {"dev": 0.8}, "answers": {}}')
    assert read_story(found, workspace).teacher.scores == {"dev": 0.8}


def test_the_sweep_that_is_meant(workspace: Workspace, spec: SweepSpec, space: Space) -> None:
    with pytest.raises(UserError, match="no sweep in"):
        find(workspace, None, None)
    for name, task in (("first", "rte"), ("second", "cola")):
        of = spec.model_copy(update={"name": name, "task": spec.task.model_copy(update={"name": task})})
        room(workspace, name).write(of, space)
    os.utime(workspace.sweep("first") / "sweep.json", (1, 1))
    assert find(workspace, None, None).folder.name == "second"
    assert find(workspace, None, "rte").folder.name == "first"
    assert find(workspace, "first", None).folder.name == "first"
    with pytest.raises(UserError, match="unknown sweep 'frist': did you mean 'first'"):
        find(workspace, "frist", None)
    with pytest.raises(UserError, match="is of task 'rte', not 'cola'"):
        find(workspace, "first", "cola")
    with pytest.raises(UserError, match="unknown task 'rta': did you mean 'rte'"):
        find(workspace, None, "rta")
    with pytest.raises(UserError, match="letters, digits"):
        find(workspace, "../first", None)


@pytest.mark.parametrize("url", [False, True])
def test_the_command_writes_the_page(
    url: bool, tmp_path: Path, spec: SweepSpec, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("RAYKD_HOME", home.as_uri() if url else str(home))
    monkeypatch.setenv("RAYKD_CACHE", str(tmp_path / "cache"))
    there = home / "sweeps" / "s1"  # of an object store, its own side
    room(Workspace(home), "s1").write(spec, space)
    ran(Ledger(Journal(there), spec, space, "trials"), 4)
    app = typer.Typer()
    register(app)
    told = CliRunner().invoke(app, ["s1"])
    assert told.exit_code == 0, told.output
    assert told.output.split() == [
        "report:",
        f"{home.as_uri()}/sweeps/s1/report.html" if url else str(there / "report.html"),
    ]
    assert "0.5000" in (there / "report.html").read_text(encoding="utf-8")
    told = CliRunner().invoke(app, ["s1", "--out", str(tmp_path / "my page.html")])
    assert (tmp_path / "my page.html").is_file()
    assert str(tmp_path / "my page.html") in told.output
    wrong = CliRunner().invoke(app, ["s2"])
    assert isinstance(wrong.exception, UserError)


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("baseline", "baseline"),
        ("t0012", "search"),
        ("t0012-s3", "final"),
        ("baseline-s1", "final"),
        ("kd-s1", "final"),
    ],
)
def test_kinds(label: str, kind: str) -> None:
    assert kind_of(label) == kind


def test_cost_by_hand() -> None:
    stopped = Run("t0000", "search", "pruned", {}, [0.125, 0.25], [0.5, 0.5], {}, 30.0)
    done = Run("t0001", "search", "complete", {}, [1.0], [0.6], {}, 100.0)
    network = Network("n", 1)
    story = Story("s", "rte", "classes", (), "accuracy", "x", network, network, "dev", "dev", runs=[stopped, done])
    found = cost(story)
    assert found is not None
    assert (found.kinds, found.stopped, found.saved) == ((("search", 2, 130.0),), 1, 90.0)
    assert cost(dataclasses.replace(story, runs=[])) is None


def test_the_pareto_front() -> None:
    runs = [Run(str(n), "search", "complete", {}) for n in range(5)]
    points_of = [(3, 0.9), (1, 0.5), (2, 0.4), (2, 0.8), (4, 0.9)]
    kept = pareto((float(place), score, run) for (place, score), run in zip(points_of, runs, strict=True))
    assert [run.label for run in kept] == ["1", "3", "0"]


def test_a_champion_that_is_not_shown_to_be_better_is_not_said_to_be() -> None:
    story = whole(trials=20, rows=300)
    champion = story.champion
    assert champion is not None
    won = {name: dataclasses.replace(one, difference=0.02, p=0.001) for name, one in champion.against.items()}
    unsure = {**won, "kd": dataclasses.replace(won["kd"], p=0.4)}
    for against, said in ((won, "beats the undistilled student and plain kd"), (unsure, "not shown to beat plain kd")):
        one = dataclasses.replace(champion, against=against)
        assert said in verdict(dataclasses.replace(story, contenders=[one])).headline
    plain = dataclasses.replace(champion, name="baseline", against={})
    assert "No distilled student came out ahead" in verdict(dataclasses.replace(story, contenders=[plain])).headline


def test_words() -> None:
    assert points(0.0213) == "+2.1 points"
    assert points(-0.0213) == "\u22122.1 points"
    assert points(None) == points(float("nan")) == "\u2013"
    assert (chance(0.0004), chance(0.034), chance(0.41)) == ("p < 0.001", "p = 0.034", "p = 0.41")
    assert settings({"a": 3e-05, "method": "kd", "b": True}) == "kd, a=3e-5, b=True"
    assert (value(1e5), value(0.5), value(10)) == ("1e5", "0.5", "10")
    assert (size(14_350_248), size(12_345), time(59), time(600), time(7200)) == (
        "14.4 M", "12.3 k", "59 s", "10 min", "2.0 h",
    )  # fmt: skip
