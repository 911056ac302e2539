"""A trial that trains nothing. Imports nothing heavy: a worker process imports what this does."""

from __future__ import annotations

import json
import random
import time
from typing import Any

EVALUATIONS = 8


def canned(label: str, evaluation: int) -> dict[str, Any]:
    """A report as a trial makes it; the score climbs to a height of the trial's own."""
    chance = random.Random(f"{label}/{evaluation}")
    score = 0.5 + 0.4 * random.Random(label).random() * evaluation / EVALUATIONS + 0.01 * chance.random()
    names = ("dev/accuracy", "train/loss", "train/loss_logits", "train/loss_relations", "train/learning_rate")
    return {
        "evaluation": evaluation,
        "progress": evaluation / EVALUATIONS,
        "step": 10 * evaluation,
        "score": score,
        "scored": True,
        "metrics": {name: chance.random() for name in names},
        "seconds": 1.0 * evaluation,
        "first_step": 0.0,
        "at": time.time(),
    }


def tune_trial(config: dict[str, Any]) -> None:
    """Stands for raykd.train.ray_trial.tune_trial."""
    from ray import tune

    for evaluation in range(1, EVALUATIONS + 1):
        tune.report({"report": json.dumps(canned(config["spec"]["label"], evaluation))})
