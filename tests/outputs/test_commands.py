"""Every command that writes, on the command line: what is refused before anything is trained, and what is kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedModel

from raykd import api
from raykd.manifest import prove
from raykd.pretrain import pretrain
from raykd.tasks.source import Source
from raykd.train import loop
from tests.outputs.conftest import DISTILL, LINES, OWN, QUICK, TEACH, TEACHER, Command, persons
from tests.outputs.trees import snapshot


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be trained."""

    def train(*_: Any, **__: Any) -> None:
        pytest.fail("it was trained before it was refused")

    for module in ("raykd.train.trial", "raykd.train.teach", "raykd.pretrain"):
        monkeypatch.setattr(f"{module}.distill", train)


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("command", LINES)
def test_a_project_is_no_model(here: Path, raykd: Command, command: str) -> None:
    """A config.json is no proof; CASES 1."""
    for name, content in {
        "config.json": '{"name": "my app"}',
        "src/thesis.txt": "years",
        "checkpoint-500/x": "1",
    }.items():
        path = here / "proj" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    before = persons(here)
    code, said = raykd(*LINES[command], "--out", "proj")
    assert code == 2
    assert "out 'proj' is there already and is not raykd's alone: it holds 'checkpoint-500'" in said
    assert "Nothing is removed: name a new or empty folder, or move that one away" in said
    assert persons(here) == before


def inputs(here: Path) -> dict[str, tuple[str, ...]]:
    """Lines that read something besides the data, each with --out to come."""
    texts, vectors = here / "texts", here / "vectors.txt"
    texts.mkdir(exist_ok=True)
    (texts / "one.txt").write_text("w1 w2\n")
    vectors.write_text("w1 0.1 0.2\n")
    shutil.copytree(here / "base" / "teacher", here / "model", dirs_exist_ok=True)
    (here / "model" / "raykd.json").unlink(missing_ok=True)  # of somebody who knows nothing of raykd
    shutil.copy(here / "base" / "rows.csv", here / "dev.csv")
    distill = ("distill", *OWN, *QUICK)
    return {
        "teacher": (*distill, "--student", "cut:1", "--teacher", "model"),
        "student": (*distill, *TEACHER, "--student", "model"),
        "dev file": (*DISTILL, "--dev-file", "dev.csv"),
        "corpus": (*DISTILL, "--method", "minimax_knn", "--corpus", "texts"),
        "unlabelled texts": (*DISTILL, "--unlabelled", "texts"),
        "language model": (*DISTILL, "--augment", "1", "--augment-with", "model"),
        "word vectors": (*DISTILL, "--augment", "1", "--augment-vectors", "vectors.txt"),
        "texts": ("pretrain", "texts", *TEACHER, "--student", "cut:1", *QUICK),
        "data": ("teach", *OWN, *TEACHER, *QUICK),
    }


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(
    ("what", "out", "relation"),
    [
        ("teacher", "model", "is"),
        ("teacher", "model/student", "lies in"),
        ("teacher", "base/../model/student", "lies in"),
        ("teacher", "link/student", "lies in"),
        ("student", "model", "is"),
        ("student", "model/new/student", "lies in"),
        ("dev file", "dev.csv", "is"),
        ("corpus", "texts", "is"),
        ("corpus", "texts/out", "lies in"),
        ("unlabelled texts", "texts/out", "lies in"),
        ("language model", "model/out", "lies in"),
        ("word vectors", "vectors.txt", "is"),
        ("texts", "texts/out", "lies in"),
        ("texts", "texts", "is"),
        ("data", "base", "holds"),
        ("data", "base/rows.csv", "is"),
    ],
)
def test_what_is_read_is_not_written(here: Path, raykd: Command, what: str, out: str, relation: str) -> None:
    """CASES 2."""
    line = inputs(here)[what]
    (here / "link").symlink_to("model")
    before = persons(here)
    code, said = raykd(*line, "--out", out)
    assert code == 2
    assert f"out '{out}' {relation} the {what} " in said
    assert "which is read: name another place" in said
    assert persons(here) == before


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("runs", "is raykd's own folder"),
        ("runs/teachers", "is raykd's folder of teachers"),
        ("runs/students", "is raykd's folder of students"),
        ("runs/cache", "where raykd keeps tokenised data"),
        ("runs/cache/x", "where raykd keeps tokenised data"),
        ("runs/sweeps/s", "where raykd keeps sweeps"),
        ("runs/sweeps/s/champion", "where raykd keeps sweeps"),
        ("runs/knowledge/x", "where raykd keeps what teachers said"),
        ("runs/mlartifacts", "where raykd keeps MLflow's artifacts"),
        ("runs/mlflow.db", "where raykd keeps MLflow's database"),
        ("runs/teachers/0123456789abcdef", "where raykd keeps the taught teacher"),
        ("base/sweep/x", "lies in the sweep"),
        (".", "name a folder or a file of its own"),
        ("..", "name a folder or a file of its own"),
        ("../work", "is the current folder"),
        ("../../", "name"),
        ("/", "name a folder or a file of its own"),
        ("~", "is your home folder"),
        ("~nobody-at-all/x", "no user"),
        ("", "name a folder or a file of its own"),
        ("base/squad.json/x", "cannot be made"),
        ("link", "is a link to 'empty', and stays one"),
        ("dangling", "is a link to 'nowhere'"),
        ("x" * 300, "too long"),
    ],
)
def test_places_that_are_no_outputs(here: Path, raykd: Command, out: str, said: str) -> None:
    (here / "runs" / "teachers" / "0123456789abcdef").mkdir(parents=True)
    (here / "empty").mkdir()
    (here / "link").symlink_to("empty")
    (here / "dangling").symlink_to("nowhere")
    before = snapshot(here.parent)
    for command in ("teach", "distill", "pretrain"):
        code, heard = raykd(*LINES[command], "--out", out)
        assert (code, said in heard) == (2, True), heard
    assert snapshot(here.parent) == before


