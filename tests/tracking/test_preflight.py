"""What is asked of MLflow and the study's database before anything is trained."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from raykd.errors import NoRoom, UserError
from raykd.tracking import preflight
from raykd.tracking.preflight import Unreachable, check_study, check_tracking

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(mlflow|alembic|sqlalchemy|google)")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


def check(uri: str, folder: Path, name: str = "raykd-rte") -> str:
    """What is said against `uri`."""
    with pytest.raises(UserError) as refused:
        check_tracking(uri, name, folder)
    return str(refused.value)


def test_made_and_found(database: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    for _ in range(2):
        check_tracking(database, "raykd-rte", tmp_path / "artifacts")
    (found,) = MlflowClient(database).search_experiments(filter_string="name = 'raykd-rte'")
    assert found.artifact_location == f"{(tmp_path / 'artifacts').as_uri()}"


def test_a_deleted_experiment(database: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(database)
    number = client.create_experiment("raykd-gone")
    client.delete_experiment(number)
    said = check(database, tmp_path, "raykd-gone")
    assert "'raykd-gone' was deleted there" in said
    assert f"mlflow experiments restore --experiment-id {number}" in said
    client.restore_experiment(number)
    check_tracking(database, "raykd-gone", tmp_path)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("no database at all, but longer than a header of one would have to be" * 20)
    assert "MLflow refuses: file is not a database" in check(f"sqlite:///{tmp_path / 'notes.db'}", tmp_path)
    assert "no database at all" in (tmp_path / "notes.db").read_text()


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "MLflow refuses" in check(f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}", tmp_path)


def test_a_scheme_that_is_none(tmp_path: Path) -> None:
    assert "unsupported URI 'htp://x'" in check("htp://x", tmp_path)


def test_nobody_there(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match="cannot be reached"):
        check_tracking(f"http://127.0.0.1:{port}", "raykd-rte", tmp_path)


def test_somebody_who_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unreachable, match="does not answer within"):
            check_tracking(uri, "raykd-rte", tmp_path)


@pytest.fixture
def denying() -> Iterator[tuple[str, list[int]]]:
    """A server whose answer to everything is the status in the list."""
    status = [403]

    class Denies(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Denies)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", status
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("code", "away"), [(401, False), (403, False), (404, False), (502, True), (503, True)])
def test_what_a_server_answers(
    code: int, away: bool, denying: tuple[str, list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No permission is for good; a gateway without its server is not."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri, status = denying
    status[0] = code
    with pytest.raises(UserError) as refused:
        check_tracking(uri, "raykd-rte", tmp_path)
    assert isinstance(refused.value, Unreachable) is away
    assert str(code) in str(refused.value)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("(sqlite3.OperationalError) database or disk is full")

    monkeypatch.setattr("raykd.tracking.tracker.open_experiment", full)
    with pytest.raises(NoRoom):
        check_tracking(f"sqlite:///{tmp_path / 'mlflow.db'}", "raykd-rte", tmp_path)


def test_the_study(tmp_path: Path) -> None:
    check_study(f"sqlite:///{tmp_path / 'study.db'}")
    with pytest.raises(UserError, match="study-uri nonsense://x: the study's database refuses"):
        check_study("nonsense://x")
