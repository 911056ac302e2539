"""The line that is sent: read by raykd's own parser, completed, named, its files found, no secret in it."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import typer

from raykd.cli import app, main
from raykd.errors import UserError
from raykd.submit import shipped
from raykd.submit.line import read_line, sweep_name
from raykd.submit.shipped import places, shipment
from raykd.submit.variables import variables

GROUP: Any = typer.main.get_command(app)
PARSERS = GROUP.commands


def test_tune_is_completed() -> None:
    line = read_line(["tune", "--task", "rte"], PARSERS)
    assert line.shell("a") == "raykd tune --task rte --name a --continue --address auto"
    assert line.shell("a", "sent") == f"cd sent && exec {line.shell('a')}"


def test_what_is_given_stays() -> None:
    words = ["tune", "--task=rte", "--name=mine", "--resume", "--address", "h:6379"]
    line = read_line(words, PARSERS)
    assert line.shell(sweep_name(line, None)) == "raykd tune --task=rte --name=mine --resume --address h:6379"


def test_other_commands_are_left_as_they_are() -> None:
    line = read_line(["raykd", "distill", "--task", "rte", "--set", "alpha=0.5"], PARSERS)
    assert line.shell("x") == "raykd distill --task rte --set alpha=0.5"


def test_words_reach_the_shell_whole() -> None:
    line = read_line(["tune", "--task", "rte; rm -rf $HOME"], PARSERS)
    shell = 'raykd() { echo $# "$3"; }; ' + line.shell("a")
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    assert done.stdout == "8 rte; rm -rf $HOME\n"


@pytest.mark.parametrize("words", [["tasks"], ["predict", "x"], ["ui"], ["submit", "tune"], ["tuna"], ["raykd"], []])
def test_others_are_refused_by_name(words: list[str]) -> None:
    with pytest.raises(UserError, match=words[0] if words else "nothing to send"):
        read_line(words, PARSERS)


@pytest.mark.parametrize(
    "words",
    [["tune", "--task", "rte", "--foo"], ["tune"], ["tune", "--task", "rte", "--trials", "many"], ["evaluate"]],
)
def test_bad_lines_end_here_with_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["submit", "--address", "http://127.0.0.1:1", "--", *words])
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert f"raykd {words[0]}" in told
    assert "dashboard" not in told  # it did not come so far


@pytest.mark.parametrize(
    "flags", [[], ["--follow", "a", "--stop", "b"], ["--follow", "a", "--name", "b"], ["--stop", "a", "--fetch", "b"]]
)
def test_one_thing_at_a_time(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["submit", *flags])
    assert end.value.code == 2
    assert "submit wants" in (told := capsys.readouterr().err) or "only with" in told


def test_passwords_are_not_sent_in_a_line() -> None:
    with pytest.raises(UserError, match="study-uri holds a password"):
        read_line(["tune", "--task", "rte", "--study-uri", "postgresql://u:secret@h/db"], PARSERS)


def test_places_that_a_job_would_lose() -> None:
    with pytest.raises(UserError, match="out 'here'"):
        read_line(["distill", "--task", "rte", "--out", "here"], PARSERS)
    with pytest.raises(UserError, match="--name"):
        read_line(["tune", "--task", "rte", "--resume"], PARSERS)


def test_the_same_line_has_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("one")
    words = ["tune", "--task", "custom", "--data", "d.csv", "--method", "pkd"]
    first = sweep_name(read_line(words, PARSERS), None)
    assert first.startswith("custom-pkd-")
    assert sweep_name(read_line(words, PARSERS), None) == first
    assert sweep_name(read_line([*words, "--seed", "2"], PARSERS), None) != first
    Path("d.csv").write_text("two")
    assert sweep_name(read_line(words, PARSERS), None) != first


@pytest.mark.parametrize("name", ["../up", "a/b", "", "-x", "a" * 81, "a..b"])
def test_names_stay_in_their_folder(name: str) -> None:
    line = read_line(["tune", "--task", "rte"], PARSERS)
    if not name:
        assert sweep_name(line, name).startswith("rte-kd-")
        return
    with pytest.raises(UserError, match="name"):
        sweep_name(line, name)


def test_two_names() -> None:
    with pytest.raises(UserError, match="two names"):
        sweep_name(read_line(["tune", "--task", "rte", "--name", "a"], PARSERS), "b")


def test_files_go_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    (project / "data" / "d.csv").write_text("x")
    (project / "raykd-runs").mkdir()
    (project / "raykd-runs" / "big").write_text("x")
    monkeypatch.chdir(tmp_path)
    line = read_line(["tune", "--task", "custom", "--data=project/data/d.csv", "--teacher", "project/data"], PARSERS)
    sent = shipment(Path("project"))
    assert [file.as_posix() for file in sent.files] == ["data/d.csv"]
    there = line.moved(places(line, sent, None))
    assert there.arguments == ("--task", "custom", "--data=data/d.csv", "--teacher", "data")
    for name in ("a.zip", "b.zip"):
        sent.pack(tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert zipfile.ZipFile(tmp_path / "a.zip").namelist() == ["sent/data/d.csv"]


def test_files_that_only_this_machine_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("x")
    Path("project").mkdir()
    Path("kd").mkdir()  # called as a shipped space; not meant by --space kd
    line = read_line(["tune", "--task", "custom", "--data", "./d.csv", "--space", "kd"], PARSERS)
    with pytest.raises(UserError, match="--working-dir"):
        places(line, None, None)
    with pytest.raises(UserError, match="outside the working-dir"):
        places(line, shipment(Path("project")), None)
    assert places(line, None, str(tmp_path)) == {"./d.csv": str(tmp_path / "d.csv")}  # in the home all share
    full = read_line(["tune", "--task", "custom", "--data", str(tmp_path / "d.csv")], PARSERS)
    assert places(full, None, None) == {}  # may be storage that the cluster mounts


def test_ignored_files_do_not_go_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    Path(".gitignore").write_text("*.csv\n")
    Path("d.csv").write_text("x")
    sent = shipment(Path())
    assert [str(file) for file in sent.files] == [".gitignore"]
    with pytest.raises(UserError, match="ignored"):
        places(read_line(["tune", "--task", "custom", "--data", "d.csv"], PARSERS), sent, None)


def test_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "LIMIT", 100)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    with pytest.raises(UserError, match="MiB"):
        shipment(tmp_path / "in").pack(tmp_path / "a.zip")
    with pytest.raises(UserError, match="no such folder"):
        shipment(tmp_path / "none")


def test_secrets_stay_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "RAYKD_HOME": "s3://b/p", "MLFLOW_TRACKING_URI": "http://u:secret@h", "RAYKD_STUDY_URI": "postgresql://u@h/d",
        "AWS_SECRET_ACCESS_KEY": "hidden", "PGPASSWORD": "hidden",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    passed, notes = variables([])
    assert passed == {"RAYKD_HOME": "s3://b/p", "RAYKD_STUDY_URI": "postgresql://u@h/d"}
    assert not any("secret@" in note or "hidden" in note for note in notes)
    passed, notes = variables(["PGPASSWORD", "MLFLOW_TRACKING_URI"])
    assert passed["PGPASSWORD"] == "hidden"
    assert passed["MLFLOW_TRACKING_URI"] == "http://u:secret@h"
    assert not any("secret@" in note or "hidden" in note for note in notes)
    monkeypatch.setenv("RAYKD_HOME", "runs")
    assert "RAYKD_HOME" not in variables([])[0]
    with pytest.raises(UserError, match="NOT_THERE"):
        variables(["NOT_THERE"])
