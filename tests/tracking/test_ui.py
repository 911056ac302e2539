"""MLflow's pages: for this machine alone, unless passwords were set up."""

from __future__ import annotations

import base64
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient

from raykd.cli import main
from raykd.errors import UserError
from raykd.tracking import ui
from tests.submit.head import await_port, free_ports

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(mlflow|alembic|sqlalchemy|google)")

CONFIG = """[mlflow]
default_permission = NO_PERMISSIONS
database_uri = sqlite:///{folder}/auth.db
admin_username = someone
admin_password = {password}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_AUTH_CONFIG_PATH", "MLFLOW_AUTH_ADMIN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAYKD_HOME", str(tmp_path))
    MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").create_experiment("raykd-rte")
    return tmp_path


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """What would have been run."""
    calls: list[tuple[list[str], dict[str, str]]] = []

    def call(command: list[str], environment: dict[str, str], folder: Path | None) -> int:
        calls.append((command, environment))
        return 0

    monkeypatch.setattr(ui, "run_server", call)
    return calls


def configure(home: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (home / "auth.ini").write_text(text)
    monkeypatch.setenv("MLFLOW_AUTH_CONFIG_PATH", str(home / "auth.ini"))


def test_loopback_needs_no_password(home: Path, called: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert ui.serve(5000, None) == 1  # whatever MLflow says: a server that ends by itself has failed
    command, environment = called[0]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert "--app-name" not in command
    assert environment["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    assert "raykd-rte: http://127.0.0.1:5000/#/experiments/1?workflowType=machine_learning" in capsys.readouterr().out


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "some.host"])
def test_others_are_refused_without_one(
    host: str, home: Path, called: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["ui", "--host", host])
    assert end.value.code == 2
    assert "MLFLOW_AUTH_CONFIG_PATH" in capsys.readouterr().err
    assert called == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CONFIG.format(folder="x", password="password1234"), "default"),
        (CONFIG.format(folder="x", password=""), "missing"),
        (CONFIG.format(folder="x", password="short"), "shorter"),
        ("[mlflow]\nadmin_password = long-enough-for-it\n", "has no default_permission"),
        ("no section", "cannot be read"),
    ],
)
def test_passwords_that_are_none(
    text: str, told: str, home: Path, called: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(home, monkeypatch, text)
    with pytest.raises(UserError, match=told):
        ui.serve(5000, None, "0.0.0.0")
    monkeypatch.setenv("MLFLOW_AUTH_CONFIG_PATH", str(home / "none.ini"))
    with pytest.raises(UserError, match="cannot be read"):
        ui.serve(5000, None, "0.0.0.0")
    assert called == []


def test_others_are_let_in_by_a_password(home: Path, called: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    configure(home, monkeypatch, CONFIG.format(folder=home, password="100% long enough"))
    assert ui.serve(5000, None, "0.0.0.0") == 1
    command, environment = called[0]
    assert command[command.index("--app-name") + 1] == "basic-auth"
    assert len(environment["MLFLOW_FLASK_SERVER_SECRET_KEY"]) == 64
    assert "*" not in environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")


def test_a_server_needs_no_second_one(monkeypatch: pytest.MonkeyPatch, called: list[Any]) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    with pytest.raises(UserError, match="runs already at http://tracking:5000"):
        ui.serve(5000, None)


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("127.0.0.5", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("10.0.0.1", False), ("localhost.evil.example", False)],
)  # fmt: skip
def test_what_only_this_machine_reaches(host: str, alone: bool) -> None:
    assert ui.is_loopback(host) is alone


@pytest.mark.slow
def test_a_real_server_asks_for_the_password(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(home, monkeypatch, CONFIG.format(folder=home, password="100%-long-enough".replace("%", "%%")))
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "raykd", "ui", "--host", "0.0.0.0", "--port", str(port)]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env={**os.environ})
    try:
        await_port(port, process)
        address = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get?experiment_id=1"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(address, timeout=60)
        assert refused.value.code == 401
        refused.value.close()
        known = {"Authorization": "Basic " + base64.b64encode(b"someone:100%-long-enough").decode()}
        with urllib.request.urlopen(urllib.request.Request(address, headers=known), timeout=60) as answer:
            assert b"raykd-rte" in answer.read()
        rebound = urllib.request.Request(address, headers={**known, "Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError) as strange:
            urllib.request.urlopen(rebound, timeout=60)
        assert strange.value.code == 403
        strange.value.close()
        assert re.search(r"raykd-rte: http://\S+/#/experiments/1", (home / "log").read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"])
def test_a_server_leaves_no_process(name: str, home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """However raykd ui ends; and what lies in the folder it was started in is not imported by the server."""
    folder = tmp_path_factory.mktemp("working")
    (folder / "pandas.py").write_text("raise RuntimeError('the working folder is imported from')")
    port = free_ports(1)[0]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "raykd", "ui", "--port", str(port)], stdout=log, stderr=log, start_new_session=True,
            cwd=folder, env={**os.environ}, preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
    server: list[psutil.Process] = []
    try:
        await_port(port, process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=60) as answer:
            assert answer.status == 200
        server = psutil.Process(process.pid).children(recursive=True)
        assert len(server) >= 2, (home / "log").read_text()
        process.send_signal(getattr(signal, name))
        assert process.wait(30) == (-9 if name == "SIGKILL" else 128 + getattr(signal, name))
        _, left = psutil.wait_procs(server, timeout=30)
        assert left == []
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 5):
            pass
    finally:
        for one in server:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.kill()
        process.wait(30)
