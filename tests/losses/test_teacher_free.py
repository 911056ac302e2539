"""Label smoothing in both meanings, the virtual teacher and self-distillation: loops, hand cases, missing labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from raykd.losses.logits import kl_divergence
from raykd.losses.teacher_free import label_smoothing, self_distillation, virtual_targets, virtual_teacher

LABELS = torch.tensor([2, 0, 3, 1, 1])


def random_logits(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=dtype).requires_grad_()


def log_probabilities(row: Tensor) -> list[Tensor]:
    normaliser = torch.stack([value.exp() for value in row]).sum().log()
    return [value - normaliser for value in row]


def smoothing_loop(logits: Tensor, labels: Tensor, smoothing: float, onto: str) -> Tensor:
    total = torch.zeros((), dtype=logits.dtype)
    classes = logits.shape[-1]
    for row, label in zip(logits, labels.tolist(), strict=True):
        for c, log_q in enumerate(log_probabilities(row)):
            if onto == "every":
                target = smoothing / classes + (1 - smoothing if c == label else 0)
            else:
                target = 1 - smoothing if c == label else smoothing / (classes - 1)
            total = total - target * log_q
    return total / len(labels)


def virtual_loop(logits: Tensor, labels: Tensor, probability: float, temperature: float, multiplier: float) -> Tensor:
    total = torch.zeros((), dtype=logits.dtype)
    classes = logits.shape[-1]
    for row, label in zip(logits, labels.tolist(), strict=True):
        u = [probability if c == label else (1 - probability) / (classes - 1) for c in range(classes)]
        normaliser = sum(math.exp(value / temperature) for value in u)
        for value, log_q in zip(u, log_probabilities(row), strict=True):
            target = math.exp(value / temperature) / normaliser
            total = total + target * (math.log(target) - log_q)
    return multiplier * total / logits.numel()


Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES: dict[str, tuple[Loss, Loss]] = {
    "every .1": (
        partial(label_smoothing, smoothing=0.1, onto="every"),
        partial(smoothing_loop, smoothing=0.1, onto="every"),
    ),
    "others .3": (
        partial(label_smoothing, smoothing=0.3, onto="others"),
        partial(smoothing_loop, smoothing=0.3, onto="others"),
    ),
    "none": (
        partial(label_smoothing, smoothing=0.0, onto="every"),
        partial(smoothing_loop, smoothing=0.0, onto="others"),
    ),
    "virtual": (
        partial(virtual_teacher, correct_probability=0.9, temperature=2.0, multiplier=7.0),
        partial(virtual_loop, probability=0.9, temperature=2.0, multiplier=7.0),
    ),
    "virtual defaults": (
        virtual_teacher,
        partial(virtual_loop, probability=0.99, temperature=20.0, multiplier=1.0),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_equals_plain_loops(name: str) -> None:
    ours, loop = LOSSES[name]
    logits, again = random_logits(), random_logits()
    value, expected = ours(logits, LABELS.to(torch.int16)), loop(again, LABELS)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, logits), torch.autograd.grad(expected, again))


@pytest.mark.parametrize("name", LOSSES)
def test_rows_without_a_label_are_left_out(name: str) -> None:
    ours, _ = LOSSES[name]
    logits, labels = random_logits().detach(), LABELS.clone()
    labels[[1, 3]] = -100
    logits[3] = torch.nan
    logits.requires_grad_()
    value = ours(logits, labels)
    torch.testing.assert_close(value, ours(logits[[0, 2, 4]], LABELS[[0, 2, 4]]))
    (gradient,) = torch.autograd.grad(value, logits)
    assert torch.isfinite(gradient).all()
    assert not gradient[[1, 3]].any()
    # The same rows as tokens of one sentence.
    torch.testing.assert_close(ours(logits.unsqueeze(0), labels.unsqueeze(0)), value)


@pytest.mark.parametrize("name", LOSSES)
def test_no_label_at_all_is_zero_with_a_graph(name: str) -> None:
    logits = random_logits()
    value = LOSSES[name][0](logits, torch.full_like(LABELS, -100))
    assert value == 0
    assert not torch.autograd.grad(value, logits)[0].any()


def test_smoothing_by_hand() -> None:
    logits = random_logits()
    torch.testing.assert_close(
        label_smoothing(logits, LABELS, 0.2, onto="every"), F.cross_entropy(logits, LABELS, label_smoothing=0.2)
    )
    # All mass on the other of two classes: cross-entropy with the labels exchanged.
    two = logits[:, :2]
    labels = torch.tensor([0, 1, 1, 0, 1])
    torch.testing.assert_close(label_smoothing(two, labels, 1.0, onto="others"), F.cross_entropy(two, 1 - labels))
    # Equal logits: log C, whatever the targets are.
    assert label_smoothing(torch.zeros(5, 4), LABELS, 0.3, onto="others").item() == pytest.approx(math.log(4))


def test_virtual_targets_by_hand() -> None:
    ratio = math.exp((0.9 - 0.05) / 2.0)
    expected = torch.tensor([[1.0, 1.0, ratio], [ratio, 1.0, 1.0]]) / (2 + ratio)
    targets = virtual_targets(torch.tensor([2, 0]), 3, correct_probability=0.9, temperature=2.0)
    torch.testing.assert_close(targets, expected)
    fitting = targets.log() + torch.tensor([[3.0], [-1.0]])
    value = virtual_teacher(fitting, torch.tensor([2, 0]), correct_probability=0.9, temperature=2.0, multiplier=100.0)
    assert value.item() == pytest.approx(0, abs=1e-4)


def test_self_distillation() -> None:
    student, teacher = random_logits(), random_logits().detach().flip(0)
    value = self_distillation(student, teacher, 3.0, multiplier=10.0)
    torch.testing.assert_close(value, 10 * kl_divergence(student, teacher, 3.0) / 4)


def test_refusals() -> None:
    logits = random_logits()
    for smoothing in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="smoothing"):
            label_smoothing(logits, LABELS, smoothing, onto="every")
    with pytest.raises(ValueError, match="'every' and 'others'"):
        label_smoothing(logits, LABELS, 0.1, onto="all")  # type: ignore[arg-type]
    for loss in (partial(label_smoothing, smoothing=0.1, onto="others"), virtual_teacher):
        with pytest.raises(ValueError, match="2 classes or more"):
            loss(logits[:, :1], 0 * LABELS)
        with pytest.raises(ValueError, match="one label a row"):
            loss(logits, LABELS[:3])
    with pytest.raises(ValueError, match="correct_probability"):
        virtual_teacher(logits, LABELS, correct_probability=1.1)
    with pytest.raises(ValueError, match="temperature"):
        virtual_teacher(logits, LABELS, temperature=0.0)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("times", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_value_and_gradient_are_finite(name: str, times: float, batch: int, dtype: torch.dtype) -> None:
    logits = (times * random_logits().detach()[:batch]).to(dtype).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        value = LOSSES[name][0](logits, LABELS[:batch])
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    assert torch.isfinite(torch.autograd.grad(value, logits)[0]).all()
    assert value == LOSSES[name][0](logits.float(), LABELS[:batch])
