"""A recipe as one module: the student, its trainable extras, and the weighted sum of a stage's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from raykd.knowledge.observe import observe
from raykd.methods.recipe import Networks, Recipe, Seen, Stage, Step

if TYPE_CHECKING:
    from raykd.tasks.encode import Batch


class Objective(nn.Module):
    """Everything that gets gradients, so that DDP, clipping and the optimiser see one module.

    forward is one micro-batch's loss: the student's pass and all terms of the stage happen inside it, as DDP asks.
    """

    def __init__(self, student: nn.Module, recipe: Recipe, live_teacher: nn.Module | None = None) -> None:
        super().__init__()
        self.student = student
        self.extras = nn.ModuleDict({name: make() for name, make in recipe.extras.items()})
        # A tuple hides the frozen teacher from parameters(), state_dict() and train().
        self._teacher = (live_teacher,) if recipe.live_teacher else (None,)

    def forward(self, batch: Batch, teacher: Seen, stage: Stage, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """The stage's total and each term's unweighted value, detached."""
        terms = stage.active
        student = observe(self.student, batch, frozenset(need for term in terms for need in term.student))
        live = self._teacher[0]
        step = Step(
            student=student,
            teacher=teacher,
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            labels=batch.labels,
            rows=batch.rows,
            progress=progress,
            extras=self.extras,
            networks=None if live is None else Networks(self.student, live),
        )
        values = {term.name: term.loss(step) for term in terms}
        total = torch.stack([term.weight * values[term.name] for term in terms]).sum()
        return total, {name: value.detach() for name, value in values.items()}
