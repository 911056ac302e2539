"""The terms of feature structure distillation (raykd.methods.fsd); `variant` "paper" leaves padding out.

Layers count from 1; at_s is the student's, at_t the teacher's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from raykd.errors import UserError
from raykd.losses.centroid_products import CentroidRelations, centroid_relations, memory_gram, relations_and_gram
from raykd.losses.centroids import feature_to_centroid_cosine_of, feature_to_centroid_distance_of, memory_cka_of
from raykd.losses.cka import fsd_intra, fsd_intra_of, fsd_local
from raykd.methods.fsd_memory import STUDENT_MEMORY, TEACHER_MEMORY, features
from raykd.methods.method import Pair
from raykd.methods.recipe import Step, Term
from raykd.methods.seen import Need, hidden, needs, padded

_COMPARED = "fsd_g"


@dataclass(frozen=True)
class _Compared:
    """What FSD_G looks at, of both networks and of the Gram matrices [M, M] of their memories."""

    student: CentroidRelations
    teacher: CentroidRelations
    student_gram: Tensor
    teacher_gram: Tensor


def penultimate(pair: Pair) -> tuple[int, int]:
    """The layer before the last, of the student and of the teacher. UserError where that is no layer."""
    sizes = {"student": pair.student.layers, "teacher": pair.teacher.layers}
    problems = [
        f"layers: the {who} has {layers}, and the layer before the last is compared; give a {who} of 2 or more"
        for who, layers in sizes.items()
        if layers < 2
    ]
    if problems:
        raise UserError(*problems)
    return pair.student.layers - 1, pair.teacher.layers - 1


def intra_term(weight: float, variant: str, at_s: int, at_t: int) -> Term:
    """FSD_I. Without padding the teacher's part of it is one Gram matrix a text."""

    def of_grams(step: Step) -> Tensor:
        return fsd_intra_of(step.student.of("hidden", at_s), step.teacher.of("word_gram", at_t), step.attention_mask)

    def of_all_positions(step: Step) -> Tensor:
        return fsd_intra(step.student.of("hidden", at_s), step.teacher.of("hidden", at_t), None)

    if variant == "paper":
        return Term("intra", weight, of_grams, student=hidden((at_s,)), teacher=needs("word_gram", (at_t,)))
    return Term("intra", weight, of_all_positions, student=hidden((at_s,)), teacher=padded(hidden((at_t,))))


def local_term(weight: float, variant: str, at_s: int, at_t: int) -> Term:
    """FSD_L."""

    def local(step: Step) -> Tensor:
        return fsd_local(step.student.of("hidden", at_s), step.teacher.of("hidden", at_t), _mask(step, variant))

    return Term("local", weight, local, student=hidden((at_s,)), teacher=_states(at_t, variant))


def global_terms(
    weight: float, distance_share: float, variant: str, at_s: int, at_t: int, teacher_floor: float
) -> tuple[Term, ...]:
    """FSD_G's three: distances and cosines of features to centroids, and CKA of the memories."""
    asked = {"student": hidden((at_s,)), "teacher": _states(at_t, variant)}
    constant: list[tuple[Tensor, Tensor]] = []  # the teacher's memory, and its Gram matrix

    def compared(step: Step) -> _Compared:
        """Once a step for all three: the student's memory is gone over once, and gets one gradient."""
        if _COMPARED not in step.shared:
            ours, theirs = step.extras[STUDENT_MEMORY](), step.facts[TEACHER_MEMORY]
            mask = _mask(step, variant)
            student = features(step.student.of("hidden", at_s), mask, ours)
            of_student, gram = relations_and_gram(student, ours)
            with torch.no_grad():
                of_teacher = centroid_relations(features(step.teacher.of("hidden", at_t), mask, theirs), theirs)
                if not constant or constant[0][0] is not theirs:
                    constant[:] = [(theirs, memory_gram(theirs))]
            step.shared[_COMPARED] = _Compared(of_student, of_teacher, gram, constant[0][1])
        found: _Compared = step.shared[_COMPARED]
        return found

    def distance(step: Step) -> Tensor:
        found = compared(step)
        return feature_to_centroid_distance_of(
            found.student.squared_distances, found.teacher.squared_distances, teacher_floor=teacher_floor
        )

    def cosine(step: Step) -> Tensor:
        found = compared(step)
        return feature_to_centroid_cosine_of(found.student.cosines, found.teacher.cosines)

    def memory(step: Step) -> Tensor:
        found = compared(step)
        return memory_cka_of(found.student_gram, found.teacher_gram)

    return (
        Term("distance", weight * distance_share, distance, **asked),
        Term("cosine", weight * (1 - distance_share), cosine, **asked),
        Term("memory", weight, memory, **asked),
    )


def _states(layer: int, variant: str) -> frozenset[Need]:
    """The teacher's hidden states; those of padding, too, where it is to take part."""
    return padded(hidden((layer,)), variant == "code")


def _mask(step: Step, variant: str) -> Tensor | None:
    """The mask that the losses see; none where padding is to take part."""
    return step.attention_mask if variant == "paper" else None
