"""The turn of a recipe's opponent: the network that learns to make the student wrong, beside the student's own step."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch
from torch import nn

from raykd.methods.recipe import Opponent, Scene
from raykd.methods.seen import Seen
from raykd.train.config import Training
from raykd.train.objective import Objective
from raykd.train.world import World

if TYPE_CHECKING:
    from raykd.tasks.encode import Batch


class Duel:
    """An opponent with its optimiser (AdamW at a constant rate), and whose turn it is."""

    def __init__(
        self, opponent: Opponent, objective: Objective, scene: Scene, device: torch.device, training: Training
    ) -> None:
        self.opponent = opponent
        self.objective = objective
        self.module: nn.Module = opponent.make(scene).to(device).train()
        self.weights = [weight for weight in self.module.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, lr=opponent.learning_rate)
        self.max_norm = training.max_grad_norm
        objective.face(self.module)

    def turn(self, step: int, progress: float) -> bool:
        """Whether the opponent trains on the batch of 0-based `step`, which completes `progress` of the run."""
        return progress <= self.opponent.until + 1e-9 and step % self.opponent.cycle < self.opponent.turns

    def learn(
        self, batch: Batch, progress: float, weight: float, autocast: contextlib.AbstractContextManager[None]
    ) -> None:
        """Add one micro-batch's gradient. The student and the teacher, through which it flows, collect none."""
        with autocast:
            loss = self.opponent.loss(self.objective.step(batch, Seen({}), Seen({}), progress))
        gradients = torch.autograd.grad(loss * weight, self.weights, allow_unused=True)
        for parameter, gradient in zip(self.weights, gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient

    def update(self, world: World) -> None:
        """One step of the opponent's optimiser."""
        world.average([weight.grad for weight in self.weights if weight.grad is not None])
        nn.utils.clip_grad_norm_(self.weights, self.max_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
