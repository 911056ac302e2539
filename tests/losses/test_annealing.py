"""Annealing-KD: both schedules, where they agree, and the phase-one loss."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

from raykd.losses.annealing import annealed_mse, annealed_scale, annealing_temperature


def published(epochs: int, tau_max: int) -> list[int]:
    """The training script's loop: at the start of an epoch other than the first."""
    temperatures, temperature = [], 1
    for epoch in range(epochs):
        if epoch > 0 and epoch % int(epochs / tau_max) == 0:
            temperature += 1
        temperatures.append(temperature)
    return temperatures


@pytest.mark.parametrize("epochs", range(1, 41))
def test_the_published_schedule(epochs: int) -> None:
    for tau_max in range(1, epochs + 1):
        expected = published(epochs, tau_max)
        ours = [annealing_temperature(epoch, epochs, tau_max, clamp=False) for epoch in range(epochs)]
        assert ours == expected
        clamped = [annealing_temperature(epoch, epochs, tau_max) for epoch in range(epochs)]
        assert clamped == [min(temperature, tau_max) for temperature in expected]
        assert clamped[-1] == tau_max


def test_the_published_overrun() -> None:
    assert annealing_temperature(29, 30, 14, clamp=False) == 15
    assert annealing_temperature(29, 30, 14) == 14


@pytest.mark.parametrize("tau_max", [1, 2, 3, 7, 10, 14, 49])
@pytest.mark.parametrize("steps_each", [1, 3, 10, 997])
def test_by_progress_it_is_the_same_schedule(tau_max: int, steps_each: int) -> None:
    steps = tau_max * steps_each
    for k in range(steps):
        expected = annealing_temperature(k, steps, tau_max) / tau_max
        assert annealed_scale((k + 1) / steps, tau_max) == expected
        # Phase one is 7/10 of the run, and its progress computed from that of the run.
        assert annealed_scale((k + 1) * 0.7 / steps / 0.7, tau_max) == expected


@pytest.mark.parametrize(("steps", "tau_max"), [(10, 3), (3, 7), (1000, 14), (1, 5)])
def test_uneven_steps_are_shared_out_and_end_at_the_teacher(steps: int, tau_max: int) -> None:
    scales = [annealed_scale((k + 1) / steps, tau_max) for k in range(steps)]
    assert scales == [math.ceil(Fraction(k + 1, steps) * tau_max) / tau_max for k in range(steps)]
    assert scales[-1] == 1
    assert annealed_scale(1e-12, tau_max) == 1 / tau_max


def test_refusals() -> None:
    for epoch in (-1, 10):
        with pytest.raises(ValueError, match="0 to 9"):
            annealing_temperature(epoch, 10, 5)
    for tau_max in (0, 11):
        with pytest.raises(ValueError, match="at most the epochs"):
            annealing_temperature(0, 10, tau_max)
    for progress in (0.0, -0.5, 1.01, math.nan):
        with pytest.raises(ValueError, match="above 0, and at most 1"):
            annealed_scale(progress, 5)
    with pytest.raises(ValueError, match="tau_max 0"):
        annealed_scale(0.5, 0)
    with pytest.raises(ValueError, match="'batchmean' and 'elementmean'"):
        annealed_mse(torch.zeros(2, 3), torch.zeros(2, 3), 1.0, reduction="sum")  # type: ignore[arg-type]
    for shapes in (((4, 1), (4,)), ((4,), (4, 1)), ((4, 3), (1, 3))):
        with pytest.raises(ValueError, match="student logits"):
            annealed_mse(torch.zeros(shapes[0]), torch.zeros(shapes[1]), 1.0)


@pytest.mark.parametrize("scale", [1 / 7, 1.0, 15 / 14])
def test_mse_equals_plain_loops(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(4, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    student.requires_grad_()
    total = torch.zeros((), dtype=torch.float64)
    for b in range(4):
        for c in range(3):
            total = total + (student[b, c] - scale * teacher[b, c]) ** 2
    for value, expected in (
        (annealed_mse(student, teacher, scale), total / 12),
        (annealed_mse(student, teacher, scale, reduction="batchmean"), total / 4),
    ):
        torch.testing.assert_close(value, expected)
        ours = torch.autograd.grad(value, student, retain_graph=True)
        torch.testing.assert_close(ours, torch.autograd.grad(expected, student, retain_graph=True))


def test_mse_by_hand() -> None:
    student, teacher = torch.tensor([[1.0], [4.0]]), torch.tensor([[2.0], [4.0]])
    assert annealed_mse(student, teacher, 0.5).item() == pytest.approx((0.0 + 4.0) / 2)
    assert annealed_mse(student[:, 0], teacher[:, 0], 0.5, reduction="batchmean").item() == pytest.approx(2)


@pytest.mark.parametrize("times", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_value_and_gradient_are_finite(times: float, batch: int, dtype: torch.dtype) -> None:
    teacher = torch.tensor([[0.5, -2.0], [1.0, 3.0], [0.1, 0.2]])[:batch].to(dtype).requires_grad_()
    student = (times * teacher.detach()).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        value = annealed_mse(student, teacher, 0.3)
    value.backward()
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()
    assert teacher.grad is None
    assert value == annealed_mse(student.float(), teacher.float(), 0.3)
