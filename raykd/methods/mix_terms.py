"""The inner terms of `mix`, as a table: the loss of each, the layers it looks at, what it asks of the pair.

Losses and reductions are those of the method that a term is taken from, so weights found there have their scale here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from raykd.losses import (
    attention_mse,
    cls_patience,
    hidden_mse,
)
from raykd.losses.attention_relations import relation_kl_of
from raykd.losses.attentive_layers import alp
from raykd.losses.cka import fsd_intra_of, fsd_local
from raykd.losses.cosine_contrast import cos_nce
from raykd.losses.hidden import cosine_loss
from raykd.losses.layer_relations import layer_angle_of, layer_pair_of
from raykd.losses.rkd import rkd_angle, rkd_distance
from raykd.losses.samples import pkt, sp
from raykd.losses.tokens import fsp, mmd
from raykd.losses.tree import tree_nodes
from raykd.losses.tree_loss import tree_distillation
from raykd.losses.word_relations import word_angle_of, word_pair_of
from raykd.methods.ckd import DISTANCE
from raykd.methods.method import Pair
from raykd.methods.minilm import relation_heads
from raykd.methods.mix_parameters import MixParameters
from raykd.methods.recipe import Step
from raykd.methods.seen import PROJECTED, Kind


@dataclass(frozen=True)
class View:
    """A step as one term sees it: K matched layers of both networks. fitted: the student's map, if it has one."""

    step: Step
    parameters: MixParameters
    pair: Pair
    at_student: tuple[int, ...]
    at_teacher: tuple[int, ...]
    fitted: str | None

    def both(self, kind: Kind) -> tuple[Tensor, Tensor]:
        """[K, B, ...] of the student, mapped to the teacher's width where the row says so, and of the teacher."""
        student = self.step.student.stacked(kind, self.at_student)
        if self.fitted is not None:
            student = self.step.extras[self.fitted](student)
        return student, self.step.teacher.stacked(kind, self.at_teacher)

    @property
    def hidden(self) -> tuple[Tensor, Tensor]:
        """[K, B, L, D]."""
        return self.both("hidden")

    @property
    def words(self) -> tuple[Tensor, Tensor]:
        """[K, B, L, R]: distances between words, as far apart as two corners of a window."""
        reach = 2 * self.parameters.delta
        student = self.step.student.word_distances(self.at_student, reach)
        return student, self.step.teacher.word_distances(self.at_teacher, reach)

    @property
    def across(self) -> tuple[Tensor, Tensor]:
        """[B, L, P]: distances between layers."""
        return self.step.student.layer_distances(self.at_student), self.step.teacher.layer_distances(self.at_teacher)

    @property
    def cls(self) -> tuple[Tensor, Tensor]:
        """[K, B, D]."""
        return self.both("cls")

    @property
    def last_cls(self) -> tuple[Tensor, Tensor]:
        """[B, D] of the only layer."""
        student, teacher = self.cls
        return student[0], teacher[0]

    @property
    def layers(self) -> int:
        """K."""
        return len(self.at_student)

    @property
    def mask(self) -> Tensor:
        """[B, L], 1 on tokens."""
        return self.step.attention_mask

    def masks(self, times: int) -> Tensor:
        """[times B, L], for layers that stand one after the other in the batch."""
        return self.mask.repeat(times, 1)


@dataclass(frozen=True)
class Row:
    """One term. kinds: what it asks of both networks, `own` of the student alone; taught: what it asks of the teacher,
    where that is something else; letters: of the relation of projections that it asks of the teacher.

    layers: "states" are all matched ones, the embedding output among them where the alignment has it; "layers" are
    those without it; "last" the last one of either; "all" every layer of either, which need not be equally many.
    at_least: matched layers below which it would be 0. fit: when a map, trained beside the student, takes the student's
    vectors to the teacher's width: "always", as in the paper, or where the widths are "unequal". heads: as many of
    them in both networks.
    """

    loss: Callable[[View], Tensor]
    kinds: tuple[Kind, ...] = ("hidden",)
    own: tuple[Kind, ...] = ()
    taught: tuple[Kind, ...] | None = None
    letters: str = ""
    layers: Literal["states", "layers", "last", "all"] = "states"
    at_least: int = 1
    fit: Literal["never", "unequal", "always"] = "never"
    heads: bool = False


