"""raykd submit against a real Ray head on this machine: its log, its exit codes, its tokens, its connections."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tests.submit.head import Head, ray_head

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    pytest.importorskip("aiohttp_cors", reason="a dashboard needs ray[default]")
    with ray_head() as one:
        yield one


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "d.csv").write_text("sent along")
    return tmp_path


def start(head: Head, project: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    given = {"RAYKD_HOME": "/shared/home", "AWS_SECRET_ACCESS_KEY": "hidden", **head.environment, **environment}
    return subprocess.Popen(
        [sys.executable, "-m", "raykd", "submit", "--address", head.address, *words], cwd=project, text=True,
        env={**os.environ, **given}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        # Where these tests are a shell's background job they ignore SIGINT, and what they start would too.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def submit(head: Head, project: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    process = start(head, project, *words, **environment)
    try:
        out, err = process.communicate(timeout=100)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return process.returncode, out, err


def test_sent_followed_and_fetched(head: Head, project: Path) -> None:
    home = project / "home"
    champion = home / "sweeps" / "s" / "champion"
    champion.mkdir(parents=True)
    (champion / "raykd.json").write_text("{}")
    line = ["--working-dir", ".", "--fetch", "best", "--", "tune", "--task", "custom", "--data", "./d.csv"]
    code, out, err = submit(head, project, *line, "--name", "s", "--trials", "3", RAYKD_HOME=str(home))
    assert code == 0, out + err
    assert err == ""
    assert "line: tune --task custom --data d.csv --name s --trials 3 --continue --address auto" in out
    assert f"home: {home} secret: None" in out
    assert "data: sent along" in out
    assert re.findall(r"^second (\d)$", out, re.MULTILINE) == ["0", "1", "2"]
    assert "done \u2713" in out
    assert (project / "best" / "raykd.json").read_text() == "{}"
    code, out, err = submit(head, project, *line, "--name", "s")
    assert (code, out) == (2, "")  # the folder is not empty any more, so nothing was sent
    assert "is there already" in err


@pytest.mark.long
def test_failed_and_sent_again(head: Head, project: Path) -> None:
    line = ["--env", "AWS_SECRET_ACCESS_KEY", "--", "tune", "--task", "rte", "--seed", "3", "--name", "fails"]
    code, out, _ = submit(head, project, *line)
    assert code == 1
    assert "job fails: failed: Job entrypoint command failed with exit code 3" in out
    assert "secret: hidden" in out
    code, out, _ = submit(head, project, *line)
    assert code == 1
    assert "job fails-2: sent" in out


@pytest.mark.long
def test_left_found_again_and_stopped(head: Head, project: Path) -> None:
    line = ["--", "tune", "--task", "rte", "--trials", "90", "--name", "long"]
    process = start(head, project, *line)
    assert process.stdout is not None
    for text in process.stdout:
        if text.startswith("second 1"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert f"raykd submit --address {head.address} --follow long" in out
    assert f"raykd submit --address {head.address} --stop long" in out
    code, out, _ = submit(head, project, "--no-wait", *line)
    assert code == 0
    assert "job long: runs already" in out
    code, _, err = submit(head, project, *line, "--seed", "1")
    assert code == 2
    assert "another line" in err
    follower = start(head, project, "--follow", "long")
    assert follower.stdout is not None
    seen = next(text for text in follower.stdout if text.startswith("second"))
    assert seen == "second 0\n"  # from the start
    assert submit(head, project, "--stop", "long")[0] == 0
    follower.communicate(timeout=60)
    assert follower.returncode == 130


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"RAY_AUTH_MODE": "disabled"}, "wants a token"),
        ({"RAY_AUTH_TOKEN_PATH": "wrong"}, "refuses the token"),
        ({"RAY_AUTH_TOKEN_PATH": "absent"}, "cannot be opened"),
    ],
)
def test_tokens(head: Head, project: Path, environment: dict[str, str], told: str) -> None:
    (project / "wrong").write_text("f" * 64)
    code, out, err = submit(head, project, "--", "tune", "--task", "rte", **environment)
    assert (code, out) == (2, "")
    assert told in err
    assert "RAY_AUTH_TOKEN_PATH" in err
    assert len(err.splitlines()) == 1


def test_jobs_that_are_not_known(head: Head, project: Path) -> None:
    assert submit(head, project, "--follow", "nobody")[0] == 1
    code, _, err = submit(head, project, "--stop", "nobody")
    assert code == 2
    assert "knows no job 'nobody'" in err


@pytest.mark.long
def test_a_line_that_is_cut(head: Head, project: Path) -> None:
    """Every connection dies after three seconds, and for four seconds nobody answers at all."""
    with Cutter(head.port) as cutter:
        through = Head(f"http://127.0.0.1:{cutter.port}", cutter.port, head.token)
        code, out, err = submit(through, project, "--", "tune", "--task", "rte", "--trials", "15", "--name", "cut")
    assert code == 0, out + err
    assert re.findall(r"^second (\d+)$", out, re.MULTILINE) == [str(n) for n in range(15)]
    assert cutter.cuts >= 2
    assert "the job goes on; trying again" in err


class Cutter:
    """Passes connections on to `port`; cuts them after three seconds, and refuses all between seconds 10 and 14."""

    def __init__(self, port: int) -> None:
        self.target, self.cuts = port, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start = time.monotonic()

    def __enter__(self) -> Cutter:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _away(self) -> bool:
        return 10 < time.monotonic() - self.start < 14

    def _serve(self, client: socket.socket) -> None:
        if self._away():
            client.close()
            return
        server = socket.create_connection(("127.0.0.1", self.target))
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=self._copy, args=(one, other), daemon=True).start()
        end = time.monotonic() + 3
        while time.monotonic() < end and not self._away() and client.fileno() != -1:
            time.sleep(0.05)
        if client.fileno() != -1:
            self.cuts += 1
        for one in (client, server):
            self._close(one)

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
        for one in (source, target):
            self._close(one)

    @staticmethod
    def _close(one: socket.socket) -> None:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
