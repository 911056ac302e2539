"""How sweeps end: real ones, in processes of their own, by their exit code and their last line."""

from __future__ import annotations

import os
import shlex
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.sweep.conftest import SPACE, Place

pytestmark = pytest.mark.slow

SHORT = ["--finalists", "0"]


def read_until(process: subprocess.Popen[str], part: str, seconds: float = 240) -> list[str]:
    """The lines that `process` prints up to the one that holds `part`."""
    assert process.stdout is not None
    lines, end = [], time.monotonic() + seconds
    for line in process.stdout:
        lines.append(line)
        if part in line:
            return lines
        assert time.monotonic() < end, "".join(lines)
    raise AssertionError(f"{part!r} never came: {''.join(lines)}")


def rest_of(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Exit code and lines from here on; Ray and all else that the process started has ended."""
    children = psutil.Process(process.pid).children(recursive=True)
    try:
        output, _ = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"it did not end: {process.communicate()[0]}")
    _, left = psutil.wait_procs(children, timeout=20)
    assert left == []
    return process.returncode, output.strip().splitlines()


def line_of(last: str) -> list[str]:
    """The arguments of the command line that a last line advises."""
    return shlex.split(last.partition("go on with: raykd ")[2])


def test_ctrl_c_and_sigterm_and_the_lines_they_advise(place: Place) -> None:
    arguments = ["tune", *place.arguments, "--trials", "4", *SHORT, "--name", "left"]
    process = place.start(*arguments)
    read_until(process, "t0000 done")
    process.send_signal(signal.SIGINT)
    code, lines = rest_of(process)
    assert code == 130, lines
    assert lines[-1].startswith("interrupted: ")
    assert " of 5 trials are kept" in lines[-1]
    assert line_of(lines[-1]) == [*arguments, "--resume"]
    assert any(line.startswith("student: ") for line in lines)

    process = place.start(*line_of(lines[-1]))
    resumed = read_until(process, "resuming: ")
    assert " of 5 trials are there" in resumed[-1]
    read_until(process, " done ")
    process.send_signal(signal.SIGTERM)
    code, lines = rest_of(process)
    assert code == 143, lines
    assert lines[-1].startswith("interrupted: ")

    place.run(*line_of(lines[-1]))  # to its end


@pytest.mark.long
def test_none_came_out(place: Place) -> None:
    """Not even the undistilled student: every trial goes NaN."""
    (place.folder / "decay.yaml").write_text(SPACE + "  weight_decay: {fixed: 1.0e+38}\n")
    arguments = [*place.arguments[:-1], "decay.yaml", "--trials", "2", *SHORT, "--name", "none"]
    code, lines = rest_of(place.start("tune", *arguments))
    assert code == 1, lines
    assert lines[-1].startswith("no student: 3 of 3 trials failed, baseline by NonFiniteLoss")


def test_no_time(place: Place) -> None:
    code, lines = rest_of(place.start("tune", *place.arguments, *SHORT, "--time-budget", "1", "--name", "no-time"))
    assert code == 1, lines
    assert lines[-1].startswith("no student: the time was over before a trial was complete")


def test_interrupted_before_any_trial(place: Place) -> None:
    process = place.start("tune", *place.arguments, "--trials", "2", *SHORT, "--name", "early")
    read_until(process, "data: ")
    process.send_signal(signal.SIGINT)
    code, lines = rest_of(process)
    assert code == 130, lines
    assert lines[-1].startswith("interrupted: nothing was trained yet; go on with: raykd tune ")
    assert "--resume" not in lines[-1]
    assert not (place.sweep("early") / "sweep.json").exists()


def test_a_folder_full_of_other_packages(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in the working folder is imported neither by the driver nor by Ray's workers, and a TMPDIR that is too
    long for Ray is not used for its sockets."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    for name in ("torch", "numpy", "json", "typing", "pandas", "safetensors"):
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('{name} of the working folder')")
    for name in ("ray", "datasets", "transformers", "optuna", "mlflow"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise RuntimeError('{name} of the working folder')")
    arguments = [str(place.folder / word) if (place.folder / word).exists() else word for word in place.arguments]
    output = Place(tmp_path, []).run("tune", *arguments, "--trials", "1", *SHORT, "--name", "shadowed")
    assert output.startswith(f"TMPDIR={folder}: too long for Ray's sockets")
    assert "trials: 2 complete" in output


def test_mlflow_that_was_never_there(place: Place) -> None:
    """An error before anything is trained: no sweep, and within seconds of the start."""
    process = place.start("tune", *place.arguments, "--tracking-uri", "http://127.0.0.1:9", "--name", "unheard")
    code, lines = rest_of(process)
    assert code == 2, lines
    assert lines[-1].startswith("error: tracking-uri http://127.0.0.1:9: MLflow cannot be reached")
    assert not place.sweep("unheard").exists()


@pytest.mark.long
def test_the_result_comes_before_the_waiting(place: Place) -> None:
    """MLflow's database is held by somebody else from the first trial on: the student is shown all the same."""
    database = place.folder / "held.db"
    process = place.start(
        "tune", *place.arguments, "--trials", "1", *SHORT, "--tracking-uri", f"sqlite:///{database}", "--name", "held"
    )
    read_until(process, " done ")
    with sqlite3.connect(database, timeout=60) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        lines = read_until(process, "waiting for MLflow")
        assert any(line.startswith("student: ") for line in lines)
        assert "Ctrl-C is safe" in lines[-1]
        process.send_signal(signal.SIGINT)
        code, lines = rest_of(process)
        holder.rollback()
    assert code == 130, lines
    assert "not all of it is written to MLflow" in lines[-1]
    output = place.run(*line_of(lines[-1]))
    assert "models:/raykd-mine" in output


def test_distill_leaves_and_goes_on(place: Place) -> None:
    """SIGTERM at a third: the line that is advised goes on from that very step."""
    data = place.arguments[: place.arguments.index("--space")]
    process = place.start("distill", *data, "--student", "cut:2", "--epochs", "12", "--out", "left-student")
    read_until(process, "25% trained")
    process.send_signal(signal.SIGTERM)
    code, lines = rest_of(process)
    assert code == 143, lines
    kept = lines[-1].partition("trained up to step ")[2].partition(" ")[0]
    assert int(kept) >= 75
    output = place.run(*line_of(lines[-1]))
    assert f"going on from step {kept} of an earlier run" in output
    assert "100% trained" in output
    assert (place.folder / "left-student" / "model.safetensors").is_file()
