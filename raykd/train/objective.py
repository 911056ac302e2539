"""A recipe as one module: the student, its trainable extras, and the weighted sum of a stage's terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from raykd.knowledge.observe import observe
from raykd.methods.recipe import Live, Recipe, Scene, Stage, Step
from raykd.methods.seen import Need, Seen

if TYPE_CHECKING:
    from raykd.tasks.encode import Batch

EMBEDDED = Need("hidden", 0)


class Objective(nn.Module):
    """Everything that gets gradients from the terms, so that DDP, clipping and the optimiser see one module.

    forward is one micro-batch's loss: the student's pass and all terms of the stage happen inside it, as DDP asks.
    """

    def __init__(
        self,
        student: nn.Module,
        recipe: Recipe,
        scene: Scene,
        facts: Mapping[str, Tensor],
        teacher: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.student = student
        self.extras = nn.ModuleDict({name: make(scene) for name, make in recipe.extras.items()})
        for name, fact in facts.items():  # worked out again at each start, so no part of a checkpoint
            self.register_buffer(f"fact_{name}", fact, persistent=False)
        self._facts = tuple(facts)
        self._scene = scene
        # Tuples hide from parameters(), state_dict() and train() what this module's optimiser does not train.
        self._teacher = (teacher,)
        self._opponent: tuple[nn.Module | None] = (None,)
        self._live = recipe.live

    def face(self, opponent: nn.Module) -> None:
        """Let the terms see `opponent`, which trains by itself."""
        self._opponent = (opponent,)

    def forward(self, batch: Batch, told: Seen, stage: Stage, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """The stage's total and each term's unweighted value, detached. told: the teacher's answers on the batch."""
        needs = stage.student_needs()
        if stage.perturb is not None:
            seen = observe(self.student, batch, needs | {EMBEDDED})
            total, _ = self._sum(batch, seen, told, stage, progress)
            embedded = seen.answers[EMBEDDED]
            (gradient,) = torch.autograd.grad(total, embedded)
            nudge = stage.perturb(embedded.detach(), gradient, batch.attention_mask) - embedded.detach()
            return self._sum(batch, observe(self.student, batch, needs, nudge=nudge), told, stage, progress)
        return self._sum(batch, observe(self.student, batch, needs), told, stage, progress)

    def step(self, batch: Batch, student: Seen, teacher: Seen, progress: float) -> Step:
        """What a term may look at."""
        live, facts = None, {name: self.get_buffer(f"fact_{name}") for name in self._facts}
        if self._live and self._teacher[0] is not None:
            scene = self._scene
            live = Live(
                self.student, self._teacher[0], self._opponent[0], scene.corpus, scene.vocabulary, observe=observe
            )
        return Step(student, teacher, batch, progress, self.extras, facts, live)

    def _sum(
        self, batch: Batch, seen: Seen, told: Seen, stage: Stage, progress: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        step = self.step(batch, seen, told, progress)
        values = {term.name: term.loss(step) for term in stage.active}
        total = torch.stack([term.weight * values[term.name] for term in stage.active]).sum()
        return total, {name: value.detach() for name, value in values.items()}