def test_an_earlier_student_stays(here: Path, raykd: Command) -> None:
    """By default a number is added; where a folder is named it is refused."""
    code, said = raykd(*DISTILL)
    [first] = (here / "runs" / "students").iterdir()
    assert (code, str(first) in said) == (0, True)
    before = snapshot(first)
    code, said = raykd(*DISTILL)  # the very same again
    assert code == 0
    assert f"student: {first}-2 " in said
    assert raykd(*DISTILL, "--seed", "2")[0] == 0
    assert {path.name for path in first.parent.iterdir()} == {first.name, f"{first.name}-2", f"{first.name}-3"}
    assert snapshot(first) == before
    code, said = raykd(*DISTILL, "--out", str(first))
    assert code == 2
    assert "holds what raykd made by 'distill', and keeps it: name a new or empty folder" in said
    assert snapshot(first) == before
    (here / "empty").mkdir()
    assert raykd(*DISTILL, "--out", "empty")[0] == 0
    assert prove(here / "empty").command == "distill"


def test_an_interrupted_student_goes_on_though_its_name_was_taken(
    here: Path, raykd: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = (*DISTILL[:-4], "--epochs", "2", "--batch-size", "8")
    starts: list[int] = []
    known = loop.Keeper.resume

    def resume(keeper: loop.Keeper, device: Any) -> Any:
        position = known(keeper, device)
        starts.append(position.step)
        return position

    monkeypatch.setattr(loop.Keeper, "resume", resume)

    def killed(report: Callable[[Any], bool]) -> Callable[[Any], bool]:
        def tell(done: Any) -> bool:
            if done.evaluation == 3:
                raise KeyboardInterrupt
            return report(done)

        return tell

    from raykd.train import trial

    run = trial.run_trial
    with monkeypatch.context() as patch:
        patch.setattr(trial, "run_trial", lambda spec, report, **_: run(spec, killed(report), checkpoint_every=0.0))
        assert raykd(*line)[0] == 130
    assert raykd(*line, "--seed", "2")[0] == 0  # takes the name
    assert raykd(*line)[0] == 0
    assert starts[0] == starts[1] == 0
    assert starts[2] > 0
    names = sorted(path.name for path in (here / "runs" / "students").iterdir())
    assert len(names) == 2  # no scratch is left
    assert names[1] == f"{names[0]}-2"


def test_a_teacher_makes_way_for_one_of_the_same_rows_alone(here: Path) -> None:
    """CASES 28."""

    def teach(data: str, **more: Any) -> Path:
        source = Source(data, None, ("text",), "label", task_name="mine")
        return api.teach("custom", source, teacher="base/teacher", epochs=0.1, batch_size=8, **more)[0]

    rows = (here / "base" / "rows.csv").read_text().splitlines(keepends=True)
    (here / "other.csv").write_text("".join(rows[:-2]))
    first = teach("base/rows.csv")
    assert first == here / "runs" / "teachers" / "mine"
    seal = prove(first).seal
    second = teach("other.csv")
    assert second.name == "mine-2"
    assert prove(first).seal == seal
    assert teach("base/rows.csv", seed=2) == first
    assert prove(first).seal != seal
    assert teach("other.csv") == second
    (first / "notes.txt").write_text("years")
    assert teach("base/rows.csv").name == "mine-3"
    assert (first / "notes.txt").read_text() == "years"
    source = Source("base/rows.csv", None, ("text",), "label", task_name="mine")
    folder, _ = api.teach("custom", source, teacher="runs/teachers/mine-3", epochs=0.1, batch_size=8)
    assert folder.name == "mine-4"  # not over the teacher that it was taught from


def test_a_teacher_is_replaced_only_untouched(here: Path, raykd: Command) -> None:
    out = here / "taught"
    assert raykd(*TEACH, "--out", "taught")[0] == 0
    seal = prove(out).seal
    assert raykd(*TEACH, "--out", "taught", "--seed", "2")[0] == 0
    assert prove(out).seal not in (None, seal)
    assert [path.name for path in here.iterdir() if "taught" in path.name] == ["taught"]
    for command in ("distill", "pretrain"):
        assert "holds what raykd made by 'teach', and keeps it" in raykd(*LINES[command], "--out", "taught")[1]
    for change in ("notes.txt", "config.json"):
        (out / change).write_text("mine")
        before = snapshot(out)
        code, said = raykd(*TEACH, "--out", "taught")
        assert code == 2
        assert "Nothing is removed" in said
        assert snapshot(out) == before


def test_the_general_stage_keeps_earlier_students(here: Path) -> None:
    def run(**more: Any) -> Path:
        return pretrain("base/texts.txt", teacher="base/teacher", student="cut:1", epochs=0.1, batch_size=8, **more)[0]

    assert [run().name for _ in range(2)] == ["general-minilmv2", "general-minilmv2-2"]
    out = run(out="general")
    seal = prove(out).seal
    assert run(out="general", seed=2) == out
    assert prove(out).seal != seal
    assert sorted(path.name for path in here.iterdir()) == ["base", "general", "runs"]


@pytest.mark.parametrize("command", LINES)
def test_what_comes_meanwhile_stays_and_the_training_is_not_lost(
    here: Path, raykd: Command, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    module = {"distill": "raykd.train.trial", "teach": "raykd.train.teach", "pretrain": "raykd.pretrain"}[command]

    def train(*words: Any, **named: Any) -> Any:
        (here / "out").mkdir()
        (here / "out" / "thesis.txt").write_text("years")
        return loop.distill(*words, **named)

    monkeypatch.setattr(f"{module}.distill", train)
    code, said = raykd(*LINES[command], "--out", "out")
    assert code == 0
    assert f"'{here / 'out'}' has been taken or changed meanwhile, and stays as it is: saved in" in said
    assert prove(here / "out-2").command == command
    assert (here / "out" / "thesis.txt").read_text() == "years"
    assert f": {here / 'out-2'} " in said.splitlines()[-1]


@pytest.mark.parametrize(("number", "ends"), [(28, (1, "no room")), (13, (2, "the disk fails"))])
def test_a_disk_that_fails_as_it_saves(
    here: Path, raykd: Command, monkeypatch: pytest.MonkeyPatch, number: int, ends: tuple[int, str]
) -> None:
    assert raykd(*TEACH, "--out", "taught")[0] == 0
    before = persons(here)

    def save(self: Any, folder: Path, **_: Any) -> None:
        (Path(folder) / "config.json").write_text("{}")
        raise OSError(number, "the disk fails")

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", save)
    for out in ("taught", "new"):
        code, said = raykd(*TEACH, "--out", out, "--seed", "2")
        assert code == ends[0]
        assert ends[1] in said
    after = {name: thing for name, thing in persons(here).items() if ".run" not in name}  # to go on from
    assert after == before


def test_a_card_of_an_earlier_version_proves_nothing(here: Path, raykd: Command) -> None:
    assert raykd(*TEACH, "--out", "taught")[0] == 0
    card = json.loads((here / "taught" / "raykd.json").read_text())
    older = {key: value for key, value in card.items() if key not in ("format", "files", "sha256")}
    (here / "taught" / "raykd.json").write_text(json.dumps(older))
    code, said = raykd(*TEACH, "--out", "taught")
    assert code == 2
    assert "its raykd.json does not prove what raykd wrote: an earlier version made it" in said
