"""S25: a node fetches a model once, however many ask, and trials ask nobody."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from raykd.models.classifier import Head
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from tests.train.setting import BAD, GOOD, PLAIN, TRAINING, Setting

ROOT = Path(__file__).resolve().parents[2]
MODEL = "someone/small"
COMMIT = "0" * 39 + "1"
RUSH = 64

# Runs a trial whose student is a hub name, where no connection can be made at all.
TRIAL = """
import socket, sys
def refused(*_, **__):
    raise AssertionError("a trial asked the network")
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refused
from raykd.train.config import TrialSpec
from raykd.train.trial import run_trial
last = run_trial(TrialSpec.model_validate_json(sys.stdin.read()), lambda report: True)
print("score", last.score)
"""


@dataclass
class Hub:
    """A server that answers as the hub does, for one model."""

    folder: Path
    address: str = ""
    busy: bool = False  # answers 429, as a hub that limits its rate
    asked: Counter[str] = field(default_factory=Counter)

    def answer(self, handler: BaseHTTPRequestHandler, *, body: bool) -> None:
        self.asked[f"{handler.command} {handler.path}"] += 1
        names = sorted(path.name for path in self.folder.iterdir())
        status, content, headers = 404, b"{}", {"X-Error-Code": "EntryNotFound"}
        if self.busy:
            status, headers = 429, {"Retry-After": "1"}
        elif handler.path == "/":
            status = 200
        elif handler.path.startswith(f"/api/models/{MODEL}/tree/"):
            status, headers = 200, {"Content-Type": "application/json"}
            sizes = {name: (self.folder / name).stat().st_size for name in names}
            content = json.dumps(
                [{"type": "file", "path": n, "size": size, "oid": "0" * 40} for n, size in sizes.items()]
            ).encode()
        elif handler.path.startswith(f"/api/models/{MODEL}"):
            status, headers = 200, {"Content-Type": "application/json"}
            content = json.dumps({"id": MODEL, "sha": COMMIT, "siblings": [{"rfilename": n} for n in names]}).encode()
        elif handler.path.startswith(f"/{MODEL}/resolve/") and (name := handler.path.rsplit("/")[-1]) in names:
            status, content = 200, (self.folder / name).read_bytes()
            headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        handler.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            handler.send_header(key, value)
        handler.end_headers()
        if body:
            handler.wfile.write(content)

    def fetched(self, name: str) -> int:
        return sum(count for path, count in self.asked.items() if path.startswith("GET") and path.endswith("/" + name))


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    tokenizer = word_tokenizer([*GOOD, *BAD, *PLAIN])
    model = scratch_classifier(tokenizer, Head(("no", "yes")), layers=2, hidden=32, heads=4, intermediate=64, seed=1)
    save_student(model, tokenizer, tmp_path / "published")
    hub = Hub(tmp_path / "published")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.answer(self, body=True)

        def do_HEAD(self) -> None:
            hub.answer(self, body=False)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


def environment(home: Path, hub: Hub, **more: str) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    proxies = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    return clean | proxies | {"HF_HOME": str(home), "HF_ENDPOINT": hub.address, "HF_HUB_DISABLE_XET": "1", **more}


def rush(home: Path, hub: Hub, count: int) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.scenarios.rush", MODEL, str(count)],
        cwd=ROOT,
        env=environment(home, hub),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers: dict[str, int] = json.loads(done.stdout)
    return answers


def test_64_processes_cause_one_fetch_a_node(tmp_path: Path, hub: Hub) -> None:
    assert rush(tmp_path / "node", hub, RUSH) == {"got": RUSH}
    assert {name: hub.fetched(name) for name in ("model.safetensors", "config.json", "tokenizer.json")} == {
        "model.safetensors": 1,
        "config.json": 1,
        "tokenizer.json": 1,
    }
    hub.asked.clear()
    assert rush(tmp_path / "node", hub, RUSH) == {"got": RUSH}
    assert not hub.asked  # what is here is asked for nowhere


def test_a_hub_that_limits_its_rate_is_named(tmp_path: Path, hub: Hub) -> None:
    hub.busy = True
    [said] = rush(tmp_path / "node", hub, 1)
    assert f"student '{MODEL}'" in said
    assert "fetching it from the hub failed" in said
    assert "429" in said


def test_a_hub_that_never_answers_is_given_up_soon(tmp_path: Path, hub: Hub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hub.address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        [said] = rush(tmp_path / "node", hub, 1)
    assert "the Hugging Face hub cannot be reached" in said
    assert time.monotonic() - start < 30  # the interpreter's start included


def test_a_trial_asks_nobody(tmp_path: Path, hub: Hub, classes: Setting) -> None:
    from raykd.search.ray_tune import worker_environment
    from raykd.train.config import TrialSpec

    assert rush(tmp_path / "node", hub, 1) == {"got": 1}
    hub.asked.clear()
    spec = TrialSpec(
        label="t0000",
        folder=str(tmp_path / "trial"),
        task=classes.task,
        train=str(classes.folder / "train"),
        dev={"dev": str(classes.folder / "dev")},
        teacher=str(classes.folder / "teacher"),
        student=MODEL,
        origin=str(classes.folder / "teacher"),
        method="kd",
        training=TRAINING,
    )
    workers = worker_environment(1)
    assert workers["HF_HUB_OFFLINE"] == "1"
    done = subprocess.run(
        [sys.executable, "-c", TRIAL],
        input=spec.model_dump_json(),
        cwd=ROOT,
        env=environment(tmp_path / "node", hub, **workers),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("score ")
    assert not hub.asked
