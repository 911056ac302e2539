"""COS-NCE and the softened hard loss: plain loops over anchors and negatives, invariances, awkward input."""

from __future__ import annotations

import math
from functools import partial
from typing import get_args

import pytest
import torch
from torch import Tensor

from raykd.losses import cosine_contrast
from raykd.losses.cosine_contrast import View, cos_nce, cos_nce_terms, softened_hard

from .naive import unit
from .relations import tensors, value_and_gradient

VIEWS = get_args(View)
LENGTHS = (6, 3, 1, 4)


def given(
    lengths: tuple[int, ...] = LENGTHS, padded: int = 6, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, ...]:
    return tensors(layers=2, lengths=lengths, padded=padded, widths=(5, 5), dtype=dtype)


def distance(x: Tensor, y: Tensor, lengths: tuple[int, int], view: str) -> Tensor:
    """g of two outputs [L, D] with so many real tokens."""
    if view == "token":
        return torch.stack([1 - unit(x[i]) @ unit(y[i]) for i in range(min(lengths))]).mean()
    x, y = x[: lengths[0]], y[: lengths[1]]
    if view == "cls":
        return 1 - unit(x[0]) @ unit(y[0])
    if view == "mean":
        return 1 - unit(x.mean(dim=0)) @ unit(y.mean(dim=0))
    common = min(lengths)
    return 1 - (x[:common] * y[:common]).sum() / (x.norm() * y.norm())


def loop(view: str, student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    lengths = mask.sum(dim=1).tolist()
    batch = len(lengths)
    total = torch.zeros((), dtype=student.dtype)
    for z, t in zip(student, teacher, strict=True):
        for b in range(batch):
            positive = distance(z[b], t[b], (lengths[b], lengths[b]), view)
            total = total + positive / batch
            for j in range(batch):
                if j != b:
                    negative = distance(z[b], t[j], (lengths[b], lengths[j]), view)
                    total = total + (2 - (negative - positive)) / (2 * (batch - 1)) / batch
    return total


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("lengths", [LENGTHS, (5, 2), (4,)])
def test_equals_plain_loops(view: View, lengths: tuple[int, ...]) -> None:
    result = value_and_gradient(partial(cos_nce, view=view), *given(lengths))
    torch.testing.assert_close(result, value_and_gradient(partial(loop, view), *given(lengths)))


@pytest.mark.parametrize("view", VIEWS)
def test_terms_add_up(view: View) -> None:
    student, teacher, mask = given()
    terms = cos_nce_terms(student, teacher, mask, view)
    assert terms.shape == (2, 4)
    torch.testing.assert_close(terms.mean(dim=1).sum(), cos_nce(student, teacher, mask, view))
    # A layer is on its own, a sentence is not.
    torch.testing.assert_close(terms[1:], cos_nce_terms(student[1:], teacher[1:], mask, view))
    order = torch.tensor([2, 0, 3, 1])
    moved = cos_nce_terms(student[:, order], teacher[:, order], mask[order], view)
    torch.testing.assert_close(moved, terms[:, order])


@pytest.mark.parametrize("view", ["flat", "token", "mean"])
@pytest.mark.parametrize("numbers", [1, 90])  # of either network, at a time
def test_pieces_add_up(view: View, numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = value_and_gradient(partial(cos_nce, view=view), *given())
    monkeypatch.setattr(cosine_contrast, "_PIECE_CPU", numbers)
    torch.testing.assert_close(value_and_gradient(partial(cos_nce, view=view), *given()), whole)


@pytest.mark.parametrize("view", ["flat", "token"])
def test_no_copy_of_the_states_is_kept_for_the_gradient(view: View) -> None:
    student, teacher, mask = given()
    kept = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        cos_nce(student, teacher, mask, view)
    own = {student.data_ptr(), teacher.data_ptr()}
    assert own < {tensor.data_ptr() for tensor in kept}
    assert all(tensor.numel() < student.numel() / 2 for tensor in kept if tensor.data_ptr() not in own)


def test_by_hand() -> None:
    # One token, two sentences: cos(z_0, t_0) = .6, cos(z_0, t_1) = .8; z_1 = -t_1, and cos(z_1, t_0) = 0.
    student = torch.tensor([[3.0, 4.0], [0.0, -1.0]]).view(1, 2, 1, 2)
    teacher = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).view(1, 2, 1, 2)
    first, second = 0.4 + (2 - (0.2 - 0.4)) / 2, 2.0 + (2 - (1.0 - 2.0)) / 2
    for view in VIEWS:
        terms = cos_nce_terms(student, teacher, torch.ones(2, 1), view)
        assert terms.flatten().tolist() == pytest.approx([first, second])


@pytest.mark.parametrize("view", VIEWS)
def test_one_sentence_has_the_positive_part_only(view: View) -> None:
    student, teacher, mask = given((4,))
    assert cos_nce(teacher, teacher, mask, view).item() == pytest.approx(0.0, abs=1e-12)
    assert cos_nce(-teacher, teacher, mask, view).item() == pytest.approx(2 * 2.0)
    assert cos_nce(student, teacher, mask, view).requires_grad


@pytest.mark.parametrize("view", VIEWS)
def test_padding_lengths_of_vectors_and_rotations_do_not_matter(view: View) -> None:
    ours = partial(cos_nce, view=view)
    student, teacher, mask = given()
    expected, slope = value_and_gradient(ours, student, teacher, mask)
    real = mask.bool().unsqueeze(-1)
    student, teacher = (
        torch.nn.functional.pad(torch.where(real, states.detach(), torch.nan), (0, 0, 0, 3), value=torch.nan)
        for states in (student, teacher)
    )
    mask = torch.nn.functional.pad(mask, (0, 3))
    value, again = value_and_gradient(ours, student, teacher, mask)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(again[:, :, :6], slope)
    assert not again[:, :, 6:].any()
    rotation = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64))[0]
    torch.testing.assert_close(ours(7 * student @ rotation, 0.1 * teacher @ rotation, mask), expected)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite(view: View, dtype: torch.dtype) -> None:
    student, teacher, mask = given(dtype=dtype)
    student = student.detach()
    cases = {
        "zero": (0 * student, 0 * teacher, mask),
        "zero student": (0 * student, teacher, mask),
        "equal": (teacher.clone(), teacher, mask),
        "equal tokens": (student[:, :, :1].expand_as(student), teacher[:, :, :1].expand_as(teacher), mask),
        "equal sentences": (teacher[:, :1].expand_as(student), teacher[:, :1].expand_as(teacher), mask),
        "tiny": (1e-15 * student, 1e-15 * teacher, mask),
        "large": (1e4 * student, 1e4 * teacher, mask),
        "one token": given((1,), 1, dtype),
        "two tokens": given((2, 1), 2, dtype),
        "all padding but one": given((1, 1), 5, dtype),
        "no token at all": given((0, 2), 4, dtype),
    }
    for kind, (some, other, real) in cases.items():
        leaf = some.detach().clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            value = cos_nce(leaf, other, real, view)
        (slope,) = torch.autograd.grad(value, leaf)
        assert value.dtype == torch.float32
        assert value >= 0, kind  # False for NaN
        assert value <= 2 * 4, kind
        assert torch.isfinite(slope).all(), kind
        if kind in ("zero", "zero student"):
            assert not slope.any(), kind


