"""Reports beside the checkpoints: found again by whoever knows less, and only under the same settings."""

from __future__ import annotations

from pathlib import Path

from raykd.train.checkpoint import PREFIX
from raykd.train.config import TaskSpec, Training, TrialSpec
from raykd.train.loop import Report
from raykd.train.told import FILE, Told, told


def spec_of(folder: str, *, alpha: float = 0.5, accumulation: int = 1) -> TrialSpec:
    task = TaskSpec(name="rte", labels=("a", "b"), metrics=("accuracy",), primary="accuracy")
    return TrialSpec(
        label="t0000", folder=folder, task=task, train="t", dev={}, teacher="t", student="cut:1", origin="o",
        method="kd", parameters={"alpha": alpha}, training=Training(accumulation=accumulation),
    )  # fmt: skip


def report(evaluation: int) -> Report:
    return Report(
        evaluation=evaluation, progress=evaluation / 8, step=evaluation, score=0.1 * evaluation, scored=True,
        metrics={}, seconds=1.0, first_step=0.0, at=0.0,
    )  # fmt: skip


def test_reports_are_found_again(tmp_path: Path) -> None:
    place = tmp_path.as_uri()
    assert told(spec_of(place)) == []
    first = Told(spec_of(str(tmp_path)))
    first.add(report(1))
    (tmp_path / f"{PREFIX}00000007").mkdir()
    again = Told(spec_of(str(tmp_path), accumulation=2))  # after it ran out of memory
    again.add(report(2))
    assert [one["evaluation"] for one in told(spec_of(place, accumulation=2))] == [1, 2]
    assert (tmp_path / f"{PREFIX}00000007").is_dir()
    with (tmp_path / FILE).open("a") as file:
        file.write('{"evaluation": 3, "pro')
    assert [one["evaluation"] for one in told(spec_of(place))] == [1, 2]


def test_a_trial_of_other_settings_leaves_nothing(tmp_path: Path) -> None:
    """The journal's end was lost, and the same label was given another point."""
    first = Told(spec_of(str(tmp_path)))
    first.add(report(1))
    (tmp_path / f"{PREFIX}00000007").mkdir()
    (tmp_path / "student").mkdir()
    (tmp_path / "claim").write_text("mine")
    assert told(spec_of(tmp_path.as_uri(), alpha=0.7)) == []
    Told(spec_of(str(tmp_path), alpha=0.7))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["claim", FILE]
    assert told(spec_of(tmp_path.as_uri(), alpha=0.7)) == []
