"""Input that breaks careless arithmetic: equal tokens, zero vectors, hardly any tokens; float32 and bfloat16."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from .relations import RELATIONS, tensors, value_and_gradient

Given = tuple[Tensor, Tensor, Tensor]


def far(given: Given, offset: float = 1000.0) -> Given:
    student, teacher, mask = given
    return student.detach() + offset, teacher + offset, mask


def equal(given: Given, times: float, whose: str) -> Given:
    """All tokens of all layers are one vector."""
    student, teacher, mask = given
    student = student.detach()
    if "s" in whose:
        student = times * student[:1, :, :1].expand_as(student).clone()
    if "t" in whose:
        teacher = times * teacher[:1, :, :1].expand_as(teacher).clone()
    return student, teacher, mask


def adversarial(dtype: torch.dtype) -> dict[str, Given]:
    given = tensors(dtype=dtype, widths=(33, 48))
    twins = far(given)
    twins[0][:, :, 1] = twins[0][:, :, 0]
    twins[0][1] = twins[0][0]
    return {
        "equal": equal(given, 1.0, "st"),
        "equal student": equal(given, 30.0, "s"),
        "equal teacher": equal(given, 1.0, "t"),
        "zero": equal(given, 0.0, "st"),
        "zero student": equal(given, 0.0, "s"),
        "zero teacher": equal(given, 0.0, "t"),
        "twins far away": twins,
        "tiny": (1e-15 * given[0].detach(), 1e-15 * given[1], given[2]),
        "large": (1e4 * given[0].detach(), 1e4 * given[1], given[2]),
        "one token": tensors(lengths=(1,), padded=1, dtype=dtype),
        "two tokens": tensors(lengths=(2, 1), padded=2, dtype=dtype),
        "one layer": tensors(layers=1, dtype=dtype),
        "two layers": tensors(layers=2, dtype=dtype),
        "all padding but one": tensors(lengths=(1, 1), padded=5, dtype=dtype),
        "no token at all": tensors(lengths=(0,), padded=4, dtype=dtype),
    }


@pytest.mark.parametrize("name", RELATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_value_and_gradient_are_finite(name: str, dtype: torch.dtype) -> None:
    ours, _ = RELATIONS[name]
    for kind, (student, teacher, mask) in adversarial(dtype).items():
        student = student.detach().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            value = ours(student, teacher, mask)
        (gradient,) = torch.autograd.grad(value, student)
        assert torch.isfinite(value), kind
        assert torch.isfinite(gradient).all(), kind
        assert value >= 0, kind


@pytest.mark.parametrize("offset", [0.0, 3.0, 1000.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_vectors_have_no_angle(dtype: torch.dtype, offset: float) -> None:
    # Student tokens 1 and 3 are equal: every cosine at one with the other for a corner is 0, not 1 and not noise.
    ours, loops = RELATIONS["word_angle full l1"]
    student, teacher, mask = far(tensors(dtype=dtype, lengths=(6,), widths=(40, 40)), offset)
    student[:, :, 3] = student[:, :, 1]
    value, gradient = value_and_gradient(ours, student, teacher, mask)
    expected, expected_gradient = value_and_gradient(loops, student.double(), teacher.double(), mask)
    precise = dtype == torch.float64
    torch.testing.assert_close(value.double(), expected, rtol=1e-9 if precise else 1e-4, atol=0)
    worst = (gradient.double() - expected_gradient).abs().max() / expected_gradient.abs().max()
    assert worst < (1e-8 if precise else 1e-3)


@pytest.mark.parametrize("name", RELATIONS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_autocast_changes_nothing(name: str, dtype: torch.dtype) -> None:
    # The arithmetic is float32 under autocast too, whether the network hands over bfloat16 or float32 states.
    ours, _ = RELATIONS[name]
    student, teacher, mask = tensors(dtype=dtype)
    expected, expected_gradient = value_and_gradient(ours, student.float(), teacher.float(), mask)
    student = student.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        value = ours(student, teacher, mask)
    (gradient,) = torch.autograd.grad(value, student)
    assert value.dtype == torch.float32
    assert gradient.dtype == dtype
    assert value == expected
    torch.testing.assert_close(gradient.float(), expected_gradient.to(dtype).float())


@pytest.mark.parametrize("name", RELATIONS)
def test_no_gradient_reaches_the_teacher(name: str) -> None:
    ours, _ = RELATIONS[name]
    student, teacher, mask = tensors()
    teacher.requires_grad_()
    ours(student, teacher, mask).backward()
    assert teacher.grad is None


def test_padding_of_nan_is_not_read() -> None:
    for name in ("word_pair_kl", "word_angle full l2", "word_angle valid 1 l2", "layer_angle l2"):
        ours, _ = RELATIONS[name]
        student, teacher, mask = tensors()
        expected, expected_gradient = value_and_gradient(ours, student, teacher, mask)
        student, teacher = (
            states.detach().masked_fill(~mask.bool().unsqueeze(-1), torch.nan) for states in (student, teacher)
        )
        value, gradient = value_and_gradient(ours, student, teacher, mask)
        assert value == expected
        assert torch.equal(gradient, expected_gradient)
