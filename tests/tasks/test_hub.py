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

# Puts a tiny RTE where datasets keeps what it once fetched from the hub, then loads it with the hub away.
CACHED = """
import json, shutil
from pathlib import Path
import datasets, pandas
root = Path(datasets.config.HF_DATASETS_CACHE)
root.mkdir(parents=True)
files = {}
for split in ("train", "validation"):
    files[split] = str(root / f"{split}.parquet")
    rows = [{"sentence1": f"a {i}", "sentence2": "b", "label": i % 2} for i in range(20)]
    pandas.DataFrame(rows).to_parquet(files[split])
datasets.load_dataset("parquet", "rte", data_files=files)
made = next(root.glob("parquet/rte-*/0.0.0/*/dataset_info.json")).parent
there = root / "nyu-mll___glue" / "rte" / "0.0.0" / "abc"
there.parent.mkdir(parents=True)
shutil.move(made, there)
for arrow in there.glob("parquet-*.arrow"):
    arrow.rename(there / arrow.name.replace("parquet", "glue"))
info = json.loads((there / "dataset_info.json").read_text())
(there / "dataset_info.json").write_text(json.dumps(info | {"config_name": "rte", "dataset_name": "glue"}))
from raykd.tasks.load import load
data = load("rte")
print(len(data.train), len(data.dev["dev"]), data.train.texts[1], data.source, data.notes)
"""


def run(home: Path, code: str, **environment: str) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    clean |= {"HF_HOME": str(home), **environment}
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_hub_that_cannot_be_reached_is_named_with_the_alternatives(tmp_path: Path) -> None:
    printed = run(tmp_path, CODE.format(task="rte"), HF_ENDPOINT="http://127.0.0.1:9")
    assert "nyu-mll/glue:rte could not be loaded: the hub at http://127.0.0.1:9 cannot be reached" in printed
    assert "no copy" in printed
    for alternative in ("--data FOLDER", "--data FILE", "--data sample"):
        assert alternative in printed
    assert "offline True quick True" in printed


def test_offline_mode_is_said_to_be_the_reason(tmp_path: Path) -> None:
    assert "offline mode is on, and the local cache has no copy" in run(
        tmp_path, CODE.format(task="sst2"), HF_HUB_OFFLINE="1"
    )


def test_what_was_fetched_before_is_used_and_noted(tmp_path: Path) -> None:
    printed = run(tmp_path, CACHED, HF_ENDPOINT="http://127.0.0.1:9")
    assert "20 20 ('a 1', 'b') hub nyu-mll/glue:rte" in printed
    assert "the hub at http://127.0.0.1:9 cannot be reached: nyu-mll/glue:rte comes from the local cache" in printed


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
