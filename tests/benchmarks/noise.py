"""How far runs differ by seed and by configuration, on real data: ``python -m tests.benchmarks.noise``.

What a simulator of searches has to assume, measured: students of a few points of CKD's grid, each on the same few
seeds. Of every pair of runs, the share of dev examples on which they disagree:

- one configuration, two seeds: chance;
- two configurations, two seeds: chance, and what configurations find easy or hard beyond it (taste);
- two configurations, one seed: what chance they do not share when order, head and dropout are drawn alike.

Each run is kept, so that the command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from raykd.tasks.predictions import unpack
from raykd.train.config import TrialSpec
from tests.benchmarks.methods import prepare, pretrained

POINTS: dict[str, dict[str, Any]] = {
    "slow": {"learning_rate": 3e-5, "alpha": 0.7, "temperature": 1, "lambda_relation": 0.1, "lambda_ckd": 1},
    "plain": {"learning_rate": 5e-5, "alpha": 0.7, "temperature": 1, "lambda_relation": 0.1, "lambda_ckd": 1},
    "long": {"learning_rate": 5e-5, "alpha": 0.7, "temperature": 1, "lambda_relation": 0.1, "lambda_ckd": 1},
    "authors": {"learning_rate": 5e-5, "alpha": 0.9, "temperature": 3, "lambda_relation": 10, "lambda_ckd": 100},
    "warm": {"learning_rate": 5e-5, "alpha": 0.9, "temperature": 5, "lambda_relation": 10, "lambda_ckd": 100},
    "heavy": {"learning_rate": 5e-5, "alpha": 0.9, "temperature": 3, "lambda_relation": 1000, "lambda_ckd": 1000},
}


def run(spec: TrialSpec) -> tuple[float, str]:
    """Train one student: its score, and its answers, packed."""
    from raykd.train.trial import run_trial

    last = run_trial(spec, lambda report: True, checkpoint_every=1e9)
    shutil.rmtree(spec.folder, ignore_errors=True)
    assert last is not None
    return last.score, last.answers["dev"]


def disagree(answers: dict[tuple[str, int], np.ndarray], first: str, second: str, *, same: bool) -> float:
    """The mean share of answers on which runs of two points differ, on the same seed or on two."""
    pairs = [(a, b) for a in answers for b in answers if (a[0], b[0]) == (first, second)]
    gaps = [np.mean(answers[a] != answers[b]) for a, b in pairs if (a[1] == b[1]) is same]
    return float(np.mean(gaps))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.noise", description=__doc__)
    parser.add_argument("--data", default="../shared/data/glue")
    parser.add_argument("--task", default="sst2")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--epochs", type=float, default=2, help="of all points but `long`, which has twice as many")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--student", default="cut:2")
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--out", type=Path, default=Path("raykd-runs/bench-noise"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    kept = given.out / f"runs-{given.task}-{given.rows}-{given.epochs:g}.jsonl"
    lines = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    done = {(one["point"], one["seed"]): one for one in lines}
    shared = prepare(
        given.task, given.data, given.teacher or pretrained(), given.rows, given.epochs, given.out, given.student
    )
    for seed in range(1, given.seeds + 1):
        for name, point in POINTS.items():
            if (name, seed) in done:
                continue
            epochs = given.epochs * (2 if name == "long" else 1)
            own = {"seed": seed, "epochs": epochs, "learning_rate": point["learning_rate"], "batch_size": 32}
            parameters = {key: value for key, value in point.items() if key != "learning_rate"}
            spec = shared.model_copy(
                update={
                    "method": "ckd",
                    "parameters": parameters,
                    "folder": str(given.out / "trials" / f"{name}-{seed}"),
                    "training": shared.training.model_copy(update=own),
                }
            )
            score, answers = run(spec)
            done[name, seed] = {"point": name, "seed": seed, "score": score, "answers": answers}
            with kept.open("a") as file:
                file.write(json.dumps(done[name, seed]) + "\n")
            print(f"{name} seed {seed}: {score:.4f}", flush=True)
    for name in POINTS:
        scores = [one["score"] for (point, _), one in done.items() if point == name]
        print(f"{name:10} {np.mean(scores):.4f} ± {np.std(scores, ddof=1):.4f} over {len(scores)} seeds")
    known = {key: unpack(one["answers"]) for key, one in done.items()}
    print("disagreement in %: of one point on two seeds; of two points on two seeds, and on one")
    for name in POINTS:
        print(f"{name:20} {100 * disagree(known, name, name, same=False):5.1f}")
    for pair in combinations(POINTS, 2):
        two, one = (100 * disagree(known, *pair, same=same) for same in (False, True))
        print(f"{pair[0] + ', ' + pair[1]:20} {two:5.1f} {one:5.1f}")


if __name__ == "__main__":
    main()
