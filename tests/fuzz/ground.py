"""Where the cases run: in this process, a folder each, every door to training shut, a limit on time and memory."""

from __future__ import annotations

import io
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import pytest
import typer

from raykd.cli import app, main
from tests.fuzz import base
from tests.fuzz.case import HOME, Case, listing, litter, lost, own_outputs
from tests.fuzz.training import at_once

SECONDS = 20  # of a processor that a case may take; then it counts as hanging
WAITING = 3  # times as long on the clock, for one that waits; a busy machine gives a case little of a processor
MEMORY = 6 << 30  # bytes a case may map beyond what the process holds: an absurd size must not take the machine down
PERSON = "person"  # the home folder of who types
LISTS = ("tasks", "methods", "spaces", "evaluate", "predict")  # commands that may end well without training anything

ABSENT = "teacher 'absent'"  # what is said of the teacher that cases about files name

# What a command calls once it found nothing wrong with its input.
DOORS = (
    "raykd.search.launch._run",  # starts Ray, then the sweep
    "ray.init",  # joins a cluster
    "raykd.submit.run.connect",
    "raykd.train.trial.run_trial",
    "raykd.pretrain.distill",
    "raykd.teachers.teach",
    "raykd.tracking.ui.run_server",
)


class Reached(BaseException):
    """A door was tried: the input was taken as good."""


class Hangs(BaseException):
    """The time is over."""


@dataclass(frozen=True)
class Outcome:
    """ended: "refused", "reached", "listed", "saved", or "failed"; then `fault` says why in a line, and `where` with a
    trace."""

    ended: str
    said: str
    seconds: float
    fault: str = ""
    where: str = ""

    @property
    def message(self) -> str:
        """What was said without the parts that differ from case to case."""
        first = self.said[:2000].split("\n")[0]
        plain = re.sub(r"'[^']*'|[^ -~]+|\b\w*\d\w*\b", "_", first)
        words = ["_" if "/" in word or len(word) > 40 else word for word in plain.split()]
        return " ".join(words)[:100]


class _Door:
    """Stands in for a function or a module: whatever is done with it means that it was reached."""

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise Reached

    def __getattr__(self, name: str) -> NoReturn:
        raise Reached


@dataclass(frozen=True)
class Ground:
    """A folder with `base` (sound files, see base.py) and, one after another, the cases."""

    root: Path

    def run(self, case: Case) -> Outcome:
        """Run one command and judge how it ended."""
        folder = self.root / "case"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.rmtree(self.root / PERSON, ignore_errors=True)
        (self.root / PERSON).mkdir()
        case.lay_out(folder)
        (self.root / "last").write_text(repr(case))  # what to look at should the process not survive it
        before, untouched = listing(folder), _states(self.root / "base")
        own = own_outputs(folder) if case.trains else set()
        os.chdir(folder)
        started = time.perf_counter()
        with at_once(case, folder) if case.trains else nullcontext():
            ended, said, fault, where = _ended(case)
        seconds = time.perf_counter() - started
        if not fault and case.check is not None:
            if ABSENT in said:  # it is looked for once all files are read
                ended = "reached"
            fault = case.check(folder)
            ended = "failed" if fault else ended
        os.chdir(self.root)
        after = listing(folder)
        wrong = lost(before, after, own) if ended == "saved" else litter(before, after, accepted=ended == "reached")
        if _states(self.root / "base") != untouched:
            wrong.append("changed: the files in ../base")
        if wrong:
            ended, fault = "failed", "; ".join([fault, *sorted(wrong)[:4]] if fault else sorted(wrong)[:4])
        return Outcome(ended, said, seconds, fault, where)


