"""Several students answering together: the mean of their probabilities, or of their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from raykd.tasks.metrics import score
from raykd.train.evaluate import predict

if TYPE_CHECKING:
    from raykd.tasks.encode import Encoded
    from raykd.train.config import TaskSpec


def ensemble_scores(models: list[nn.Module], task: TaskSpec, splits: dict[str, Encoded]) -> dict[str, float]:
    """Every metric of the ensemble on every split, named ``split/ensemble_metric``."""
    device = next(models[-1].parameters()).device
    scores: dict[str, float] = {}
    for name, split in splits.items():
        answers = [torch.from_numpy(predict(model.to(device), split, device=device)) for model in models]
        mean = torch.stack([one if task.regression else one.softmax(-1) for one in answers]).mean(0)
        for metric, value in score(task, np.asarray(mean), split.labels).items():
            scores[f"{name}/ensemble_{metric}"] = value
    return scores