@pytest.mark.parametrize("view", VIEWS)
def test_rounding_makes_no_distance_negative(view: View) -> None:
    states = torch.randn(200, 1, 6, 5, generator=torch.Generator().manual_seed(4))
    terms = cos_nce_terms(states, states, torch.ones(1, 6), view)
    assert terms.min() == 0
    assert terms.max() < 1e-6


@pytest.mark.parametrize("view", VIEWS)
def test_autocast_changes_nothing(view: View) -> None:
    student, teacher, mask = given(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        value = cos_nce(student, teacher, mask, view)
    assert value == cos_nce(student, teacher, mask, view)


def test_no_gradient_reaches_the_teacher() -> None:
    student, teacher, mask = given()
    teacher.requires_grad_()
    cos_nce(student, teacher, mask).backward()
    assert teacher.grad is None


def test_mistakes() -> None:
    student, teacher, mask = given()
    with pytest.raises(ValueError, match="'flat'"):
        cos_nce(student, teacher, mask, "all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="student states"):
        cos_nce(student, teacher[..., :3], mask)


@pytest.mark.parametrize("tau", [0.3, 1.1])
def test_softened_hard_equals_plain_loops(tau: float) -> None:
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64).requires_grad_()
    labels = torch.tensor([1, 0, 2, 1], dtype=torch.int16)
    expected = torch.zeros((), dtype=torch.float64)
    for row, label in zip(logits, labels.tolist(), strict=True):
        weights = [math.exp((c == label) / tau) for c in range(3)]
        for c in range(3):
            expected = expected - weights[c] / sum(weights) * (row[c] - row.exp().sum().log()) / 4
    value = softened_hard(logits, labels, tau)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, logits), torch.autograd.grad(expected, logits))


def test_softened_hard_in_the_limits() -> None:
    logits, labels = torch.tensor([[0.3, -1.2, 2.0]]), torch.tensor([2])
    hard = torch.nn.functional.cross_entropy(logits, labels)
    torch.testing.assert_close(softened_hard(logits, labels, 1e-3), hard)
    torch.testing.assert_close(softened_hard(logits, labels, 1e6), -torch.log_softmax(logits, dim=-1).mean())
    with torch.autocast("cpu", torch.bfloat16):
        assert softened_hard(logits.bfloat16(), labels, 1.1).dtype == torch.float32
