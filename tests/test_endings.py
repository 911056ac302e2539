"""Exit codes and last lines, for each way in which a command ends."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from raykd import resume_line
from raykd.disk import require_room
from raykd.endings import end_by
from raykd.errors import NoRoom, UserError
from raykd.interrupts import Interrupted
from raykd.train.checkpoint import ABOUT
from raykd.train.leave import Preempted
from raykd.train.resumable import resumable

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume_line, "_words", [])


def ended(error: BaseException, capsys: pytest.CaptureFixture[str], command: str | None = None) -> tuple[object, str]:
    with pytest.raises(SystemExit) as end:
        end_by(error, command)
    return end.value.code, capsys.readouterr().err.strip()


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UserError("a", "b"), 2, "error: a\nerror: b"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x.csv"), 2, "error: x.csv: No such file"),
        (OSError(errno.ENOSPC, "No space", "/d/x"), 1, "error: no room left on /d/x; make room"),
        (NoRoom("/d", "step 5 is kept"), 1, "error: no room left on /d: step 5 is kept; make room"),
        (MemoryError(), 1, "error: out of memory (MemoryError): a smaller --batch-size"),
        (RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: 9 bytes"), 1, "error: out of memory"),
        (torch.OutOfMemoryError("CUDA out of memory."), 1, "error: out of memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (Interrupted(signal.SIGTERM, "step 3 is kept", "raykd x"), 143, "interrupted: step 3 is kept; go on with: ray"),
    ],
    ids=str,
)
def test_codes(error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(error, capsys)[0] == code
    with pytest.raises(SystemExit):
        end_by(error)
    assert capsys.readouterr().err.startswith(told)


@pytest.mark.parametrize("error", [RuntimeError("a fault"), ValueError("another"), OSError("no number")])
def test_a_fault_of_raykds_own_is_shown_whole(error: Exception) -> None:
    end_by(error)


def test_the_line_that_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    resume_line.remember(["teach", "--task", "rte", "--out", "a b"])
    told = ended(KeyboardInterrupt(), capsys, "teach")[1]
    assert told == "interrupted: nothing was trained yet; go on with: raykd teach --task rte --out 'a b'"
    assert ended(KeyboardInterrupt(), capsys, "methods")[1] == "interrupted"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "raykd tune --task rte --name s-1 --resume"),
        (["report", "s-1"], "raykd tune --task rte --name s-1 --resume"),
        (["tune", "--task=rte"], "raykd tune --task=rte --name s-1 --resume"),
        (["tune", "--task", "rte", "--name", "s-1", "--resume"], "raykd tune --task rte --name s-1 --resume"),
        (["tune", "--task", "rte", "--name=s-1", "--continue"], "raykd tune --task rte --name=s-1 --continue"),
        (
            ["tune", "--resume", "--extend", "4", "--task", "rte", "--student", "cut 2"],
            "raykd tune --resume --task rte --student 'cut 2' --name s-1",
        ),
        (["tune", "--resume", "--extend=4", "--dry-run", "--task", "rte"], "raykd tune --resume --task rte --name s-1"),
    ],
)
def test_resume_lines(words: list[str], line: str) -> None:
    resume_line.remember(words)
    assert resume_line.resume_line("rte", "s-1") == line


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder of a run with two checkpoints, of which the newer one is damaged, in a link of a chain."""
    for step, text in ((7, '{"step": 7}'), (9, "{")):
        checkpoint = tmp_path / "run" / "link-1" / f"checkpoint-{step:08d}"
        checkpoint.mkdir(parents=True)
        (checkpoint / ABOUT).write_text(text)
        os.utime(checkpoint / ABOUT, (step, step))
    return tmp_path / "run"


def test_a_run_says_from_where_it_goes_on(place: Path) -> None:
    said: list[str] = []
    with resumable(place, said.append) as leave:
        assert not leave()
    assert said == ["going on from step 7 of an earlier run"]


def _leave_if(leave: Callable[[], bool]) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    if leave():
        raise Preempted("left")


def test_a_run_that_left_says_what_is_kept(place: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as ended, resumable(place, print) as leave:
        _leave_if(leave)
    assert (ended.value.code, ended.value.kept) == (130, "what was trained up to step 7 is kept")
    with pytest.raises(Interrupted) as ended, resumable(tmp_path / "none", print):
        raise Preempted("left")
    assert ended.value.kept == "nothing of the training is kept yet"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/d/x"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=str,
)
def test_a_run_on_a_full_disk_says_what_is_kept(error: Exception, place: Path) -> None:
    with pytest.raises(NoRoom) as ended, resumable(place, print):
        raise error
    assert ended.value.kept == "what was trained up to step 7 is kept"
    assert ended.value.errno == errno.ENOSPC


def test_another_error_stays_as_it_is(place: Path) -> None:
    with pytest.raises(ZeroDivisionError), resumable(place, print):
        raise ZeroDivisionError


def test_room_is_looked_for_before_training(tmp_path: Path) -> None:
    require_room(tmp_path / "not" / "there", 1000)
    with pytest.raises(NoRoom, match="No space left") as refused:
        require_room(tmp_path / "not" / "there", 10**15)
    assert refused.value.filename == str(tmp_path)
    assert refused.value.kept.startswith("training needs about 12000000.0 GB there, and ")


def test_a_reader_that_goes_away() -> None:
    """As `raykd methods | head -1` with pipefail: no traceback, and the code by which a shell knows a broken pipe."""
    command = [sys.executable, "-m", "raykd", "methods"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"none: ")
        process.stdout.close()
        told = process.stderr.read()
        assert (process.wait(60), told) == (141, b"")