def _relation(letters: str) -> Row:
    """The relation of two of queries, keys and values."""
    x, y = (PROJECTED[letter] for letter in letters)

    def loss(view: View) -> Tensor:
        student_x, student_y = (view.step.student.stacked(kind, view.at_student).flatten(0, 1) for kind in (x, y))
        heads = relation_heads(view.parameters.relation_heads, view.pair)
        scores = view.step.teacher.relation(letters, view.at_teacher, heads).flatten(0, 1)
        return relation_kl_of(student_x, student_y, scores, view.masks(view.layers), heads)

    return Row(loss, kinds=(x,) if x == y else (x, y), taught=(), letters=letters, layers="layers")


def _alp(view: View) -> Tensor:
    student, teacher = view.cls
    return alp(student, teacher, torch.ones(len(student), len(teacher), dtype=torch.bool))


def _tree(view: View) -> Tensor:
    maps = view.step.student.attention(view.at_student).detach()
    return tree_distillation(*view.hidden, tree_nodes(maps, view.mask, view.parameters.children))


def _fsp(view: View) -> Tensor:
    """From each matched layer to the next; of a single one, to itself."""
    flows = [(states[:-1], states[1:]) if len(states) > 1 else (states, states) for states in view.hidden]
    student, teacher = ((a.flatten(0, 1), b.flatten(0, 1)) for a, b in flows)
    return fsp(student, teacher, view.masks(max(view.layers - 1, 1)))


def _intra(view: View) -> Tensor:
    grams = view.step.teacher.stacked("word_gram", view.at_teacher)
    return fsd_intra_of(view.step.student.hidden(view.at_student), grams, view.mask)


def _mmd(view: View) -> Tensor:
    student, teacher = (states.flatten(0, 1) for states in view.hidden)
    return mmd((student, student), (teacher, teacher), view.masks(view.layers))


INNER: dict[str, Row] = {
    "word_pair": Row(
        lambda v: word_pair_of(*v.words, v.mask, **DISTANCE, delta=v.parameters.delta, layer_reduction="sum"),
        kinds=("word_distances",),
    ),
    "word_angle": Row(
        lambda v: word_angle_of(*v.words, v.mask, delta=v.parameters.delta, neighbours="valid", layer_reduction="sum"),
        kinds=("word_distances",),
    ),
    "layer_pair": Row(
        lambda v: layer_pair_of(*v.across, v.mask, v.layers, **DISTANCE), kinds=("layer_distances",), at_least=3
    ),
    "layer_angle": Row(lambda v: layer_angle_of(*v.across, v.mask, v.layers), kinds=("layer_distances",), at_least=3),
    "hidden": Row(lambda v: v.layers * hidden_mse(*v.hidden, v.mask), fit="always"),
    "hidden_cosine": Row(lambda v: cosine_loss(*v.hidden, v.mask), fit="unequal"),
    "cls_patience": Row(lambda v: cls_patience(*v.cls), kinds=("cls",), layers="layers", fit="unequal"),
    "alp": Row(_alp, kinds=("cls",), layers="all", fit="unequal"),
    "cos_nce": Row(lambda v: cos_nce(*v.hidden, v.mask), layers="layers", fit="always"),
    "tree": Row(_tree, own=("attention",), layers="layers", fit="unequal", heads=True),
    "attention": Row(
        lambda v: v.layers * attention_mse(*v.both("scores"), v.mask), kinds=("scores",), layers="layers", heads=True
    ),
    "relation_qk": _relation("qk"),
    "relation_qq": _relation("qq"),
    "relation_kk": _relation("kk"),
    "relation_vv": _relation("vv"),
    "cka_intra": Row(_intra, taught=("word_gram",)),
    "cka_local": Row(lambda v: fsd_local(*v.hidden, v.mask)),
    "fsp": Row(_fsp, fit="unequal"),
    "mmd": Row(_mmd),
    "rkd_distance": Row(lambda v: rkd_distance(*v.last_cls), kinds=("cls",), layers="last"),
    "rkd_angle": Row(lambda v: rkd_angle(*v.last_cls), kinds=("cls",), layers="last"),
    "sp": Row(lambda v: sp(*v.last_cls), kinds=("cls",), layers="last"),
    "pkt": Row(lambda v: pkt(*v.last_cls), kinds=("cls",), layers="last"),
}
