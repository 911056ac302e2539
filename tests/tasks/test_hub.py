"""The hub away, slow, or switched off: a named error within ten seconds, or the local cache and a note."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from raykd import hub

CODE = """
import time
from raykd import hub
from raykd.errors import UserError
from raykd.tasks.load import load
start = time.monotonic()
try:
    print(load({task!r}))
except UserError as error:
    print(error)
print("offline", hub.offline(), "quick", time.monotonic() - start < 10)
"""


def run(home: Path, task: str, **environment: str) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    clean |= {"HF_HOME": str(home), **environment}
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(task=task)], env=clean, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_hub_that_cannot_be_reached_is_named_with_the_alternatives(tmp_path: Path) -> None:
    printed = run(tmp_path, "rte", HF_ENDPOINT="http://127.0.0.1:9")
    assert "nyu-mll/glue:rte could not be loaded: the hub at http://127.0.0.1:9 cannot be reached" in printed
    assert "no copy" in printed
    for alternative in ("--data FOLDER", "--data FILE", "--data sample"):
        assert alternative in printed
    assert "offline True quick True" in printed


def test_offline_mode_is_said_to_be_the_reason(tmp_path: Path) -> None:
    assert "offline mode is on, and the local cache has no copy" in run(tmp_path, "sst2", HF_HUB_OFFLINE="1")


def test_a_hub_that_accepts_but_never_answers_counts_as_away(tmp_path: Path) -> None:
    code = "from raykd import hub; print(hub.reachable())"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.strip() == "False"
    assert time.monotonic() - start < 15  # the interpreter's start included


def test_the_endpoint_is_huggingface_hubs() -> None:
    assert hub.endpoint().startswith("http")
