"""What every method must do on every kind of network, by the list of methods itself."""

from __future__ import annotations

import pytest
import torch

from raykd.errors import UserError
from raykd.methods import METHODS
from raykd.methods.method import Answers, Pair
from raykd.models.shape import Shape
from raykd.tasks.encode import Batch
from tests.kinds import KINDS
from tests.methods.bench import bench

TRIPLES = [(kind, name) for kind in KINDS for name in METHODS]
each_kind = pytest.mark.parametrize(("kind", "name"), TRIPLES, ids=[f"{name}-{kind}" for kind, name in TRIPLES])
TASKS = [(name, answers) for name in METHODS for answers in ("classes", "number", "span")]
each_task = pytest.mark.parametrize(("name", "answers"), TASKS, ids=[f"{name}-{answers}" for name, answers in TASKS])

# Methods whose loss is not one number for one text: what they draw depends on the shape of the batch.
DRAWS = {"mate_kd": "masks and Gumbel noise", "combined_kd": "masks and Gumbel noise", "rand_tkd": "random nodes"}


def served(name: str, answers: Answers) -> None:
    if answers not in METHODS[name].answers:
        pytest.skip(f"{name} does not learn a {answers}")


@each_kind
def test_a_step_on_every_kind_of_network(kind: str, name: str) -> None:
    answers: Answers = "classes"
    served(name, answers)
    on = bench(kind, name, answers)
    on.objective.train()
    batch = on.texts.batch(range(4))
    for stage in on.recipe.stages:
        on.objective.zero_grad()
        loss = on.loss(stage, batch)
        assert torch.isfinite(loss), stage.name
        loss.backward()
        gradients = [weight.grad for weight in on.student.parameters() if weight.grad is not None]
        assert all(torch.isfinite(gradient).all() for gradient in gradients), stage.name
        assert any(bool(gradient.any()) for gradient in gradients), stage.name
        assert all(weight.grad is None for weight in on.teacher.parameters()), stage.name


@each_task
def test_padding_changes_nothing(name: str, answers: Answers) -> None:
    served(name, answers)
    if name in DRAWS:
        pytest.skip(f"it draws {DRAWS[name]}")
    on = bench("bert", name, answers)
    on.objective.eval()
    batch = on.texts.batch(range(4))
    ids, mask = (torch.nn.functional.pad(part, (0, 5)) for part in (batch.input_ids, batch.attention_mask))
    padded = Batch(ids + 9 * (1 - mask), mask, None, batch.labels, batch.rows)  # padding that is not zero
    for stage in on.recipe.stages:
        torch.testing.assert_close(on.loss(stage, padded), on.loss(stage, batch), rtol=1e-4, atol=1e-6)


@each_task
def test_a_batch_of_one_row_of_one_token(name: str, answers: Answers) -> None:
    served(name, answers)
    on = bench("bert", name, answers)
    whole = on.texts.batch([0])
    labels = torch.zeros(1, 2, dtype=torch.long) if answers == "span" else whole.labels
    for length in (1, 2):
        mask = torch.zeros_like(whole.attention_mask)
        mask[:, :length] = 1
        batch = Batch(whole.input_ids, mask, None, labels, whole.rows)
        for stage in on.recipe.stages:
            on.objective.zero_grad()
            loss = on.loss(stage, batch)
            loss.backward()
            assert torch.isfinite(loss), stage.name
            gradients = [weight.grad for weight in on.student.parameters() if weight.grad is not None]
            assert all(torch.isfinite(gradient).all() for gradient in gradients), stage.name


@each_task
def test_rows_without_a_label_are_served(name: str, answers: Answers) -> None:
    if answers == "span":
        return
    served(name, answers)
    on = bench("bert", name, answers)
    batch = on.texts.batch(range(4))
    none = torch.full((4,), -100) if answers == "classes" else torch.full((4,), torch.nan)
    batch = Batch(batch.input_ids, batch.attention_mask, None, none, batch.rows)
    for stage in on.recipe.stages:
        on.objective.zero_grad()
        loss = on.loss(stage, batch)
        loss.backward()
        assert torch.isfinite(loss), stage.name
        gradients = [weight.grad for weight in on.student.parameters() if weight.grad is not None]
        assert all(torch.isfinite(gradient).all() for gradient in gradients), stage.name


ODD = {
    "narrower": Shape(2, 20, 4, 40),
    "fewer heads": Shape(2, 32, 2, 40),
    "odd heads": Shape(2, 30, 3, 40),
    "one layer": Shape(1, 32, 4, 40),
    "three layers": Shape(3, 32, 4, 40),
    "deeper": Shape(6, 32, 4, 40),
    "as deep": Shape(4, 32, 4, 40),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", METHODS)
def test_an_odd_pair_is_planned_or_refused_with_what_is_allowed(name: str, odd: str) -> None:
    method = METHODS[name]
    pair = Pair(Shape(4, 32, 4, 40), ODD[odd], next(iter(sorted(method.answers))), corpus=True)
    try:
        recipe = method.links(method.parameters(), pair)[-1].recipe(pair)
    except UserError as error:
        text = " ".join(error.problems)
        assert any(letter.isdigit() for letter in text), text  # the valid range
        return
    for stage in recipe.stages:
        asked = {need.layer for need in stage.student_needs() if need.layer > 0}
        assert all(layer <= pair.student.layers for layer in asked)
        asked = {need.layer for need in stage.teacher_needs() if need.layer > 0}
        assert all(layer <= pair.teacher.layers for layer in asked)
