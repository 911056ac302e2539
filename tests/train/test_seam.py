"""What the loop does with a recipe: stages, needs, weights of zero, extras, a live teacher."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from raykd.knowledge.observe import observe
from raykd.knowledge.teacher import live_teacher
from raykd.methods.recipe import Live, Recipe, Scene, Stage, Step, Term
from raykd.methods.seen import LOGITS, Need, Seen, hidden
from raykd.methods.terms import hard_term
from raykd.train.stages import plan_stages
from tests.train.setting import TRAINING, Setting, same, weights
from tests.train.toys import SEE_LOGITS, two_stages


def one(term: Term) -> Recipe:
    return Recipe(stages=(Stage(terms=(term,)),))


def test_stages_switch_where_they_say(classes: Setting, tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []

    def noting(term: Term) -> Term:
        def loss(step: Step) -> Tensor:
            seen.append((term.name, round(step.progress * 12)))
            return term.loss(step)

        return replace(term, loss=loss)

    recipe = two_stages(until=0.5)
    stages = tuple(replace(stage, terms=tuple(noting(term) for term in stage.terms)) for stage in recipe.stages)
    reports = classes.run(replace(recipe, stages=stages), tmp_path, classes.student())
    assert [step for name, step in seen if name == "imitate"] == [1, 2, 3, 4, 5, 6]
    assert [step for name, step in seen if name == "soft"] == [7, 8, 9, 10, 11, 12]
    assert [report.scored for report in reports] == [False, False, True, True]
    assert [set(report.metrics) & {"train/imitate", "train/hard"} for report in reports] == [
        {"train/imitate"},
        {"train/imitate"},
        {"train/hard"},
        {"train/hard"},
    ]


@pytest.mark.parametrize(("completed", "index"), [(1, 0), (30, 0), (31, 1), (100, 1)])
@pytest.mark.parametrize("until", [0.3, 0.1 + 0.2])
def test_a_step_belongs_to_the_stage_it_completes(until: float, completed: int, index: int) -> None:
    recipe = two_stages(until=until)
    [stage] = [span.stage for span in plan_stages(recipe, 100) if span.start < completed <= span.end]
    assert stage is recipe.stages[index]


def test_needs_are_the_union_of_the_terms() -> None:
    recipe = two_stages()
    assert recipe.stages[0].teacher_needs() == {Need("hidden", 4)}
    assert recipe.stages[1].teacher_needs() == {LOGITS}
    assert recipe.teacher_needs() == {LOGITS, Need("hidden", 4)}
    doubled = Stage(terms=(*recipe.stages[0].terms, *recipe.stages[1].terms))
    assert doubled.teacher_needs() == recipe.teacher_needs()


def test_a_term_of_weight_zero_is_neither_computed_nor_asked_about(classes: Setting, tmp_path: Path) -> None:
    def never(step: Step) -> Tensor:
        raise AssertionError("computed")

    idle = Term("idle", 0.0, never, student=hidden((99,)), teacher=hidden((99,)))
    stage = Stage(terms=(hard_term(1.0, regression=False), idle))
    assert stage.teacher_needs() == frozenset()
    [*_, report] = classes.run(Recipe(stages=(stage,)), tmp_path, classes.student())
    assert "train/idle" not in report.metrics
    assert "train/hard" in report.metrics


def test_a_network_of_which_nothing_is_needed_is_not_run(classes: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = classes.teacher()
    monkeypatch.setattr(teacher, "forward", None)
    assert live_teacher(teacher).answer(classes.split("dev").batch([0]), frozenset()).answers == {}


def test_what_is_observed_is_what_was_asked(classes: Setting) -> None:
    batch, model = classes.split("dev").batch([0, 1, 2]), classes.teacher()
    seen = observe(model, batch, frozenset({LOGITS}) | hidden((0, 4)))
    assert set(seen.answers) == {LOGITS, Need("hidden", 0), Need("hidden", 4)}
    every = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, output_hidden_states=True)
    assert torch.equal(seen.logits, every.logits)
    assert torch.equal(seen.hidden((4, 0)), torch.stack([every.hidden_states[4], every.hidden_states[0]]))
    assert seen.hidden((4, 0)) is seen.hidden((4, 0))  # stacked once for all terms


def test_what_was_not_declared_cannot_be_seen(classes: Setting, tmp_path: Path) -> None:
    teacher_layer = Term("x", 1.0, lambda step: step.teacher.hidden((1,)).sum(), student=SEE_LOGITS)
    with pytest.raises(KeyError, match="layer=1"):
        classes.run(one(teacher_layer), tmp_path, classes.student())
    own_layer = Term("x", 1.0, lambda step: step.student.hidden((2,)).sum(), student=hidden((1,)))
    with pytest.raises(KeyError, match="layer=2"):
        classes.run(one(own_layer), tmp_path, classes.student())
    with pytest.raises(KeyError, match="logits"):
        _ = Seen({}).logits


def test_extras_train_with_the_student(classes: Setting) -> None:
    torch.manual_seed(0)
    objective = classes.objective(two_stages())
    assert {"extras.project.weight", "extras.project.bias"} <= dict(objective.named_parameters()).keys()
    batch = classes.split("train").batch(range(8))
    told = live_teacher(classes.teacher()).answer(batch, two_stages().teacher_needs())
    loss, terms = objective(batch, told, two_stages().stages[0], 0.1)
    loss.backward()
    gradient = objective.extras["project"].get_parameter("weight").grad
    assert gradient is not None
    assert float(gradient.abs().max()) > 0
    assert not terms["imitate"].requires_grad


def test_extras_change_in_a_run_and_are_saved(classes: Setting, tmp_path: Path) -> None:
    made: list[torch.nn.Module] = []
    starts: list[dict[str, Tensor]] = []
    recipe = two_stages()

    def make(scene: Scene) -> torch.nn.Module:
        made.append(recipe.extras["project"](scene))
        starts.append(weights(made[-1]))
        return made[-1]

    classes.run(replace(recipe, extras={"project": make}), tmp_path, classes.student(), checkpoint_every=0.0)
    assert len(made) == 1
    assert not same(weights(made[0]), starts[0])


@pytest.mark.parametrize("asked", [True, False])
def test_a_live_teacher_is_there_frozen_where_asked_for(classes: Setting, tmp_path: Path, asked: bool) -> None:
    given: list[Live | None] = []
    modes: list[tuple[bool, bool]] = []

    def loss(step: Step) -> Tensor:
        given.append(step.live)
        if step.live is not None:
            modes.append((step.live.teacher.training, step.live.student.training))
            told = step.live.observe(step.live.teacher, step.batch, SEE_LOGITS).logits
            assert not told.requires_grad
        return step.student.logits.square().mean()

    teacher, student = classes.teacher(), classes.student()
    before = weights(teacher)
    recipe = replace(one(Term("x", 1.0, loss, student=SEE_LOGITS)), live=asked)
    classes.run(recipe, tmp_path, student, teacher=teacher)
    if asked:
        assert all(live is not None and live.teacher is teacher for live in given)
        assert all(live is not None and live.student is student for live in given)
        assert set(modes) == {(False, True)}
    else:
        assert given == [None] * 12
    assert same(weights(teacher), before)
    assert all(weight.grad is None for weight in teacher.parameters())
    assert asked is not any(weight.requires_grad for weight in teacher.parameters())  # else it was not even looked at


def test_the_teacher_is_no_part_of_the_objective(classes: Setting) -> None:
    teacher, student = classes.teacher(), classes.student()
    recipe = replace(one(hard_term(1.0, regression=False)), live=True)
    objective = classes.objective(recipe, student, teacher.eval().requires_grad_(False))
    assert {name.split(".")[0] for name in objective.state_dict()} == {"student"}
    assert sum(p.numel() for p in objective.parameters()) == sum(p.numel() for p in student.parameters())
    assert not teacher.training


def test_weights_weigh(classes: Setting) -> None:
    def constant(name: str, weight: float, value: float) -> Term:
        return Term(name, weight, lambda step: step.student.logits.sum() * 0 + value, student=SEE_LOGITS)

    stage = Stage(terms=(constant("a", 2.0, 3.0), constant("b", 0.5, 4.0), constant("c", 0.0, math.nan)))
    objective = classes.objective(Recipe(stages=(stage,)))
    total, values = objective(classes.split("train").batch([0]), Seen({}), stage, 1.0)
    assert total.item() == 8.0
    assert {name: float(value) for name, value in values.items()} == {"a": 3.0, "b": 4.0}


def test_the_plain_method_needs_no_teacher(classes: Setting, tmp_path: Path) -> None:
    ends = []
    for teacher in (None, classes.teacher()):
        student = classes.student()
        folder = tmp_path / str(teacher is None)
        classes.run(classes.recipe("none"), folder, student, teacher=teacher, training=TRAINING)
        ends.append(weights(student))
    assert same(*ends)
