"""Patient distillation: its layers, its two sums, and the pairs it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from raykd import losses
from raykd.errors import UserError
from raykd.methods import pkd
from raykd.methods.method import Answers
from raykd.methods.pkd import PKDParameters
from raykd.methods.seen import LOGITS, Need
from tests.methods.steps import CLASSES, Stand, layers, pair, terms

WIDTH = 16
DRAW = {"alpha": 0.3, "temperature": 4.0, "beta": 20.0}


def stand(answers: Answers = "classes", **draw: Any) -> tuple[Stand, dict[str, Any], Any]:
    networks = pair(6, 3, answers=answers, hidden=(WIDTH, WIDTH))
    scene, recipe = Stand(networks), pkd.recipe(PKDParameters.model_validate({**DRAW, **draw}), networks)
    return scene, terms(recipe), scene.step(recipe)


@pytest.mark.parametrize(
    ("strategy", "teacher", "student", "at_teacher"),
    [
        ("skip", 12, 6, (2, 4, 6, 8, 10)),
        ("skip", 12, 3, (4, 8)),
        ("skip", 24, 6, (4, 8, 12, 16, 20)),
        ("skip", 24, 3, (8, 16)),
        ("skip", 12, 5, (3, 5, 8, 10)),
        ("skip", 3, 3, (1, 2)),
        ("last", 12, 6, (7, 8, 9, 10, 11)),
        ("last", 12, 3, (10, 11)),
        ("last", 24, 3, (22, 23)),
        ("last", 3, 3, (1, 2)),
    ],
)
def test_the_layers_of_the_paper(strategy: str, teacher: int, student: int, at_teacher: tuple[int, ...]) -> None:
    networks = pair(teacher, student, hidden=(WIDTH, WIDTH))
    patience = terms(pkd.recipe(PKDParameters.model_validate({"strategy": strategy}), networks))["patience"]
    assert layers(patience.teacher) == at_teacher
    assert layers(patience.student) == tuple(range(1, student))
    assert {need.kind for need in patience.teacher | patience.student} == {"cls"}


def patience_by_hand(scene: Stand) -> list[float]:
    """Squared distance of the directions, of each matched layer and sample."""
    distances = []
    for at_student, at_teacher in ((1, 2), (2, 4)):
        student, teacher = (
            scene.student.answers[Need("cls", at_student)],
            scene.teacher.answers[Need("cls", at_teacher)],
        )
        for s, t in zip(student, teacher, strict=True):
            distances.append((s / s.norm() - t / t.norm()).square().sum().item())
    return distances


def logits(scene: Stand) -> tuple[Tensor, Tensor]:
    return scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]


def test_the_sum_of_the_code() -> None:
    scene, of, step = stand()
    total = sum(term.weight * term.loss(step).item() for term in of.values())
    distances = patience_by_hand(scene)
    hard = losses.hard_cross_entropy(logits(scene)[0], step.labels).item()
    soft = losses.kl_divergence(*logits(scene), 4.0).item() / CLASSES
    expected = 0.7 * hard + 0.3 * soft + 20 * sum(distances) / (len(distances) * WIDTH)
    assert total == pytest.approx(expected, rel=1e-5)


def test_the_sum_of_the_paper() -> None:
    scene, of, step = stand(variant="paper")
    total = sum(term.weight * term.loss(step).item() for term in of.values())
    student, teacher = logits(scene)
    hard = losses.hard_cross_entropy(student, step.labels).item()
    soft = torch.nn.functional.cross_entropy(student / 4, (teacher / 4).softmax(-1)).item()
    expected = 0.7 * hard + 0.3 * soft + 20 * sum(patience_by_hand(scene)) / len(student)
    assert total == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("variant", ["code", "paper"])
def test_a_number_takes_squared_errors(variant: str) -> None:
    scene, of, step = stand("number", variant=variant)
    student, teacher = logits(scene)
    assert of["soft"].loss(step).item() == pytest.approx((student - teacher).square().mean().item(), rel=1e-5)
    assert of["hard"].loss(step).item() == pytest.approx(losses.regression_mse(student, step.labels).item())


def test_padding_does_not_thin_the_soft_loss_of_a_span() -> None:
    scene, of, step = stand("span")
    assert of["soft"].loss(step).item() == pytest.approx(losses.kl_divergence(*logits(scene), 4.0).item(), rel=1e-5)


def test_a_pair_is_refused_for_all_its_reasons() -> None:
    with pytest.raises(UserError) as caught:
        pkd.recipe(PKDParameters(), pair(2, 4))
    assert len(caught.value.problems) == 2
    assert "the student must be 24 wide" in str(caught.value)
    assert "give a student of 1 to 2" in str(caught.value)


def test_a_student_of_one_layer_is_refused() -> None:
    with pytest.raises(UserError, match="the student has 1, and its last one is left out; give a student of 2 to 4"):
        pkd.recipe(PKDParameters(), pair(4, 1, hidden=(WIDTH, WIDTH)))
