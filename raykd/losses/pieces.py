"""Work on many sets at once, a piece at a time: what a piece needs stays in the cache, and nothing larger is held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# So many numbers lie in the cache that cores share (4 MiB of float32). Smaller pieces are no faster on one thread, and
# threads that wait for one another after each of many short operations lose what they gain. Elsewhere it is launches
# that cost: 64 MiB.
_OF_A_CPU = 2**20
_OF_AN_ACCELERATOR = 2**24

# The sum over the sets of a slice and, where it is wanted, the gradient for the student's relations of these sets.
Evaluate = Callable[[slice, bool], tuple[Tensor, Tensor | None]]


def numbers_at_once(device: torch.device) -> int:
    """How many numbers a tensor of a piece should have."""
    return _OF_A_CPU if device.type == "cpu" else _OF_AN_ACCELERATOR


def pieces(number: int, each: int, device: torch.device) -> Iterator[slice]:
    """Slices of ``number`` things with ``each`` so many numbers: at least one thing a slice."""
    at_once = max(1, numbers_at_once(device) // max(1, each))
    return (slice(start, start + at_once) for start in range(0, number, at_once))


def summed(student: Tensor, each: int, evaluate: Evaluate) -> Tensor:
    """The scalar that ``evaluate`` adds up over pieces of ``student`` [M, ...] relations; ``each``: numbers of a set.

    The gradient of a sum is known as soon as the sum is: it is computed beside it, and scaled in the backward pass.
    Nothing is held in between but this one tensor of the student's shape.
    """
    wanted = torch.is_grad_enabled() and student.requires_grad
    with torch.no_grad():
        gradient = torch.empty_like(student) if wanted else None
        parts = [student.new_zeros(())]
        for some in pieces(len(student), each, student.device):
            part, slope = evaluate(some, wanted)
            parts.append(part)
            if gradient is not None and slope is not None:
                gradient[some] = slope
        total = torch.stack(parts).sum()
    return total if gradient is None else _WithGradient.apply(student, total, gradient)


class _WithGradient(torch.autograd.Function):
    """A scalar that was computed already, and its gradient for ``relations``."""

    @staticmethod
    def forward(ctx: Any, relations: Tensor, total: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return total.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer, None, None
