"""Contrastive representation distillation (Tian, Krishnan & Isola 2020, section 3), as RepDistiller codes it.

loss = (1 - alpha) CE + alpha T^2 KL + crd L. Student and teacher vectors of a sample are embedded in one width by a
linear map each, both trained. L (eq. 10, 17 and 18) tells a sample's own embedding of the other network from those of K
other samples, drawn from memories that hold the embeddings of all training samples; after each step the rows of the
batch move towards what they are now. The published setting: crd 0.8, K 16384, tau 0.07, momentum 0.5, width 128.

Ours: the negatives are any other samples, drawn with replacement (the published supervised runs draw them from other
classes), and all of them, undrawn, where the split has no more than K others. Memory: 2 n width numbers, and
2 B K width for a batch. With several workers every one remembers the rows of all.

What is left open, and what stands beside the relation, is in `relational`.
"""

from __future__ import annotations

import math

import torch
import torch.distributed as dist
from pydantic import Field
from torch import Tensor, nn

from raykd.losses.contrast import crd, embed, first_batch_constants, updated_rows
from raykd.methods.method import Method, Pair
from raykd.methods.recipe import Recipe, Scene, Stage, Step
from raykd.methods.relational import RelationalParameters, relation_term, task_terms


class CRDParameters(RelationalParameters):
    """The contrast and its memories."""

    crd: float = Field(0.8, ge=0, description="weight of the contrast, the paper's beta")
    negatives: int = Field(16384, ge=1, description="K, other samples a sample is told from; at most all of the split")
    tau: float = Field(0.07, gt=0, description="temperature of the contrast")
    momentum: float = Field(0.5, ge=0, lt=1, description="share of the old embedding in a memory's new row")
    width: int = Field(128, ge=1, description="width of the embeddings")


class Contrast(nn.Module):
    """The two maps, the memories [n, width] of student (v1) and teacher (v2), and Z1, Z2 (0: not set yet)."""

    memory_v1: Tensor
    memory_v2: Tensor
    constants: Tensor

    def __init__(self, rows: int, student: int, teacher: int, parameters: CRDParameters) -> None:
        super().__init__()
        self.settings = parameters
        self.of_student = nn.Linear(student, parameters.width)
        self.of_teacher = nn.Linear(teacher, parameters.width)
        bound = math.sqrt(3 / parameters.width)  # rows of norm 1, in the mean of squares
        for name in ("memory_v1", "memory_v2"):
            self.register_buffer(name, torch.empty(rows, parameters.width).uniform_(-bound, bound))
        self.register_buffer("constants", torch.zeros(2))
        self._known = False  # spares asking the device at each step

    def forward(self, student: Tensor, teacher: Tensor, rows: Tensor) -> Tensor:
        """The loss of vectors [B, D_s] and [B, D_t] of samples `rows` [B]; in training it is remembered."""
        tau = self.settings.tau
        v1 = embed(student, self.of_student.weight, self.of_student.bias)
        v2 = embed(teacher.detach(), self.of_teacher.weight, self.of_teacher.bias)
        index = torch.cat([rows.unsqueeze(-1), self._others(rows)], dim=-1)
        z1, z2 = self._constants(v1, v2, index)
        loss = crd(v1, v2, self.memory_v1, self.memory_v2, index, constants=(z1, z2), temperature=tau)
        if self.training:
            self._remember(rows, v1, v2)
        return loss

    def _others(self, rows: Tensor) -> Tensor:
        """[B, K]: rows of the memories, never the sample's own."""
        others = len(self.memory_v1) - 1
        if others <= self.settings.negatives:
            found = torch.arange(others, device=rows.device).expand(len(rows), -1)
        else:
            found = torch.randint(others, (len(rows), self.settings.negatives), device=rows.device)
        return found + (found >= rows.unsqueeze(-1))

    def _constants(self, v1: Tensor, v2: Tensor, index: Tensor) -> Tensor:
        """[2]; worked out on the first batch in training, and kept from then on."""
        self._known = self._known or bool(self.constants.all())
        if self._known:
            return self.constants
        tau = self.settings.tau
        first = torch.stack(first_batch_constants(v1, v2, self.memory_v1, self.memory_v2, index, temperature=tau))
        first = of_all_workers(first.unsqueeze(0)).mean(dim=0)
        if self.training:
            self.constants.copy_(first)
        return first

    @torch.no_grad()
    def _remember(self, rows: Tensor, v1: Tensor, v2: Tensor) -> None:
        rows, momentum = of_all_workers(rows), self.settings.momentum
        for memory, embedded in ((self.memory_v1, v1), (self.memory_v2, v2)):
            memory[rows] = updated_rows(memory[rows], of_all_workers(embedded), momentum)


def of_all_workers(tensor: Tensor) -> Tensor:
    """`tensor` [B, ...] of every worker, one after the other, without gradient; B is the same for all."""
    tensor = tensor.detach().contiguous()
    if not (dist.is_available() and dist.is_initialized()):
        return tensor
    parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, tensor)
    return torch.cat(parts)


def recipe(parameters: CRDParameters, pair: Pair) -> Recipe:
    """One stage of three terms, with the maps and memories beside the student."""

    def contrast(scene: Scene) -> nn.Module:
        return Contrast(scene.rows, scene.pair.student.hidden, scene.pair.teacher.hidden, parameters)

    def on_vectors(step: Step, student: Tensor, teacher: Tensor) -> Tensor:
        loss: Tensor = step.extras["contrast"](student, teacher, step.rows)
        return loss

    relation = relation_term("crd", parameters.crd, on_vectors, parameters.feature, pair)
    stage = Stage(terms=(*task_terms(parameters, pair), relation))
    return Recipe(stages=(stage,), extras={"contrast": contrast} if parameters.crd else {})


METHOD = Method(
    name="crd",
    title="contrastive representation distillation against memories of the training split",
    paper="Tian, Krishnan & Isola 2020, Contrastive Representation Distillation",
    parameters=CRDParameters,
    recipe=recipe,
)
