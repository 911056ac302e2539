"""A model's logits and scores on a tokenised split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from raykd.models.outputs import forward
from raykd.progress import track
from raykd.tasks import spans
from raykd.tasks.metrics import score
from raykd.tasks.predictions import answers_of, pack
from raykd.tasks.questions import Questions
from raykd.train.batches import by_length

if TYPE_CHECKING:
    from raykd.tasks.encode import Encoded
    from raykd.train.config import TaskSpec

BATCH = 128  # no gradients are kept, so batches can be larger than in training


@torch.no_grad()
def predict(model: nn.Module, split: Encoded, *, device: torch.device) -> np.ndarray:
    """[N, C] logits (float32) in the order of the split's rows; [N, 1] for a regression. Leaves the mode as it was.

    Of a model for spans [N, W, 2]: each token of the N windows, the longest of W tokens, as start and as end; padding
    is 0.
    """
    was_training = model.training
    model.to(device).eval()
    logits: np.ndarray | None = None
    with track("answering", len(split)) as advance:
        for rows in by_length(split.lengths, BATCH):
            batch = split.batch(rows).to(device)
            outputs = forward(
                model,
                input_ids=batch.input_ids,
                attention_mask=batch.attention_mask,
                token_type_ids=batch.token_type_ids,
            )
            part = outputs.logits.float().cpu().numpy()
            if logits is None:
                shape = part.shape[1:] if part.ndim == 2 else (int(split.lengths.max()), 2)
                logits = np.zeros((len(split), *shape), dtype=np.float32)
            if part.ndim == 2:
                logits[rows] = part
            else:
                logits[rows, : part.shape[1]] = part * batch.attention_mask.cpu().numpy()[:, :, None]
            advance(len(rows))
    model.train(was_training)
    if logits is None:
        raise ValueError("the split has no rows")
    return logits


def evaluate(model: nn.Module, task: TaskSpec, splits: dict[str, Encoded], *, device: torch.device) -> dict[str, float]:
    """Every metric of `task` on every split, named ``split/metric``, e.g. ``dev/accuracy``."""
    return examine(model, task, splits, device=device)[0]


def examine(
    model: nn.Module, task: TaskSpec, splits: dict[str, Encoded], *, device: torch.device
) -> tuple[dict[str, float], dict[str, str]]:
    """As `evaluate`, and beside the scores each split's answers, packed (see raykd.tasks.predictions)."""
    scores: dict[str, float] = {}
    answers: dict[str, str] = {}
    for name, split in splits.items():
        logits = predict(model, split, device=device)
        for metric, value in measure(task, logits, split).items():
            scores[f"{name}/{metric}"] = value
        answers[name] = pack(answers_of(task, logits, split))
    return scores, answers


def measure(task: TaskSpec, logits: np.ndarray, split: Encoded) -> dict[str, float]:
    """Every metric of `task`, from the logits that `predict` gives of `split`."""
    if task.kind != "span":
        return score(task, logits, split.labels)
    questions = Questions.of(split)
    return spans.score(task, spans.find(task, logits, questions), questions)
