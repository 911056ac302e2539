"""A folder of a person's with data, a tiny teacher that knows it, and the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from raykd.cli import main
from tests.fuzz import base
from tests.outputs.trees import Thing, snapshot

Command = Callable[..., tuple[int, str]]
OWN = ("--task", "custom", "--text-columns", "text", "--label-column", "label", "--data", "base/rows.csv")
TEACHER = ("--teacher", "base/teacher")
QUICK = ("--epochs", "0.1", "--batch-size", "8")
DISTILL = ("distill", *OWN, *TEACHER, "--student", "cut:1", *QUICK)
TEACH = ("teach", *OWN, *TEACHER, *QUICK)
PRETRAIN = ("pretrain", "base/texts.txt", *TEACHER, "--student", "cut:1", *QUICK)
LINES = {"distill": DISTILL, "teach": TEACH, "pretrain": PRETRAIN}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: base/ (see tests.fuzz.base), and a workspace in runs/."""
    monkeypatch.setenv("RAYKD_HOME", "runs")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    for name in ("MLFLOW_TRACKING_URI", "RAYKD_STUDY_URI"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "person").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    base.lay_out(tmp_path / "work" / "base")
    return tmp_path / "work"


@pytest.fixture
def raykd(here: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command line; its exit code and what it said."""

    def run(*words: str) -> tuple[int, str]:
        code: object = 0
        try:
            main(list(words))
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return int(str(code or 0)), said.err + said.out

    return run


def persons(folder: Path) -> dict[str, Thing]:
    """Everything below `folder` but for the workspace."""
    return {name: thing for name, thing in snapshot(folder).items() if name.split("/")[0] != "runs"}
