"""No server outlives the tests that started it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.process import ServerProcess

SLEEPER = "import os, sys, time\nopen(sys.argv[1], 'w').write(str(os.getpid()) + '\\n')\ntime.sleep(600)\n"


def test_no_server_outlives_a_killed_test(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from tests.services.process import ServerProcess\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "server = ServerProcess('sleeper', [sys.executable, '-c', sys.argv[2], str(folder / 'pid')], folder)\n"
        "server.start()\n"
        "time.sleep(600)\n"
    )
    folder = tmp_path / "server"
    folder.mkdir()
    test = subprocess.Popen([sys.executable, "-c", code, str(folder), SLEEPER], cwd=Path(__file__).parents[2])
    pid = written(folder / "pid")
    assert alive(pid)
    test.send_signal(signal.SIGKILL)
    test.wait()
    wait_until(lambda: not alive(pid) and not folder.exists())


def test_a_server_dies_with_its_keeper_and_when_told(tmp_path: Path) -> None:
    server = ServerProcess("sleeper", [sys.executable, "-c", SLEEPER, str(tmp_path / "pid")], tmp_path)
    for end in (server.stop, server.kill):
        server.start()
        pid = written(tmp_path / "pid")
        assert server.running
        end()
        assert not alive(pid)
        assert not server.running
        (tmp_path / "pid").unlink()


def test_a_server_that_ends_by_itself_is_reported_with_its_log(tmp_path: Path) -> None:
    server = ServerProcess("failing", [sys.executable, "-c", "raise SystemExit('no such disk')"], tmp_path)
    server.start()
    with pytest.raises(RuntimeError, match=r"failing ended by itself:\nno such disk"):
        server.wait(lambda: False)


def written(file: Path) -> int:
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)
