"""The seam between a paper and the training loop: terms, needs, stages, extras.

A *term* is a pure loss with a weight and a statement of what it must see of either network. A *stage* is a sum of
terms over a part of the run. A *recipe* is the stages in order, with the modules that train beside the student.
A *method* makes a recipe from its hyperparameters and the shapes of the two networks. The loop knows only recipes;
what a sweep must ask of the teacher is the union of the needs of its terms, never a second list kept by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from raykd.models.shape import Shape


@dataclass(frozen=True, order=True)
class Need:
    """One thing a term must see of a network: its logits, or the hidden states of one layer (0 = embedding output)."""

    kind: Literal["logits", "hidden"]
    layer: int = -1


LOGITS = Need("logits")


def hidden(layers: tuple[int, ...]) -> frozenset[Need]:
    """The need for the hidden states of `layers`; index 0 is the embedding output."""
    return frozenset(Need("hidden", layer) for layer in layers)


class Seen:
    """What one network answered on one batch: exactly the declared needs, nothing else."""

    def __init__(self, answers: Mapping[Need, Tensor]) -> None:
        self.answers = answers
        self._stacks: dict[tuple[int, ...], Tensor] = {}

    @property
    def logits(self) -> Tensor:
        """[B, C]; [B, 1] for a regression."""
        return self.answers[LOGITS]

    def hidden(self, layers: tuple[int, ...]) -> Tensor:
        """[K, B, L, D]: the hidden states of `layers`, stacked in that order, once a step for all terms."""
        if layers not in self._stacks:
            self._stacks[layers] = torch.stack([self.answers[Need("hidden", layer)] for layer in layers])
        return self._stacks[layers]


@dataclass(frozen=True)
class Networks:
    """The networks themselves, for recipes that need more than answers on the batch (a live teacher)."""

    student: nn.Module
    teacher: nn.Module


@dataclass(frozen=True)
class Step:
    """All a term may look at in one optimiser step.

    attention_mask and input_ids are [B, L], labels [B] (class indices, or real numbers), rows [B] the row numbers in
    the training split, progress in (0, 1] the part of the run that this step completes. networks is there only where
    the recipe asked for a live teacher.
    """

    student: Seen
    teacher: Seen
    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    rows: Tensor
    progress: float
    extras: nn.ModuleDict
    networks: Networks | None = None


@dataclass(frozen=True)
class Term:
    """One weighted summand of an objective and what it needs to see."""

    name: str
    weight: float
    loss: Callable[[Step], Tensor]
    student: frozenset[Need] = frozenset()
    teacher: frozenset[Need] = frozenset()


@dataclass(frozen=True)
class Stage:
    """A sum of terms that trains until the fraction `until` of the run.

    scored says whether the task metric means anything at its end: a stage that trains no classifier is no rung at
    which a trial may be stopped.
    """

    terms: tuple[Term, ...]
    until: float = 1.0
    name: str = "main"
    scored: bool = True

    @property
    def active(self) -> tuple[Term, ...]:
        """The terms that count: one of weight 0 is neither computed nor asked about."""
        return tuple(term for term in self.terms if term.weight)

    def teacher_needs(self) -> frozenset[Need]:
        """The union of what the stage's terms ask of the teacher."""
        return frozenset(need for term in self.active for need in term.teacher)


@dataclass(frozen=True)
class Recipe:
    """Stages in order (the last one ends at 1.0), trainable extras by name, and whether the teacher must be live."""

    stages: tuple[Stage, ...]
    extras: Mapping[str, Callable[[], nn.Module]] = field(default_factory=dict)
    live_teacher: bool = False

    def stage_at(self, progress: float) -> Stage:
        """The stage that the step completing `progress` of the run belongs to."""
        return next((stage for stage in self.stages if progress <= stage.until + 1e-12), self.stages[-1])

    def teacher_needs(self) -> frozenset[Need]:
        """The union of what all terms of all stages ask of the teacher."""
        return frozenset(need for stage in self.stages for need in stage.teacher_needs())


class Parameters(BaseModel):
    """Base of every method's hyperparameters: unknown keys are refused, values are checked, finite and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Pair:
    """What a recipe may know of the two networks and the task before either is loaded."""

    teacher: Shape
    student: Shape
    regression: bool


@dataclass(frozen=True)
class Method:
    """A published objective: its hyperparameters with the paper's defaults, and the recipe they make.

    recipe raises UserError where the pair cannot serve it, naming the valid range.
    """

    name: str
    title: str
    paper: str
    parameters: type[Parameters]
    recipe: Callable[[Any, Pair], Recipe]
    needs_teacher: bool = True
