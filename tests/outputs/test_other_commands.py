"""What else raykd writes and removes: pages, analyses, champions, caches; and ``~`` in flags and variables."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raykd import storage
from raykd.manifest import is_stamped, prove, stamp_page, write_manifest
from raykd.report.page import REPORT
from raykd.search.result_files import put_champion, put_results, send_page
from raykd.tasks.encode import Encoded
from raykd.tasks.encoded import kept
from raykd.workspace import here as workspace_here
from tests.outputs.conftest import OWN, QUICK, TEACHER, Command, persons
from tests.outputs.trees import snapshot, write_model

DATA = OWN[2:]


@pytest.fixture
def analyse(here: Path, raykd: Command) -> tuple[str, ...]:
    """A line that looks at a student."""
    code, said = raykd("distill", *OWN, *TEACHER, "--student", "cut:1", *QUICK, "--out", "small")
    assert code == 0, said
    (here / "dev.csv").write_text("text,label\nw1 w2,no\nw3 w4,yes\nw5 w9 w4,no\nw1 w8,yes\n")
    return ("analyse", "small", "--teacher", "base/teacher", *DATA[:-2], "--data", "base/rows.csv")


def test_an_analysis(here: Path, raykd: Command, analyse: tuple[str, ...]) -> None:
    assert raykd(*analyse, "--out", "found")[0] == 0
    assert {path.name for path in (here / "found").iterdir()} == {"analysis.json", "cka-small.png"}
    seal = prove(here / "found", "analysis.json").seal
    assert seal is not None
    assert raykd(*analyse, "--out", "found", "--max-eval-samples", "3")[0] == 0  # over its own
    assert prove(here / "found", "analysis.json").seal not in (None, seal)
    (here / "found" / "notes.txt").write_text("years")
    (here / "results").mkdir()
    (here / "results" / "analysis.json").write_text('{"mine": 1}')
    before = persons(here)
    for out, said in {
        "found": "holds 'notes.txt', which raykd did not write",
        "results": "its analysis.json does not prove",
        "small": "is the student 1",
        "small/x": "lies in the student 1",
        "base/teacher/x": "lies in the teacher",
        "small/page.html": "lies in the student 1",
        ".": "name a folder",
        "runs/analyses": "raykd's folder of analyses",
    }.items():
        code, heard = raykd(*analyse, "--out", out)
        assert (code, said in heard) == (2, True), heard
    assert persons(here) == before
    first = here / "runs" / "analyses"
    assert raykd(*analyse)[0] == raykd(*analyse)[0] == 0
    [default] = first.iterdir()
    (default / "notes.txt").write_text("years")
    assert f"written: {default}-2/analysis.json" in raykd(*analyse)[1]
    assert (default / "notes.txt").read_text() == "years"


def test_an_analysis_keeps_out_of_the_teacher_that_a_card_names(
    here: Path, raykd: Command, analyse: tuple[str, ...]
) -> None:
    assert "lies in the model" in raykd(analyse[0], analyse[1], *analyse[4:], "--out", "base/teacher/x")[1]
    (here / "base" / "teacher" / "raykd.json").unlink()  # nothing else says now that it is a model's
    code, said = raykd(analyse[0], analyse[1], *analyse[4:], "--out", "base/teacher/x")
    assert code == 2
    assert "lies in the teacher" in said
    assert not (here / "base" / "teacher" / "x").exists()


def test_a_page_of_an_analysis(here: Path, raykd: Command, analyse: tuple[str, ...]) -> None:
    assert raykd(*analyse, "--out", "page.html")[0] == 0
    page = here / "page.html"
    assert is_stamped(page.read_bytes())
    assert raykd(*analyse, "--out", "page.html")[0] == 0
    for content in (page.read_bytes().replace(b"<h1>", b"<h1>My "), b"<html><head></head>mine</html>", b""):
        page.write_bytes(content)
        code, said = raykd(*analyse, "--out", "page.html")
        assert (code, "is no page that raykd wrote and nobody edited" in said) == (2, True)
        assert page.read_bytes() == content


@pytest.fixture
def sweep(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep that has not begun, in the workspace."""
    monkeypatch.setattr("raykd.report.page.render", lambda story, card: f"<head></head>{story.sweep}")
    folder = here / "runs" / "sweeps" / "s"
    shutil.copytree(here / "base" / "sweep", folder)
    return folder


