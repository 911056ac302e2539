"""Processes of a sweep under test: drivers forked from one that has imported everything, and all that carry a mark."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.chaos.probe import CASE


def preload() -> None:
    """Import what a driver needs, so that one forked from here starts at once."""
    import mlflow
    import ray.train.torch
    import transformers

    import raykd.cli
    import raykd.search.launch
    import raykd.search.ray_tune
    import raykd.search.result  # noqa: F401

    del mlflow, ray, transformers


class Driver:
    """``raykd <arguments>`` in a process group of its own, its output in the file `log`."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str], folder: Path, log: Path) -> None:
        self.log = log
        self.started = time.monotonic()
        self.code: int | None = None

        def work() -> None:
            out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for handle in (1, 2):
                os.dup2(out, handle)
            os.chdir(folder)
            if "--address" in arguments:  # Ray reads what it needs for a cluster once, when it is imported
                os.execv(sys.executable, [sys.executable, "-m", "raykd", *arguments])
            from raykd.cli import main

            main(arguments)

        self.pid = _fork(work, environment)

    def running(self) -> bool:
        """Whether it has not ended yet."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code is None

    def wait(self, seconds: float) -> int:
        """Its exit code. Raises TimeoutError, and kills it, when it takes longer."""
        end = time.monotonic() + seconds
        while self.running():
            if time.monotonic() > end:
                self.kill()
                raise TimeoutError(f"the sweep did not end within {seconds:.0f} s:\n{self.output()[-3000:]}")
            time.sleep(0.05)
        assert self.code is not None
        return self.code

    def kill(self) -> None:
        """SIGKILL for it and everything in its process group."""
        if self.running():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            while self.running():
                time.sleep(0.01)

    def output(self) -> str:
        """What it has printed."""
        return self.log.read_text() if self.log.exists() else ""


def _fork(work: Callable[[], object], environment: Mapping[str, str]) -> int:
    """Run `work` in a child with these variables besides; returns its id."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.environ.update(environment)
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def in_child(work: Callable[[], Any], environment: Mapping[str, str]) -> Any:
    """What `work` returns, by way of JSON: libraries that keep threads and connections do it elsewhere."""
    reading, writing = os.pipe()

    def send() -> None:
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            json.dump(work(), pipe)

    pid = _fork(send, environment)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError(f"a look at the results failed: {text[:500]}")
    return json.loads(text)


def marked(case: Path) -> dict[int, str]:
    """Every process of the sweep in `case` that runs now, with its title; drivers are forked, and not among them."""
    mark = f"{CASE}={case}".encode()
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return {
        pid: _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
        for pid in found
        if mark in _read(pid, "environ").split(b"\0") and _read(pid, "stat").rpartition(b")")[2].split()[:1] != [b"Z"]
    }


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:  # gone meanwhile
        return b""


def sweep_away(case: Path) -> None:
    """SIGKILL whatever `case` has left running."""
    while found := marked(case):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
