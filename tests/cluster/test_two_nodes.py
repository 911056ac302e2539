"""Training over two nodes is training on one: raylets of one machine, and hosts with addresses of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.train.config import Training, TrialSpec
from tests.cluster.network import namespaces_work
from tests.cluster.raylets import raylets
from tests.sweep.conftest import Place
from tests.train.conftest import TAUGHT
from tests.train.setting import BAD, GOOD, PLAIN, build, furthest, save_teacher

ROOT = Path(__file__).resolve().parents[2]
# Float32 sums in another order: two means of eight rows, averaged, for one of sixteen.
LOSS_OFF, WEIGHT_OFF = 1e-5, 1e-5
PLACES = [
    "raylets",
    pytest.param(
        "hosts",
        marks=pytest.mark.skipif(not namespaces_work(), reason="no network namespaces here"),
    ),
]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("where", PLACES)
def test_two_nodes_train_as_one_does(where: str, tmp_path: Path) -> None:
    setting = build(tmp_path, regression=False)
    tokenizer = word_tokenizer([*GOOD, *BAD, *PLAIN])
    teacher = scratch_classifier(tokenizer, setting.head, hidden=32, intermediate=64, dropout=0.0, seed=1)
    save_teacher(setting, teacher)
    setting.run(setting.recipe("none"), tmp_path / "taught", teacher, training=TAUGHT)
    save_teacher(setting, teacher)
    spec = TrialSpec(
        label="trial",
        folder="",
        task=setting.task,
        train=str(tmp_path / "train"),
        dev={"dev": str(tmp_path / "dev")},
        teacher=str(tmp_path / "teacher"),
        origin=str(tmp_path / "teacher"),
        student="cut:2",
        method="kd",
        training=Training(learning_rate=2e-3, epochs=2, batch_size=16, evaluations=12, max_length=32),
    )
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    out = tmp_path / "out"
    out.mkdir()
    with raylets(tmp_path / "cluster", (2, 1), namespaces=where == "hosts") as cluster:
        done = subprocess.run(
            cluster.command(
                sys.executable, "-m", "tests.cluster.curve", cluster.address, str(tmp_path / "spec.json"), str(out)
            ),
            cwd=ROOT,
            env={**os.environ, **cluster.environment(), "RAY_TRAIN_V2_ENABLED": "1", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        addresses = [node.address for node in cluster.nodes.values()]
    assert done.returncode == 0, done.stdout
    curves = {label: json.loads((out / f"{label}.json").read_text()) for label in ("one", "together", "apart")}
    nodes = {label: {(out / f"{label}-{rank}.node").read_text() for rank in (0, 1)} for label in ("together", "apart")}
    assert len(nodes["together"]) == 1
    assert nodes["apart"] == set(addresses)

    assert [report["step"] for report in curves["one"]] == list(range(1, 13))
    losses = {label: [report["train/loss"] for report in reports] for label, reports in curves.items()}
    assert losses["one"][-1] < 0.9 * losses["one"][0], "nothing was learnt"
    assert losses["apart"] == pytest.approx(losses["one"], abs=LOSS_OFF)
    assert losses["apart"] == losses["together"]  # the same two workers, wherever they are
    kept = {label: load_file(out / label / "student" / "model.safetensors") for label in curves}
    assert furthest(kept["apart"], kept["one"]) < WEIGHT_OFF
    assert furthest(kept["apart"], kept["together"]) == 0


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("where", PLACES)
def test_a_sweep_spreads_over_both_nodes(where: str, place: Place, tmp_path: Path) -> None:
    with raylets(tmp_path / "cluster", (1, 1), namespaces=where == "hosts") as cluster:
        brief = ["--finalists", "0", "--trials", "4", "--name", f"two-{where}"]
        line = ["tune", *place.arguments, *brief, "--address", cluster.address]
        done = subprocess.run(
            cluster.command(sys.executable, "-m", "raykd", *line),
            cwd=place.folder,
            env={**place.environment(), **cluster.environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        worked = [(node.temporary / "session_latest" / "logs").glob("worker-*.out") for node in cluster.nodes.values()]
        texts = ["".join(file.read_text() for file in files) for files in worked]
    assert done.returncode == 0, done.stdout
    assert "2 trials fit at once" in done.stdout
    assert all(":actor_name:" in text for text in texts), "a node had no trial"
