"""What lies in the working folder is not imported. Whole sweeps are in tests/sweep/test_endings.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from raykd.search.join import DriverPaths

ROOT = Path(__file__).parents[1]
SHADOWS = ("json", "typing", "pathlib", "signal", "rich", "typer", "torch", "numpy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('{name} of the working folder')")
    return tmp_path


def run(folder: Path, *command: str, **variables: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_as_a_module(folder: Path) -> None:
    assert "fsd_lg" in run(folder, "-m", "raykd", "methods")


def test_an_empty_part_of_the_path(folder: Path) -> None:
    """As `export PYTHONPATH=$PYTHONPATH:more` leaves it. What Python itself needs to start is out of reach there."""
    for name in ("json", "typing", "pathlib", "signal"):
        (folder / f"{name}.py").unlink()
    code = (
        "from raykd.import_path import *; leave_out_working_folder(); import numpy, os; print(os.environ['PYTHONPATH'])"
    )
    assert run(folder, "-P", "-c", code, PYTHONPATH=f":{ROOT}").strip() == str(ROOT)


def test_a_part_that_names_the_folder_stays(folder: Path) -> None:
    (folder / "own_module.py").write_text("found = True")
    code = "from raykd.import_path import *; leave_out_working_folder(); import own_module; print(own_module.found)"
    for path in (f"{ROOT}:.", f"{ROOT}:{folder}", f":{folder}:{ROOT}"):
        assert run(folder, "-c", code, PYTHONPATH=path).strip() == "True"


def test_a_checkout_that_is_not_installed(folder: Path) -> None:
    """There raykd itself lies in the working folder."""
    code = (
        "import sys; sys.path = [p for p in sys.path if p != sys.argv[1]]; sys.path.insert(0, sys.argv[1])\n"
        "from raykd.import_path import *; leave_out_working_folder(module=True); import raykd.errors\n"
        "print(sys.path[-1], sys.path[0] == sys.argv[1])"
    )
    assert run(ROOT, "-c", code, str(ROOT), PYTHONPATH="").split() == [str(ROOT), "False"]


def test_workers_import_from_where_the_driver_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray adds the folder of the script and the working one: those count that the driver has as well."""
    script, working = tmp_path / "script", tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    monkeypatch.setattr("sys.path", [str(script), "/elsewhere"])
    paths = DriverPaths()
    paths.extend([str(script), str(working)])
    assert paths == [str(script)]
    monkeypatch.setattr("sys.path", ["", "/elsewhere"])  # as in a notebook
    paths = DriverPaths()
    paths.extend([str(script), str(working)])
    assert paths == [str(working)]
