"""AdamW and its schedule: linear warm-up, then linear decay to zero."""

from __future__ import annotations

import torch
from torch import nn

from raykd.train.config import Training


def make_optimizer(module: nn.Module, training: Training) -> torch.optim.AdamW:
    """AdamW over every parameter of `module`; no decay on vectors (biases, layer norms), as BERT's authors do."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=training.learning_rate, fused=True)


def rate_at(step: int, total: int, training: Training) -> float:
    """The learning rate of 0-based `step` of `total`; a function of the step, so a resume has nothing to restore."""
    warm = int(total * training.warmup)
    if step < warm:
        return training.learning_rate * (step + 1) / warm
    return training.learning_rate * (total - step) / max(1, total - warm)
