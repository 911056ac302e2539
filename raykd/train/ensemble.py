"""Several students answering together: the mean of their probabilities, or of the numbers and logits of spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from raykd.train.evaluate import measure, predict

if TYPE_CHECKING:
    from raykd.tasks.encode import Encoded
    from raykd.train.config import TaskSpec


def ensemble_scores(models: list[nn.Module], task: TaskSpec, splits: dict[str, Encoded]) -> dict[str, float]:
    """Every metric of the ensemble on every split, named ``split/ensemble_metric``."""
    device = next(models[-1].parameters()).device
    scores: dict[str, float] = {}
    for name, split in splits.items():
        answers = [torch.from_numpy(predict(model.to(device), split, device=device)) for model in models]
        mean = torch.stack([one.softmax(-1) if task.kind == "classes" else one for one in answers]).mean(0)
        for metric, value in measure(task, np.asarray(mean), split).items():
            scores[f"{name}/ensemble_{metric}"] = value
    return scores
