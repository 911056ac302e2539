"""What follows when a trial ends, or loses its worker: who is queued again, who has failed, what is kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from optuna.trial import TrialState

from raykd.manifest import write_manifest
from raykd.search.conductor import DEATHS, Conductor
from raykd.search.entry import Entry
from raykd.search.journal import Journal
from raykd.search.ledger import BASELINE, Ledger
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.search.sweep import _clean, _clean_all
from raykd.train.run_files import STUDENT
from tests.search.conftest import report

Open = Callable[[], Ledger]


@dataclass
class Seen:
    """A mirror, a display and the disk, which only take notes."""

    touched: list[str] = field(default_factory=list)
    shown: list[tuple[str, TrialState, dict[str, float]]] = field(default_factory=list)
    cleaned: list[tuple[str, bool]] = field(default_factory=list)

    def touch(self, label: str) -> None:
        self.touched.append(label)

    def show(self, ledger: Ledger, changed: Entry, progress: Mapping[str, float]) -> None:
        self.shown.append((changed.label, changed.state, dict(progress)))

    def clean(self, label: str, student: bool) -> None:
        self.cleaned.append((label, student))


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def conductor(open_ledger: Open, seen: Seen) -> Conductor:
    """After the baseline and t0000 were started."""
    made = Conductor(open_ledger(), [seen], seen, seen.clean)
    assert [spec.label for spec in (made.start(), made.start()) if spec] == [BASELINE, "t0000"]
    return made


def entry(conductor: Conductor, label: str = "t0000") -> Entry:
    return conductor.ledger.entry(label)


def next_label(conductor: Conductor) -> str | None:
    spec = conductor.start()
    return spec.label if spec else None


def test_a_worker_may_die_three_times(conductor: Conductor) -> None:
    for times in range(DEATHS):
        conductor.lost("t0000", "died", "exit by SIGKILL")
        assert entry(conductor).state is TrialState.RUNNING
        assert entry(conductor).again == {"died": times + 1}
        assert next_label(conductor) == "t0000"
    conductor.lost("t0000", "died", "exit by SIGKILL")
    assert entry(conductor).state is TrialState.FAIL
    assert entry(conductor).error == "its worker died 4 times: exit by SIGKILL"
    assert next_label(conductor) == "t0001"


def test_deaths_are_remembered_by_the_next_driver(conductor: Conductor, open_ledger: Open, seen: Seen) -> None:
    for _ in range(DEATHS):
        conductor.lost("t0000", "died", "x")
        conductor.start()
    resumed = Conductor(open_ledger(), [seen], seen, seen.clean)
    resumed.lost("t0000", "died", "x")
    assert entry(resumed).state is TrialState.FAIL


def test_preemption_is_never_a_failure(conductor: Conductor) -> None:
    """S4: however often a machine is taken back; what it is for is not used up either."""
    for _ in range(50):
        conductor.lost("t0000", "preempted", "the node is drained")
        assert next_label(conductor) == "t0000"
    conductor.lost("t0000", "died", "x")
    assert entry(conductor).state is TrialState.RUNNING
    assert entry(conductor).again == {"preempted": 50, "died": 1}
    assert conductor.ledger.tally[TrialState.FAIL] == 0


def test_memory_is_tried_once_with_half(conductor: Conductor) -> None:
    """S10: then it has failed, by name, and is never scored."""
    conductor.reported("t0000", report(1, 0.99))
    conductor.lost("t0000", "memory", "OutOfMemoryError: 2 GiB")
    again = conductor.start()
    assert again is not None
    assert (again.label, again.training.accumulation, again.training.batch_size) == ("t0000", 2, 32)
    conductor.lost("t0000", "memory", "OutOfMemoryError: 2 GiB")
    assert entry(conductor).state is TrialState.FAIL
    assert entry(conductor).error == "out of memory, also with half the micro-batch: OutOfMemoryError: 2 GiB"
    assert conductor.ledger.frozen("t0000").value is None
    assert conductor.ledger.best() is None


@pytest.mark.parametrize(("batch", "workers", "accumulation", "halves"), [
    (1, 1, 1, False), (2, 1, 1, True), (2, 2, 1, False), (8, 1, 8, False), (8, 1, 4, True), (8, 4, 2, False),
])  # fmt: skip
def test_a_batch_that_cannot_be_halved(
    tmp_path: Path, spec: SweepSpec, space: Space, seen: Seen, batch: int, workers: int, accumulation: int, halves: bool
) -> None:
    training = spec.training.model_copy(update={"batch_size": batch, "accumulation": accumulation})
    spec = spec.model_copy(update={"training": training, "workers": workers})
    conductor = Conductor(Ledger(Journal(tmp_path), spec, space, "trials"), [seen], seen, seen.clean)
    conductor.start()
    conductor.lost(BASELINE, "memory", "why")
    assert (entry(conductor, BASELINE).state is TrialState.RUNNING) is halves
    if not halves:
        assert entry(conductor, BASELINE).error == "out of memory with one row at a time: why"


def test_a_full_disk_stops_the_sweep_and_leaves_the_trial_open(
    conductor: Conductor, open_ledger: Open, seen: Seen
) -> None:
    """S11."""
    conductor.lost("t0000", "disk", "OSError: No space left on device")
    assert conductor.stopped == "OSError: No space left on device"
    assert conductor.start() is None
    assert not conductor.ledger.exhausted
    assert entry(conductor).state is TrialState.RUNNING
    resumed = Conductor(open_ledger(), [seen], seen, seen.clean)
    assert [next_label(resumed) for _ in range(3)] == [BASELINE, "t0000", "t0001"]
    assert entry(resumed).again == {}


def test_an_exception_is_a_failure_at_once(conductor: Conductor, seen: Seen) -> None:
    conductor.failed("t0000", "NonFiniteLoss: loss is nan at step 3")
    assert (entry(conductor).state, entry(conductor).error) == (TrialState.FAIL, "NonFiniteLoss: loss is nan at step 3")
    assert seen.cleaned == [("t0000", True)]
    conductor.lost("t0000", "died", "late")
    assert entry(conductor).error == "NonFiniteLoss: loss is nan at step 3"


def test_a_stopped_trial_that_loses_its_worker_stays_stopped_and_is_cleaned(conductor: Conductor, seen: Seen) -> None:
    conductor.reported("t0000", report(2, 0.9))
    label = next_label(conductor)
    assert label == "t0001"
    assert conductor.reported(label, report(2, 0.1))
    assert seen.cleaned == []  # its worker may still write
    conductor.lost(label, "died", "late")
    assert entry(conductor, label).state is TrialState.PRUNED
    assert seen.cleaned == [(label, True)]
    assert next_label(conductor) == "t0002"


def test_a_stopped_trial_is_cleaned_when_its_worker_is_done(conductor: Conductor, seen: Seen) -> None:
    conductor.reported("t0000", report(2, 0.9))
    assert next_label(conductor) == "t0001"
    conductor.reported("t0001", report(2, 0.1))
    conductor.finished("t0001")
    assert entry(conductor, "t0001").state is TrialState.PRUNED
    assert seen.cleaned == [("t0001", True)]


def test_the_best_students_are_kept_and_the_beaten_one_goes(conductor: Conductor, seen: Seen) -> None:
    scores = {BASELINE: 0.95, "t0000": 0.5, "t0001": 0.4, "t0002": 0.7, "t0003": 0.7}
    while (label := next_label(conductor)) != "t0003":
        assert label is not None
    for label, score in scores.items():
        conductor.reported(label, report(8, score))
        conductor.finished(label)
    assert seen.cleaned == [
        (BASELINE, False),
        ("t0000", False),
        ("t0001", True),
        ("t0002", False),
        ("t0000", True),  # beaten
        ("t0003", True),  # no better
    ]


def test_what_the_display_and_the_mirrors_hear(conductor: Conductor, seen: Seen) -> None:
    conductor.reported("t0000", report(2, 0.5))
    conductor.lost("t0000", "preempted", "x")
    conductor.start()
    conductor.reported("t0000", report(8, 0.5))
    conductor.finished("t0000")
    progress = [shown[2].get("t0000") for shown in seen.shown]
    assert progress == [None, 0.0, 0.25, None, 0.0, 1.0, None]
    assert seen.touched == [BASELINE, *["t0000"] * 6]


def test_a_resumed_sweep_touches_every_mirror(conductor: Conductor, open_ledger: Open) -> None:
    conductor.finished("t0000") if conductor.reported("t0000", report(8, 0.5)) else None
    fresh = Seen()
    Conductor(open_ledger(), [fresh], fresh, fresh.clean)
    assert fresh.touched == [BASELINE, "t0000"]


def leave(folder: Path, *names: str) -> None:
    """What a trial leaves, under the names that it has."""
    for name in names:
        path = folder / name / STUDENT if name.startswith("link") else folder / name
        path.mkdir(parents=True)
        (path / ("state.json" if name.startswith("checkpoint") else "model.safetensors")).write_text("x")
        if path.name == STUDENT:
            write_manifest(path, {})


@pytest.mark.parametrize("remote", [False, True])
def test_what_is_removed_from_the_disk(tmp_path: Path, spec: SweepSpec, space: Space, remote: bool) -> None:
    trials = tmp_path / "trials"
    ledger = Ledger(Journal(tmp_path), spec, space, trials.as_uri() if remote else str(trials))
    for score in (0.9, 0.5, 0.6, 0.7):
        spec_ = ledger.next()
        assert spec_ is not None
        ledger.report(spec_.label, report(8, score))
        if spec_.label != "t0002":
            ledger.end(spec_.label, TrialState.COMPLETE)
    for label in (BASELINE, "t0000", "t0001", "t0002", "theirs"):
        leave(trials / label, "student", "checkpoint-00000003", "link-1")
    _clean(ledger, "t0000", True)
    assert not (trials / "t0000").exists() or not any((trials / "t0000").iterdir())
    leave(trials / "t0000", "student")
    _clean_all(ledger)  # as after a crash
    left = {str(path.relative_to(trials)) for path in trials.glob("*/*")}
    assert left == {
        "baseline/student",
        "t0001/student",
        *(f"{label}/{name}" for label in ("t0002", "theirs") for name in ("student", "checkpoint-00000003", "link-1")),
    }


def test_what_a_person_put_there_stays(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    trials = tmp_path / "trials"
    ledger = Ledger(Journal(tmp_path), spec, space, str(trials))
    leave(trials / "t0000", "student", "checkpoint-00000003", "link-1", "checkpoint-mine")
    theirs = ["notes.txt", "student/notes.txt", "checkpoint-00000003/notes.txt", "link-1/student/notes.txt", "tmp-x"]
    for name in theirs:
        (trials / "t0000" / name).write_text("years")
    _clean(ledger, "t0000", True)
    left = {str(path.relative_to(trials / "t0000")) for path in trials.rglob("*") if path.is_file()}
    assert left - {"student/raykd.json", "link-1/student/raykd.json"} == {*theirs, "checkpoint-mine/state.json"}
