"""The loop: it learns, reports at equal fractions, and its options do what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from raykd.methods.recipe import Recipe, Stage, Term
from tests.train.setting import TRAINING, Setting, furthest, same, weights
from tests.train.toys import SEE_LOGITS, two_stages

# (method, parameters): one setting each of what a sweep may draw
DRAWS = [
    ("none", {}),
    ("kd", {"alpha": 0.7}),
    ("ckd", {"variant": "paper", "alpha": 0.7}),
    ("ckd", {"variant": "code", "word_angle": 1.0, "layer_angle": 1.0}),
]


@pytest.mark.parametrize(("method", "parameters"), DRAWS)
def test_it_learns_classes_and_numbers(
    either: Setting, tmp_path: Path, method: str, parameters: dict[str, object]
) -> None:
    training = TRAINING.model_copy(update={"epochs": 5.0, "learning_rate": 3e-3})
    reports = either.run(either.recipe(method, **parameters), tmp_path, either.student(), training=training)
    assert reports[-1].metrics["train/loss"] < 0.9 * reports[0].metrics["train/loss"]
    assert reports[-1].score > (0.6 if either.task.regression else 0.8)  # chance is 0 and 0.5
    assert reports[-1].score == reports[-1].metrics[f"dev/{either.task.primary}"]


@pytest.mark.parametrize("method", ["kd", "ckd"])
def test_a_real_number_takes_squared_errors(numbers: Setting, tmp_path: Path, method: str) -> None:
    # One step over all rows: what is reported is the loss of the student as it was made.
    training = TRAINING.model_copy(update={"batch_size": 96, "epochs": 1.0, "evaluations": 1})
    student, teacher, split = numbers.student(dropout=0.0), numbers.teacher(), numbers.split("train")
    batch = split.batch(range(len(split)))
    with torch.no_grad():
        inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        answer, told = student(**inputs).logits[:, 0], teacher(**inputs).logits[:, 0]
    [report] = numbers.run(numbers.recipe(method), tmp_path, student, training=training)
    assert report.metrics["train/hard"] == pytest.approx(float((answer - batch.labels).square().mean()), rel=1e-5)
    assert report.metrics["train/soft"] == pytest.approx(float((answer - told).square().mean()), rel=1e-5)


def test_evaluations_lie_at_equal_fractions(classes: Setting, tmp_path: Path) -> None:
    reports = classes.run(classes.recipe("kd"), tmp_path, classes.student())
    assert [report.progress for report in reports] == [0.25, 0.5, 0.75, 1.0]  # 12 steps
    assert [report.step for report in reports] == [3, 6, 9, 12]
    assert [report.evaluation for report in reports] == [1, 2, 3, 4]
    seconds = [report.seconds for report in reports]
    assert seconds == sorted(seconds)
    assert all(report.scored and report.first_step < report.at for report in reports)


def test_a_run_shorter_than_its_evaluations_has_fewer(classes: Setting, tmp_path: Path) -> None:
    training = TRAINING.model_copy(update={"epochs": 0.5, "evaluations": 8})  # 3 of 6 steps
    reports = classes.run(classes.recipe("none"), tmp_path, classes.student(), training=training)
    assert [(report.evaluation, report.step) for report in reports] == [(1, 1), (2, 2), (3, 3)]
    assert reports[-1].progress == 1.0


@pytest.mark.parametrize(("epochs", "steps"), [(1.1, 11), (0.001, 1), (0.3, 3), (2.0, 20)])
def test_fractions_of_an_epoch_make_whole_steps(classes: Setting, tmp_path: Path, epochs: float, steps: int) -> None:
    training = TRAINING.model_copy(update={"epochs": epochs, "evaluations": 1, "batch_size": 10})  # 10 an epoch
    [report] = classes.run(classes.recipe("none"), tmp_path, classes.student(), training=training)
    assert report.step == steps


def test_accumulation_changes_memory_not_weights(classes: Setting, tmp_path: Path) -> None:
    whole, halves = classes.student(dropout=0.0), classes.student(dropout=0.0)
    training = TRAINING.model_copy(update={"epochs": 1.0, "learning_rate": 5e-4})
    one = classes.run(classes.recipe("kd"), tmp_path / "1", whole, training=training)
    split = training.model_copy(update={"accumulation": 3})  # 16 rows in pieces of 6, 5, 5
    three = classes.run(classes.recipe("kd"), tmp_path / "3", halves, training=split)
    assert furthest(weights(whole), weights(halves)) < 2e-5
    assert furthest(weights(whole), weights(classes.student())) > 1e-3
    for name in ("train/loss", "train/hard", "train/soft"):
        assert three[-1].metrics[name] == pytest.approx(one[-1].metrics[name], rel=1e-4)


def test_gradients_are_clipped(classes: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    norms: list[float] = []
    step = torch.optim.AdamW.step

    def watched(self: torch.optim.AdamW) -> None:
        gradients = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.stack([gradient.norm() for gradient in gradients]).norm()))
        step(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    training = TRAINING.model_copy(update={"max_grad_norm": 0.01, "epochs": 1.0})
    classes.run(classes.recipe("kd"), tmp_path, classes.student(), training=training)
    assert len(norms) == 6
    assert all(norm <= 0.01 * 1.001 for norm in norms)
    assert max(norms) > 0.0099


def test_a_report_can_stop_the_run(classes: Setting, tmp_path: Path) -> None:
    student = classes.student()
    reports = classes.run(
        classes.recipe("kd"), tmp_path, student, report=lambda done: done.evaluation < 2, checkpoint_every=0.0
    )
    assert [report.evaluation for report in reports] == [1, 2]
    before = weights(student)
    # What was stopped is not saved again: the newest checkpoint is that of the step before.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-00000004", "checkpoint-00000005"]
    assert not same(before, weights(classes.student()))


def test_short_runs_write_no_checkpoint(classes: Setting, tmp_path: Path) -> None:
    classes.run(classes.recipe("none"), tmp_path / "run", classes.student())
    assert not (tmp_path / "run").exists()


def test_terms_are_averaged_over_the_steps_that_had_them(classes: Setting, tmp_path: Path) -> None:
    def ones(name: str) -> Term:
        return Term(name, 1.0, lambda step: step.student.logits.sum() * 0 + 1, student=SEE_LOGITS)

    recipe = Recipe(stages=(Stage(terms=(ones("early"),), until=0.25), Stage(terms=(ones("late"),))))
    training = TRAINING.model_copy(update={"evaluations": 1})
    [report] = classes.run(recipe, tmp_path, classes.student(), training=training)
    means = {name: value for name, value in report.metrics.items() if name.startswith("train/")}
    assert means.pop("train/learning_rate") > 0
    assert means == {"train/early": 1.0, "train/late": 1.0, "train/loss": 1.0}


def test_the_loss_is_the_weighted_sum_of_the_terms(classes: Setting, tmp_path: Path) -> None:
    [*_, report] = classes.run(classes.recipe("kd", alpha=0.25), tmp_path, classes.student())
    expected = 0.75 * report.metrics["train/hard"] + 0.25 * report.metrics["train/soft"]
    assert report.metrics["train/loss"] == pytest.approx(expected, rel=1e-5)


def test_a_run_is_a_function_of_its_seed(classes: Setting, tmp_path: Path) -> None:
    ends = []
    for number, seed in enumerate((1, 1, 2)):
        student = classes.student()
        training = TRAINING.model_copy(update={"seed": seed})
        classes.run(two_stages(), tmp_path / str(number), student, training=training)
        torch.rand(3)  # whoever draws between two runs has no effect
        ends.append(weights(student))
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])
