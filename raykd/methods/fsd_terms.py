"""The terms of feature structure distillation (raykd.methods.fsd); `variant` "paper" leaves padding out.

Layers count from 1; at_s is the student's, at_t the teacher's.
"""

from __future__ import annotations

from torch import Tensor

from raykd.errors import UserError
from raykd.losses.centroids import feature_to_centroid_cosine, feature_to_centroid_distance, memory_cka
from raykd.losses.cka import fsd_intra, fsd_local
from raykd.methods.fsd_memory import STUDENT_MEMORY, TEACHER_MEMORY, features
from raykd.methods.method import Pair
from raykd.methods.recipe import Step, Term
from raykd.methods.seen import hidden


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
    """FSD_I."""

    def intra(step: Step) -> Tensor:
        return fsd_intra(step.student.of("hidden", at_s), step.teacher.of("hidden", at_t), _mask(step, variant))

    return Term("intra", weight, intra, student=hidden((at_s,)), teacher=hidden((at_t,)))


def local_term(weight: float, variant: str, at_s: int, at_t: int) -> Term:
    """FSD_L."""

    def local(step: Step) -> Tensor:
        return fsd_local(step.student.of("hidden", at_s), step.teacher.of("hidden", at_t), _mask(step, variant))

    return Term("local", weight, local, student=hidden((at_s,)), teacher=hidden((at_t,)))


def global_terms(
    weight: float, distance_share: float, variant: str, at_s: int, at_t: int, teacher_floor: float
) -> tuple[Term, ...]:
    """FSD_G's three: distances and cosines of features to centroids, and CKA of the memories."""
    needs = {"student": hidden((at_s,)), "teacher": hidden((at_t,))}

    def memories(step: Step) -> tuple[Tensor, Tensor]:
        return step.extras[STUDENT_MEMORY](), step.facts[TEACHER_MEMORY]

    def compared(step: Step) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        of_student, of_teacher = memories(step)
        mask = _mask(step, variant)
        student = features(step.student.of("hidden", at_s), mask, of_student)
        return student, features(step.teacher.of("hidden", at_t), mask, of_teacher), of_student, of_teacher

    def distance(step: Step) -> Tensor:
        return feature_to_centroid_distance(*compared(step), teacher_floor=teacher_floor)

    def cosine(step: Step) -> Tensor:
        return feature_to_centroid_cosine(*compared(step))

    def memory(step: Step) -> Tensor:
        return memory_cka(*memories(step))

    return (
        Term("distance", weight * distance_share, distance, **needs),
        Term("cosine", weight * (1 - distance_share), cosine, **needs),
        Term("memory", weight, memory),
    )


def _mask(step: Step, variant: str) -> Tensor | None:
    """The mask that the losses see; none where padding is to take part."""
    return step.attention_mask if variant == "paper" else None
