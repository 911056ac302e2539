"""TKD's losses on hidden states: plain loops over nodes and tokens, invariances, input that breaks arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from raykd.losses.tree_loss import all_tokens, all_tokens_frobenius, patience, tree_distillation

from .naive import unit
from .relations import tensors, value_and_gradient

HEADS = 2


def counts(mask: Tensor, layers: int) -> Tensor:
    """How often each token of [K, B, H, L] is a node: 0 to 2 times, never padding."""
    drawn = torch.randint(0, 3, (layers, len(mask), HEADS, mask.shape[1]), generator=torch.Generator().manual_seed(2))
    return drawn * mask[:, None]


def tree(student: Tensor, teacher: Tensor, mask: Tensor, **how: str) -> Tensor:
    return tree_distillation(student, teacher, counts(mask, len(student)), **how)  # type: ignore[arg-type]


def cls(student: Tensor, teacher: Tensor, mask: Tensor, **how: str) -> Tensor:
    return patience(student, teacher, **how)  # type: ignore[arg-type]


def tree_pairs(student: Tensor, teacher: Tensor, mask: Tensor) -> list[tuple[Tensor, Tensor]]:
    width = student.shape[-1] // HEADS
    return [
        (student[k, b, p, h * width : (h + 1) * width], teacher[k, b, p, h * width : (h + 1) * width])
        for k, b, h, p in counts(mask, len(student)).nonzero().tolist()
        for _ in range(int(counts(mask, len(student))[k, b, h, p]))
    ]


def cls_pairs(student: Tensor, teacher: Tensor, mask: Tensor) -> list[tuple[Tensor, Tensor]]:
    return [(student[k, b, 0], teacher[k, b, 0]) for k in range(len(student)) for b in range(len(mask))]


def token_pairs(student: Tensor, teacher: Tensor, mask: Tensor) -> list[tuple[Tensor, Tensor]]:
    return [(student[k, b, p], teacher[k, b, p]) for k in range(len(student)) for b, p in mask.nonzero().tolist()]


def matrix_pairs(student: Tensor, teacher: Tensor, mask: Tensor) -> list[tuple[Tensor, Tensor]]:
    lengths = mask.sum(dim=1).tolist()
    return [(student[k, b, :n], teacher[k, b, :n]) for k in range(len(student)) for b, n in enumerate(lengths)]


Loss = Callable[..., Tensor]
Pairs = Callable[[Tensor, Tensor, Tensor], list[tuple[Tensor, Tensor]]]
LOSSES: dict[str, tuple[Loss, Pairs]] = {
    "tree": (tree, tree_pairs),
    "patience": (cls, cls_pairs),
    "all_tokens": (all_tokens, token_pairs),
    "all_tokens_frobenius": (all_tokens_frobenius, matrix_pairs),
}


def loop(pairs: Pairs, reduction: str, student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    total, elements = torch.zeros((), dtype=student.dtype), 0
    for u, v in pairs(student, teacher, mask):
        total = total + ((unit(u) - unit(v)) ** 2).sum()
        elements += u.numel()
    return total if reduction == "sum" else total / elements


def given(
    lengths: tuple[int, ...] = (6, 3, 1), padded: int = 6, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, ...]:
    return tensors(lengths=lengths, padded=padded, widths=(4, 4), dtype=dtype)


@pytest.mark.parametrize("reduction", ["sum", "elementmean"])
@pytest.mark.parametrize("name", LOSSES)
def test_equals_plain_loops(name: str, reduction: str) -> None:
    ours, pairs = LOSSES[name]
    result = value_and_gradient(partial(ours, reduction=reduction), *given())
    expected = value_and_gradient(partial(loop, pairs, reduction), *given())
    torch.testing.assert_close(result, expected)
    if reduction == "elementmean":
        torch.testing.assert_close(result, value_and_gradient(ours, *given()))


def test_tree_by_hand() -> None:
    # Head 0 owns columns 0 and 1, head 1 the others; unit(3, 4) = (.6, .8) against (0, 1) is .36 + .04.
    student = torch.tensor([3.0, 4.0, 7.0, 7.0]).view(1, 1, 1, 4)
    teacher = torch.tensor([0.0, 2.0, 1.0, -1.0]).view(1, 1, 1, 4)
    for nodes, expected in (([1, 0], 0.4), ([0, 1], 2.0), ([2, 1], 2 * 0.4 + 2.0)):
        which = torch.tensor(nodes).view(1, 1, 2, 1)
        assert tree_distillation(student, teacher, which, reduction="sum").item() == pytest.approx(expected)
        mean = tree_distillation(student, teacher, which).item()
        assert mean == pytest.approx(expected / (2 * sum(nodes)))


def test_sets_and_counts_of_one_are_the_same() -> None:
    student, teacher, mask = given()
    once = counts(mask, 3).clamp_max(1)
    assert tree_distillation(student, teacher, once.bool()) == tree_distillation(student, teacher, once)


@pytest.mark.parametrize("name", LOSSES)
def test_padding_and_lengths_of_vectors_do_not_matter(name: str) -> None:
    ours = LOSSES[name][0]
    student, teacher, mask = given()
    expected, slope = value_and_gradient(ours, student, teacher, mask)
    student, teacher = (
        torch.where(mask.bool().unsqueeze(-1), states.detach(), torch.nan) for states in (student, teacher)
    )
    value, again = value_and_gradient(ours, student, teacher, mask)
    assert value == expected
    assert torch.equal(again, slope)
    scaled = ours(5 * student, 0.1 * teacher, mask)
    torch.testing.assert_close(scaled, expected)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite(name: str, dtype: torch.dtype) -> None:
    ours = LOSSES[name][0]
    student, teacher, mask = given(dtype=dtype)
    student = student.detach()
    cases = {
        "zero": (0 * student, 0 * teacher, mask),
        "zero student": (0 * student, teacher, mask),
        "equal": (teacher.clone(), teacher, mask),
        "equal tokens": (student[:, :, :1].expand_as(student), teacher[:, :, :1].expand_as(teacher), mask),
        "tiny": (1e-15 * student, 1e-15 * teacher, mask),
        "large": (1e4 * student, 1e4 * teacher, mask),
        "one token": given((1,), 1, dtype),
        "two tokens": given((2, 1), 2, dtype),
        "all padding but one": given((1, 1), 5, dtype),
        "no token at all": given((0,), 4, dtype),
    }
    for kind, (some, other, real) in cases.items():
        leaf = some.detach().clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            value = ours(leaf, other, real)
        (slope,) = torch.autograd.grad(value, leaf)
        assert value.dtype == torch.float32
        assert torch.isfinite(value), kind
        assert torch.isfinite(slope).all(), kind
        if kind in ("zero", "zero student", "tiny"):
            assert not slope.any(), kind
        if kind == "equal":
            assert value == 0


@pytest.mark.parametrize("name", LOSSES)
def test_no_gradient_reaches_the_teacher(name: str) -> None:
    student, teacher, mask = given()
    teacher.requires_grad_()
    LOSSES[name][0](student, teacher, mask).backward()
    assert teacher.grad is None


@pytest.mark.parametrize("name", LOSSES)
def test_mistakes(name: str) -> None:
    student, teacher, mask = given()
    with pytest.raises(ValueError, match="'elementmean'"):
        LOSSES[name][0](student, teacher, mask, reduction="mean")
    with pytest.raises(ValueError, match="student states"):
        LOSSES[name][0](student, teacher[..., :2], mask)
    with pytest.raises(ValueError, match="nodes"):
        tree_distillation(student, teacher, torch.ones(3, 3, 3, 6))  # three heads do not share four columns