def test_a_report(here: Path, raykd: Command, sweep: Path) -> None:
    assert raykd("report", "s", "--out", "page.html")[0] == 0
    assert raykd("report", "s", "--out", "page.html")[0] == 0  # over its own
    (here / "page.html").write_bytes((here / "page.html").read_bytes() + b"my own words")
    (here / "mine.html").write_text("mine")
    (here / "link.html").symlink_to("page.html")
    before = persons(here)
    for out in ("page.html", "mine.html", "base/rows.csv", "link.html", "base", "runs/mlflow.db", f"{sweep}/x.html"):
        assert raykd("report", "s", "--out", out)[0] == 2
    assert persons(here) == before
    assert raykd("report", "s")[0] == raykd("report", "s")[0] == 0
    (sweep / REPORT).write_text("mine")
    assert f"report: {sweep / 'report-2.html'}" in raykd("report", "s")[1]
    assert (sweep / REPORT).read_text() == "mine"
    assert not [path for path in sweep.iterdir() if path.name.startswith(".")]


def test_the_champion_of_a_sweep(tmp_path: Path) -> None:
    for number in (1, 2):
        write_model(tmp_path / f"student-{number}", f"student {number}", "distill")
    folder = tmp_path / "champion"
    assert put_champion(str(tmp_path / "student-1"), folder) == folder
    assert put_champion(str(tmp_path / "student-2"), folder) == folder
    assert (folder / "config.json").read_text() == "student 2"
    (folder / "README.md").write_text("my own words")
    before = snapshot(folder)
    assert put_champion(str(tmp_path / "student-1"), folder) == tmp_path / "champion-2"
    assert put_champion((tmp_path / "student-2").as_uri(), folder) == tmp_path / "champion-2"
    assert (tmp_path / "champion-2" / "config.json").read_text() == "student 2"
    assert snapshot(folder) == before
    assert {path.name for path in tmp_path.iterdir()} == {"student-1", "student-2", "champion", "champion-2"}


def test_pictures_and_tables_of_a_sweep(tmp_path: Path) -> None:
    def draw(folder: Path) -> list[Path]:
        (folder / "trials.csv").write_text("trial\n")
        return [folder / "trials.csv"]

    assert put_results(tmp_path, draw) == put_results(tmp_path, draw) == [tmp_path / "trials.csv"]
    (tmp_path / "trials.csv").write_text("trial,my own column\n")
    assert put_results(tmp_path, draw) == put_results(tmp_path, draw) == [tmp_path / "trials-2.csv"]
    assert (tmp_path / "trials.csv").read_text() == "trial,my own column\n"


