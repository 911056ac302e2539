"""A sweep over several students to its end: rivals of each, who is confirmed, who is the champion, what is told."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState
from rich.console import Console

from raykd.models.cost import Cost
from raykd.report.story import Story
from raykd.report.tables import results
from raykd.report.verdict import verdict
from raykd.search.aimed import finalists
from raykd.search.finals import Final, is_rival, parse, plain_of, planned, rival
from raykd.search.found import look
from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.read_story import tell
from raykd.search.result import print_result
from raykd.search.space import Dimension, Space
from raykd.search.spec import SweepSpec
from raykd.search.sweep import SweepResult
from raykd.tasks.predictions import pack
from raykd.workspace import NAME
from tests.search.conftest import report

pytestmark = pytest.mark.usefixtures("quick")

ROWS = 40
LABELS = np.arange(ROWS) % 2
COSTS = {"cut:1": Cost(100_000, 10, 1.0), "cut:2": Cost(200_000, 20, 2.0), "cut:3": Cost(300_000, 30, 3.0)}
# Of 40 answers so many are right, by student and method; on a fresh seed one more.
RIGHT = {
    ("cut:1", "none"): 20, ("cut:2", "none"): 26, ("cut:3", "none"): 30,
    ("cut:1", "kd"): 24, ("cut:2", "kd"): 29, ("cut:3", "kd"): 34,
}  # fmt: skip


@pytest.fixture
def space() -> Space:
    students = Dimension("student", "choice", tuple(COSTS))
    start = tuple({"student": name, "temperature": 3} for name in COSTS)
    return Space(
        "s", "", "", (Dimension("method", "fixed", ("kd",)), students, Dimension("temperature", "int", (1, 9))), start
    )


@pytest.fixture
def spec(spec: SweepSpec, tmp_path: Path) -> SweepSpec:
    for split in ("select", "dev"):
        folder = tmp_path / split
        folder.mkdir()
        arrays = {"ids": np.zeros(ROWS, int), "labels": LABELS, "offsets": np.arange(ROWS + 1)}
        arrays["hashes"] = np.arange(ROWS, dtype=np.uint64)
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        meta = f'{{"key": "k", "truncated": 0, "arrays": {[*arrays]}, "pad_id": 0, "pad_type": 0, "pad_left": false}}'
        (folder / "meta.json").write_text(meta.replace("'", '"'))
    dev = {split: str(tmp_path / split) for split in ("select", "dev")}
    changed: dict[str, Any] = {"trials": 3, "finalists": 3, "final_seeds": 2, "pruner": "none", "dev": dev}
    changed |= {"costs": COSTS, "teacher_cost": Cost(900_000, 90, 9.0), "costs_of": "one row", "teacher_score": 0.9}
    return spec.model_copy(update=changed)


def ran(ledger: Ledger) -> bool:
    """Run the next trial to its end; False if there is none."""
    trial = ledger.next()
    if trial is None:
        return False
    label = trial.label
    settings = ledger.entry(label).settings
    count = RIGHT[settings["student"], settings["method"]] + (parse(label) is not None)
    answers = np.where(np.arange(ROWS) < count, LABELS, 1 - LABELS).astype(np.uint8)
    splits = ("select", "dev")
    report: dict[str, Any] = {
        "evaluation": 8,
        "progress": 1.0,
        "step": 8,
        "score": count / ROWS,
        "scored": True,
        "seconds": 1.0,
    }
    report |= {"first_step": 0.0, "at": 1.0, "metrics": {f"{split}/accuracy": count / ROWS for split in splits}}
    ledger.report(label, report | {"answers": {split: pack(answers) for split in splits}})
    ledger.end(label, TrialState.COMPLETE)
    return True


def whole(folder: Path, spec: SweepSpec, space: Space) -> Ledger:
    ledger = Ledger(Journal(folder), spec, space, "trials")
    while ran(ledger):
        pass
    return ledger


def test_names_of_rivals() -> None:
    students = ["cut:3", "cut:2,4", "build:4/312/12/1200", "/home/me/a student", "me/a-student", "cut:3:first", "cut-3"]
    names = [rival("kd", student, "cut:2") for student in students]
    assert names[:3] == ["kd@cut-3", "kd@cut-2-4", "kd@build-4-312-12-1200"]
    assert len({*names}) == len(names)
    assert rival("baseline", "cut:2", "cut:2") == rival("baseline", None, None) == "baseline"
    for name in names:
        label = Final(name, 12).label
        assert parse(label) == Final(name, 12)
        assert NAME.fullmatch(label.replace("@", ""))
        assert is_rival(name)
        assert plain_of(name) == "kd"
    assert not is_rival("t0003")


def test_each_student_among_the_best_has_its_rivals() -> None:
    best = [("t0001", {"method": "pkd", "student": "cut:3"}), ("t0002", {"method": "kd", "student": "cut:2"})]
    runs = list(planned(best, {"method": "none", "student": "cut:2", "epochs": 3}, 2, 1))
    names = ["baseline", "kd", "baseline@cut-3", "kd@cut-3", "t0001", "t0002"]
    assert [final.label for final, _ in runs] == [f"{name}-s{number}" for number in (1, 2) for name in names]
    assert [(of["student"], of["method"]) for _, of in runs[:4]] == [
        ("cut:2", "none"), ("cut:2", "kd"), ("cut:3", "none"), ("cut:3", "kd"),
    ]  # fmt: skip
    assert all(of["epochs"] == 3 for _, of in runs[:4])
    only = [final.name for final, _ in planned(best[:1], {"method": "none", "student": "cut:2"}, 1, 1)]
    assert only == ["baseline@cut-3", "kd@cut-3", "t0001"]


SCORED = [
    ("t0", 0.9, {"student": "cut:3"}), ("t1", 0.89, {"student": "cut:3"}), ("t2", 0.8, {"student": "cut:1"}),
    ("t3", 0.7, {"student": "cut:2"}), ("t4", 0.6, {"student": "cut:1"}),
]  # fmt: skip


@pytest.mark.parametrize(("aim", "many", "chosen"), [
    (None, 3, ["t0", "t1", "t2"]),
    ("max accuracy", 3, ["t0", "t2", "t1"]),  # one of each on the front first
    ("accuracy>=0.85, min latency", 3, ["t0", "t2", "t1"]),
    ("accuracy>=0.75, min latency", 2, ["t2", "t0"]),
    ("accuracy>=0.99*teacher, min latency", 4, ["t0", "t2", "t1", "t3"]),
    ("accuracy>=1.3*none, min flops", 5, ["t2", "t0", "t3", "t1", "t4"]),
])  # fmt: skip
def test_who_is_confirmed(spec: SweepSpec, aim: str | None, many: int, chosen: list[str]) -> None:
    spec = spec.model_copy(update={"aim": aim, "finalists": many})
    assert finalists(spec, SCORED, 0.5) == chosen
    assert finalists(spec, SCORED, 0.5, many=1) == chosen[:1]
    alone = [(label, score, {**settings, "student": "cut:1"}) for label, score, settings in SCORED]
    assert finalists(spec, alone, 0.5) == [label for label, *_ in SCORED][:many]


def test_each_is_compared_with_its_own_student(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = whole(tmp_path / "sweep", spec, space)
    story = tell(spec, ledger)
    by_name = {one.name: one for one in story.contenders}
    assert by_name.keys() == {
        "t0000",
        "t0001",
        "t0002",
        "baseline",
        "kd",
        *(f"{p}@cut-{n}" for p in ("baseline", "kd") for n in (2, 3)),
    }
    gains = {
        name: {other: round(found.difference * ROWS) for other, found in one.against.items()}
        for name, one in by_name.items()
    }
    assert gains["t0000"] == {"baseline": 4, "kd": 0}
    assert gains["t0001"] == {"baseline": 3, "kd": 0}
    assert gains["t0002"] == {"baseline": 4, "kd": 0}
    assert gains["kd@cut-3"] == {"baseline": 4}
    assert gains["baseline@cut-3"] == {}
    assert by_name["baseline"].promised is None  # it has a score in the search, but nobody chose it by that
    assert by_name["baseline@cut-2"].promised is None
    assert by_name["t0002"].promised == 34 / ROWS
    assert story.finals_left == 0
    assert [run.parameters for run in story.runs[:4]] == [100_000, 100_000, 200_000, 300_000]
    assert {run.latency for run in story.finals("kd@cut-3")} == {3.0}
    assert story.students == tuple(COSTS)
    found = look(ledger, spec, story.contenders)
    assert found.champion is not None
    assert found.confirmed is not None
    assert found.confirmed.name == story.chosen == "kd@cut-3"  # the same answers as t0002, and simpler


def test_p_is_corrected_over_all_students(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    story = tell(spec, whole(tmp_path / "three", spec, space))
    one = spec.model_copy(update={"finalists": 1})
    alone = tell(one, whole(tmp_path / "one", one, space))
    together = next(of for of in story.contenders if of.name == "t0002").against["baseline"]
    apart = next(of for of in alone.contenders if of.name == "t0002").against["baseline"]
    assert 0 < apart.p < together.p == pytest.approx(min(1, 3 * apart.p))


@pytest.mark.parametrize(("aim", "champion", "met"), [
    ("accuracy>=0.7, min latency", "cut:2", True),
    ("accuracy>=0.8*teacher, min parameters", "cut:2", True),
    ("accuracy>=1.2*none, min flops", "cut:2", True),  # 1.2 times 21 of 40
    ("min latency", "cut:1", True),
    ("accuracy>=0.99, min latency", "cut:3", False),
    ("max accuracy", "cut:3", True),
])  # fmt: skip
def test_the_champion_is_chosen_by_the_aim(
    tmp_path: Path, spec: SweepSpec, space: Space, aim: str, champion: str, met: bool
) -> None:
    spec = spec.model_copy(update={"aim": aim})
    ledger = whole(tmp_path / "sweep", spec, space)
    story = tell(spec, ledger)
    found = look(ledger, spec, story.contenders)
    assert found.champion is not None
    assert found.champion.settings["student"] == champion
    assert found.champion.settings["method"] == "kd"
    assert story.champion is not None
    assert found.confirmed == story.champion
    assert story.aimed is not None
    assert story.aimed.met is met
    said = verdict(story)
    assert aim in " ".join((said.headline, *said.sentences))
    assert ("Nobody meets the aim" in said.headline) is not met
    marked = [row for row in results(story).rows if row.mark == "champion"]
    assert [row.cells["latency"][0] for row in marked] == [f"{COSTS[champion].latency:.3g} ms"]
    size = next(figure for figure in said.figures if figure.label == "size of the teacher")
    assert f"{9 / COSTS[champion].latency:.1f} times as fast, {COSTS[champion].latency:g} ms a row" in size.note


def test_without_finals_it_is_one_whose_student_is_kept(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    spec = spec.model_copy(update={"finalists": 0, "aim": "min latency"})
    ledger = whole(tmp_path / "sweep", spec, space)
    story = tell(spec, ledger)
    found = look(ledger, spec, story.contenders)
    assert found.champion is not None
    assert found.champion.label in ledger.keepers()
    assert story.chosen == found.champion.label
    assert "The aim is min latency." in verdict(story).sentences
    plain = spec.model_copy(update={"aim": None})
    kept = look(ledger, plain, ()).champion
    assert kept is not None
    assert kept.label == tell(plain, ledger).chosen == "t0002"


def test_finals_to_come(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = Ledger(Journal(tmp_path / "sweep"), spec, space, "trials")
    left = []
    while ran(ledger):
        left.append(tell(spec, ledger).finals_left)
    assert left[3:] == list(range(18, -1, -1))  # three finalists and six rivals, twice


def printed(spec: SweepSpec, ledger: Ledger, story: Story) -> str:
    console = Console(width=120, record=True, file=StringIO())
    found = look(ledger, spec, story.contenders)
    said = verdict(story)
    entries = ledger.entries()
    folder = Path("x")
    print_result(
        SweepResult(spec, folder, entries, found, None, None, None, True, (), (said.headline, *said.sentences)), console
    )
    return console.export_text()


def test_the_tables_at_the_end(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    spec = spec.model_copy(update={"aim": "accuracy>=0.7, min latency"})
    ledger = whole(tmp_path / "sweep", spec, space)
    text = printed(spec, ledger, tell(spec, ledger))
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "9 ms" in lines["teacher"]
    assert lines["cut:3"].split()[1:] == ["0.8500", "0.3", "M", "0.0", "M", "3", "ms", "parameters,", "latency"]
    assert [line for line in text.splitlines() if line.startswith("none cut:2 ")]
    assert [line for line in text.splitlines() if line.startswith("t0001 cut:2 ")]
    assert "latency: one row" in text


def test_with_an_aim_students_are_stopped_among_their_like(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    """The small one is the worst of all at every rung, and goes on as the best of its own."""
    for aim, stopped in ((None, True), ("accuracy>=0.5, min latency", False)):
        spec = spec.model_copy(update={"aim": aim, "pruner": "halving", "grace": 2, "trials": 9})
        ledger = Ledger(Journal(tmp_path / str(aim)), spec, space, "trials")
        ran(ledger)
        scores = {"cut:3": 0.8, "cut:2": 0.7, "cut:1": 0.6}
        trials = {trial.label: trial.student for trial in (ledger.next() for _ in range(3)) if trial is not None}
        said = {
            student: ledger.report(label, report(2, scores[student]))
            for label, student in sorted(trials.items(), key=lambda item: -scores[item[1]])
        }
        assert said == {"cut:3": False, "cut:2": stopped, "cut:1": stopped}


def test_what_the_aim_wants_is_kept_without_finals(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    spec = spec.model_copy(update={"finalists": 0, "aim": "accuracy>=0.55, min latency"})
    ledger = whole(tmp_path / "sweep", spec, space)
    assert ledger.keepers() == {"baseline", "t0000", "t0002"}
    found = look(ledger, spec, ())
    assert found.champion is not None
    assert found.champion.label == "t0000"


def test_how_many_there_will_be(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = whole(tmp_path / "sweep", spec, space)
    assert ledger.planned == len(ledger.entries()) == 1 + 3 + 9 * 2
