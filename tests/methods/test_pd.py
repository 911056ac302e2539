"""Pre-trained distillation: the teacher's soft labels and nothing else."""

from __future__ import annotations

import math

import pytest
import torch

from raykd.methods import pd
from raykd.methods.method import Answers
from raykd.methods.pd import PDParameters
from raykd.methods.seen import LOGITS
from tests.methods.steps import Stand, pair, terms


def test_the_cross_entropy_by_hand() -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), pd.recipe(PDParameters(), networks)
    student, teacher = scene.student.answers[LOGITS].tolist(), scene.teacher.answers[LOGITS].tolist()
    expected = 0.0
    for s, t in zip(student, teacher, strict=True):
        p, q = ([math.exp(x) / sum(math.exp(y) for y in row) for x in row] for row in (t, s))
        expected -= sum(a * math.log(b) for a, b in zip(p, q, strict=True)) / len(student)
    [term] = recipe.stages[0].active
    assert (term.name, term.weight) == ("soft", 1.0)
    assert term.loss(scene.step(recipe)).item() == pytest.approx(expected, rel=1e-5)


def test_a_temperature_softens_both_without_a_factor() -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), pd.recipe(PDParameters(temperature=3.0), networks)
    student, teacher = scene.student.answers[LOGITS] / 3, scene.teacher.answers[LOGITS] / 3
    expected = torch.nn.functional.cross_entropy(student, teacher.softmax(-1))
    assert terms(recipe)["soft"].loss(scene.step(recipe)).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("answers", ["classes", "number", "span"])
def test_it_reads_no_label(answers: Answers) -> None:
    networks = pair(4, 2, answers=answers)
    scene, recipe = Stand(networks), pd.recipe(PDParameters(), networks)
    step = scene.step(recipe)
    step.batch.labels.fill_(float("nan") if answers == "number" else -100)
    assert terms(recipe)["soft"].loss(step) > 0


def test_a_number_takes_the_squared_error_of_the_outputs() -> None:
    networks = pair(4, 2, answers="number")
    scene, recipe = Stand(networks), pd.recipe(PDParameters(temperature=3.0), networks)
    expected = (scene.student.answers[LOGITS] - scene.teacher.answers[LOGITS]).square().mean()
    assert terms(recipe)["soft"].loss(scene.step(recipe)).item() == pytest.approx(expected.item(), rel=1e-5)