def test_a_page_in_a_store(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(stamp_page("<head></head>new"))
    place = (tmp_path / "store").as_uri()
    for _ in range(2):
        assert send_page(page, place) == storage.join(place, REPORT)
    storage.write_text(storage.join(place, REPORT), "mine")
    assert send_page(page, place) == storage.join(place, "report-2.html")
    assert storage.read_text(storage.join(place, REPORT)) == "mine"


def test_a_damaged_split_is_built_again_and_a_persons_file_kept(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        for name, values in {"ids": [1, 2], "offsets": [0, 2], "labels": [1], "hashes": [7]}.items():
            np.save(folder / f"{name}.npy", np.array(values))
        about = {"arrays": ["ids", "offsets", "labels", "hashes"], "key": "k", "truncated": 0, "pad_id": 0}
        (folder / "meta.json").write_text(json.dumps(about | {"pad_type": 0, "pad_left": False}))

    key = "0" * 24
    assert isinstance(kept(tmp_path, key, write), Encoded)
    (tmp_path / key / "ids.npy").write_bytes(b"")
    (tmp_path / key / "notes.txt").write_text("years")
    assert len(kept(tmp_path, key, write)) == 1
    assert [path.read_text() for path in tmp_path.glob("*/notes.txt")] == ["years"]
    (tmp_path / key / "ids.npy").write_bytes(b"")
    assert len(kept(tmp_path, key, write)) == 1
    assert len(list(tmp_path.iterdir())) == 2  # nothing else is kept


def test_what_is_stored_of_teachers_goes_and_nothing_else(here: Path, raykd: Command) -> None:
    root = here / "runs" / "knowledge"
    part = root / f"logits-{'0' * 16}"
    files = {
        part / "shard-00000.bin": "raykd's",
        part / "notes.txt": "mine",
        root / "mine" / "thesis.txt": "mine",
        root / f"mine-{'a' * 16}" / "thesis.txt": "mine",
        root / "tmp-mine" / "thesis.txt": "mine",
        root / "notes.txt": "mine",
    }
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    os.utime(root / "tmp-mine", (0, 0))
    assert "1 parts" in raykd("cache", "ls")[1]
    assert raykd("cache", "rm", f"mine-{'a' * 16}")[0] == 2
    assert raykd("cache", "verify")[0] == 1  # its description is absent
    assert raykd("cache", "rm", "--all")[0] == 0
    left = {path for path in root.rglob("*") if path.is_file()}
    assert left == {path for path, content in files.items() if content == "mine"}


def test_names_of_sweeps_do_not_take_a_persons_folder(here: Path, raykd: Command) -> None:
    folder = here / "runs" / "sweeps" / "s"
    (folder / "ray").mkdir(parents=True)
    (folder / "ray" / "thesis.txt").write_text("years")
    for more in ((), ("--continue",)):
        code, said = raykd("tune", *OWN, *TEACHER, "--name", "s", *more)
        assert (code, "holds ray, which no sweep left there; take another --name" in said) == (2, True)
    assert (folder / "ray" / "thesis.txt").read_text() == "years"


def test_home_in_variables(here: Path, raykd: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """CASES 38."""
    person = here.parent / "person"
    monkeypatch.setenv("RAYKD_HOME", "~/raykd")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///~/mlflow.db")
    monkeypatch.setenv("RAYKD_CACHE", "~/cache")
    assert workspace_here().root == person / "raykd"
    assert workspace_here().tracking_uri == f"sqlite:///{person}/mlflow.db"
    assert storage.cache_folder() == person / "cache"
    assert raykd("teach", *OWN, *TEACHER, *QUICK)[0] == 0
    assert (person / "raykd" / "teachers").is_dir()
    assert not (here / "~").exists()


def test_home_in_flags(here: Path, raykd: Command, sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    person = here.parent / "person"
    shutil.copytree(here / "base", person / "base")
    own: Any = [*OWN[:-2], "--data", "~/base/rows.csv", "--dev-file", "~/base/rows.csv"]
    line = ("distill", *own, "--teacher", "~/base/teacher", "--student", "~/base/teacher", *QUICK)
    code, said = raykd(*line, "--unlabelled", "~/base/texts.txt", "--out", "~/student")
    assert code == 0, said
    assert prove(person / "student").command == "distill"
    assert raykd("evaluate", "~/student", *own[:-2])[0] in (0, 2)
    assert '"label"' in raykd("predict", "~/student", "~/base/texts.txt")[1]
    analysed = raykd("analyse", "~/student", "--teacher", "~/base/teacher", *own[2:], "--out", "~/analysis")
    assert analysed[0] == 0, analysed[1]
    assert raykd("report", "s", "--out", "~/page.html")[0] == 0
    pretrained = raykd(
        "pretrain",
        "~/base/texts.txt",
        "--teacher",
        "~/base/teacher",
        "--student",
        "cut:1",
        *QUICK,
        "--out",
        "~/general",
    )
    assert pretrained[0] == 0, pretrained[1]
    assert {"student", "analysis", "page.html", "general"} <= {path.name for path in person.iterdir()}
    assert not (here / "~").exists()


@pytest.mark.parametrize("words", [("evaluate", "{}"), ("predict", "{}"), ("analyse", "{}"), ("report", "--out", "{}")])
def test_home_of_nobody(raykd: Command, sweep: Path, words: tuple[str, ...]) -> None:
    code, said = raykd(*(word.format("~nobody-at-all/x") for word in words))
    assert (code, "no user 'nobody-at-all'" in said) == (2, True), said


def test_a_manifest_is_not_taken_for_an_input(tmp_path: Path) -> None:
    """A folder that proves itself stays one when it is copied: what counts is what is in it."""
    write_model(tmp_path / "a", "x", "teach")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert prove(tmp_path / "b").seal == prove(tmp_path / "a").seal
    write_manifest(tmp_path / "b", {"command": "teach", "note": "another"})
    assert prove(tmp_path / "b").seal != prove(tmp_path / "a").seal