@contextmanager
def ground(root: Path) -> Iterator[Ground]:
    """The ground in an empty folder `root`: no hub, no training, a workspace a case; everything put back after."""
    import datasets
    from huggingface_hub import constants

    at, limit = Path.cwd(), resource.getrlimit(resource.RLIMIT_AS)
    with pytest.MonkeyPatch.context() as patch:
        for door in DOORS:
            patch.setattr(door, _Door())
        patch.setattr("raykd.search.launch.check_tracking", lambda *_: None)  # seconds a case; it has tests of its own
        for name, value in {"RAYKD_HOME": HOME, "COLUMNS": "400", "HF_HUB_OFFLINE": "1"}.items():
            patch.setenv(name, value)
        patch.setenv("HOME", str(root / PERSON))
        for name in ("MLFLOW_TRACKING_URI", "RAYKD_STUDY_URI", "RAYKD_CACHE", "TERMINAL_WIDTH", "FORCE_COLOR"):
            patch.delenv(name, raising=False)
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        patch.setattr(constants, "HF_HUB_CACHE", str(root / "hub"))
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", root / "hub")
        command = typer.main.get_command(app)  # made once: it takes longer than most cases
        patch.setattr(typer.main, "get_command", lambda _: command)
        base.lay_out(root / "base")
        held = next(int(line.split()[1]) << 10 for line in _status() if line.startswith("VmSize"))
        resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, limit[1]))
        previous = {number: signal.signal(number, _alarm) for number in (signal.SIGPROF, signal.SIGALRM)}
        try:
            yield Ground(root.resolve())
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            resource.setrlimit(resource.RLIMIT_AS, limit)
            os.chdir(at)


def _ended(case: Case) -> tuple[str, str, str, str]:
    """How the command ended, what it said, and what is wrong with that, with a trace where there is one."""
    # As the interpreter opens them: what cannot be encoded is an error on one and escaped on the other.
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", how, newline="\n") for how in ("strict", "backslashreplace"))
    code: object = None
    trace = ""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, stream in {
            "stdin": io.TextIOWrapper(io.BytesIO(case.given), "utf-8"),
            "stdout": out,
            "stderr": err,
        }.items():
            patch.setattr(sys, name, stream)
        _limit(SECONDS)
        try:
            main(list(case.arguments))
        except SystemExit as end:
            code = end.code
        except Reached:
            code = "reached"
        except BaseException as error:
            _limit(0)
            code, trace = f"{type(error).__name__}: {error}", traceback.format_exc()
        finally:
            _limit(0)
        texts = []
        for stream in (err, out):
            stream.flush()
            texts.append(stream.buffer.getvalue().decode("utf-8", "replace"))
    said = "".join(texts).strip()
    if trace:
        return "failed", said, f"{_place(trace)} {code}"[:300], trace
    if "Traceback" in said:
        return "failed", said, "a traceback on the screen", said
    if code == "reached":
        return "reached", said, "", ""
    if not said:
        return "failed", said, f"ended with {code} and said nothing", ""
    if code == 2:
        return "refused", said, "", ""
    harmless = case.arguments[:1] == () or case.arguments[0] in LISTS or "--help" in case.arguments
    if code in (0, None) and harmless:
        return "listed", said, "", ""
    if code in (0, None) and case.trains:
        return "saved", said, "", ""
    return "failed", said, f"ended with {code}", ""


def _place(trace: str) -> str:
    """Where in raykd an error came from, the last of its lines."""
    lines = [line for line in trace.splitlines() if "/raykd/" in line and line.strip().startswith("File")]
    found = re.search(r'/raykd/([^"]+)", line (\d+)', lines[-1]) if lines else None
    return f"{found[1]}:{found[2]}" if found else "?"


def _limit(seconds: float) -> None:
    """Set both clocks, or stop them by 0."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds * WAITING)


def _alarm(number: int, frame: FrameType | None) -> NoReturn:
    raise Hangs(f"more than {SECONDS} s")


def _states(folder: Path) -> list[tuple[str, int, int]]:
    stats = [(path, path.lstat()) for path in sorted(folder.rglob("*"))]
    return [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats]


def _status() -> list[str]:
    """Linux's account of this process."""
    return Path("/proc/self/status").read_text().splitlines()
