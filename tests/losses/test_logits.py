"""The losses on predictions: plain loops, hand-computed cases, shapes that would broadcast."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from raykd import losses

STUDENT = torch.tensor([[0.3, -1.2, 2.0], [1.5, 0.1, -0.4]], dtype=torch.float64)
TEACHER = torch.tensor([[1.1, 0.2, -0.7], [0.9, -2.0, 0.5]], dtype=torch.float64)
LABELS = torch.tensor([2, 0])


def probabilities(row: Tensor, temperature: float) -> list[Tensor]:
    exponentials = [(value / temperature).exp() for value in row]
    return [value / sum(exponentials) for value in exponentials]


def loop(student: Tensor, teacher: Tensor, temperature: float, *, soft: bool, scale: float) -> Tensor:
    """-sum p ln q (``soft``) or sum p ln(p / q), times ``scale``."""
    total = torch.zeros((), dtype=student.dtype)
    for row, teacher_row in zip(student, teacher, strict=True):
        q, p = probabilities(row, temperature), probabilities(teacher_row, temperature)
        for a, b in zip(p, q, strict=True):
            total = total + (-a * b.log() if soft else a * (a / b).log())
    return scale * total


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize(
    ("ours", "soft", "scale"),
    [
        (losses.soft_cross_entropy, True, lambda t: 1 / 2),
        (lambda *given: losses.soft_cross_entropy(*given, reduction="elementmean"), True, lambda t: 1 / 6),
        (losses.kl_divergence, False, lambda t: t**2 / 2),
        (lambda *given: losses.kl_divergence(*given, reduction="elementmean"), False, lambda t: t**2 / 6),
    ],
)
def test_equals_plain_loops(
    ours: Callable[..., Tensor], soft: bool, scale: Callable[[float], float], temperature: float
) -> None:
    student, again = STUDENT.clone().requires_grad_(), STUDENT.clone().requires_grad_()
    value = ours(student, TEACHER, temperature)
    expected = loop(again, TEACHER, temperature, soft=soft, scale=scale(temperature))
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, student), torch.autograd.grad(expected, again))


def test_logits_mse_by_hand() -> None:
    value = losses.logits_mse(torch.tensor([[1.0], [4.0]]), torch.tensor([[3.0], [4.0]]), 2.0)
    assert value.item() == pytest.approx((1.0 + 0.0) / 2)
    with pytest.raises(ValueError, match="student logits"):
        losses.logits_mse(torch.zeros(4, 1), torch.zeros(4))


def test_hard_cross_entropy_by_hand() -> None:
    expected = -sum(probabilities(row, 1.0)[label].log().item() for row, label in zip(STUDENT, LABELS, strict=True)) / 2
    assert losses.hard_cross_entropy(STUDENT, LABELS.to(torch.int16)).item() == pytest.approx(expected)
    uniform = losses.hard_cross_entropy(torch.zeros(5, 4), torch.tensor([0, 1, 2, 3, 0]))
    assert uniform.item() == pytest.approx(math.log(4))


@pytest.mark.parametrize("predictions", [(3, 1), (3,)])
@pytest.mark.parametrize("labels", [(3, 1), (3,)])
def test_regression_compares_sample_by_sample(predictions: tuple[int, ...], labels: tuple[int, ...]) -> None:
    # Broadcast to [3, 3] the mean would be 4/3, and the best prediction the mean label.
    values = torch.tensor([1.0, 2.0, 3.0])
    assert losses.regression_mse(values.reshape(predictions), values.reshape(labels)) == 0


@pytest.mark.parametrize(("predictions", "labels"), [((3, 2), (6,)), ((3, 1), (2,)), ((1, 3), (3,))])
def test_regression_refuses_other_shapes(predictions: tuple[int, ...], labels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one number a sample"):
        losses.regression_mse(torch.zeros(predictions), torch.zeros(labels))


def test_kl_vanishes_for_equal_logits_up_to_a_constant() -> None:
    assert losses.kl_divergence(TEACHER + 5, TEACHER, 3.0).item() == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("loss", [losses.kl_divergence, losses.soft_cross_entropy])
def test_another_reduction_is_refused(loss: Callable[..., Tensor]) -> None:
    with pytest.raises(ValueError, match="reduction 'sum': allowed are 'batchmean' and 'elementmean'"):
        loss(STUDENT, TEACHER, reduction="sum")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_rows_without_a_class_label_do_not_count(dtype: torch.dtype) -> None:
    student = torch.cat([STUDENT, 9 * STUDENT]).to(dtype).requires_grad_()
    value = losses.hard_cross_entropy(student, torch.tensor([-100, 2, 0, -100], dtype=torch.int16))
    expected = losses.hard_cross_entropy(student[1:3], torch.tensor([2, 0]))
    torch.testing.assert_close(value, expected)
    (gradient,), (expected_gradient,) = torch.autograd.grad(value, student), torch.autograd.grad(expected, student)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_rows_without_a_real_label_do_not_count(dtype: torch.dtype) -> None:
    student = torch.tensor([[1.0], [5.0], [-2.0]], dtype=dtype, requires_grad=True)
    value = losses.regression_mse(student, torch.tensor([3.0, torch.nan, 1.0]))
    assert value.item() == pytest.approx((4 + 9) / 2)
    (gradient,) = torch.autograd.grad(value, student)
    assert gradient.flatten().tolist() == [-2, 0, -3]
    assert losses.regression_mse(student, torch.tensor([3, 5, 1])).item() == pytest.approx((4 + 9) / 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_label_at_all_is_zero_with_a_graph(dtype: torch.dtype) -> None:
    for loss, width, label in ((losses.hard_cross_entropy, 3, -100), (losses.regression_mse, 1, math.nan)):
        for rows in (0, 1, 4):
            student = torch.ones(rows, width, dtype=dtype, requires_grad=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                value = loss(student, torch.full((rows,), label))
            (gradient,) = torch.autograd.grad(value, student)
            assert value == 0
            assert (gradient == 0).all()


def test_computed_in_float32_at_least() -> None:
    for loss in (losses.soft_cross_entropy, losses.kl_divergence, losses.logits_mse):
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(STUDENT.bfloat16(), TEACHER.bfloat16(), 2.0)
        assert value.dtype == torch.float32
        assert value == loss(STUDENT.bfloat16().float(), TEACHER.bfloat16().float(), 2.0)
