"""A loss of one student tensor: against plain loops, and on input that breaks careless arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Loss = Callable[[Tensor], Tensor]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def value_and_gradient(loss: Loss, student: Tensor) -> tuple[Tensor, Tensor]:
    leaf = student.detach().clone().requires_grad_()
    value = loss(leaf)
    assert value.shape == ()
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def assert_equal_losses(ours: Loss, loops: Loss, student: Tensor) -> None:
    """Equal values and gradients, neither of them 0."""
    value, gradient = value_and_gradient(ours, student)
    expected, expected_gradient = value_and_gradient(loops, student)
    assert expected != 0
    assert expected_gradient.any()
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-13)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-8, atol=1e-11)


def assert_finite(loss: Callable[..., Tensor], student: Tensor, *others: Any) -> Tensor:
    """The value of loss(student, *others). A bfloat16 student is run under autocast."""
    leaf = student.detach().clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=student.dtype == torch.bfloat16):
        value = loss(leaf, *others)
    assert value.dtype == torch.float32
    (gradient,) = torch.autograd.grad(value, leaf)
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()
    assert gradient.dtype == student.dtype
    if student.dtype == torch.bfloat16:  # autocast changes nothing
        assert torch.equal(value, loss(student.float(), *others))
    return value


def awkward_batches(dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor]]:
    """Student [B, 12] and teacher [B, 12], one vector a sample."""
    student, teacher = (normal(6, 12, seed=seed).to(dtype) for seed in (1, 2))
    twins = student.clone()
    twins[1] = twins[0]
    some_zero = student.clone()
    some_zero[2] = 0
    return {
        "ordinary": (student, teacher),
        "equal samples": (student[:1].expand(6, -1), teacher[:1].expand(6, -1)),
        "equal student": (student[:1].expand(6, -1), teacher),
        "equal teacher": (student, teacher[:1].expand(6, -1)),
        "twins": (twins, teacher),
        "twins far away": (twins + 1000, teacher + 1000),
        "all zero": (torch.zeros_like(student), torch.zeros_like(teacher)),
        "zero student": (torch.zeros_like(student), teacher),
        "zero teacher": (student, torch.zeros_like(teacher)),
        "one zero vector": (some_zero, teacher),
        "tiny": (1e-15 * student, 1e-15 * teacher),
        "large": (1e3 * student, 1e3 * teacher),
        "student is the teacher": (teacher, teacher),
        "two samples": (student[:2], teacher[:2]),
        "one sample": (student[:1], teacher[:1]),
    }
