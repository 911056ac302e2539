"""The FSD_G losses: by loops, by hand, under what must not change them, and on degenerate input."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from raykd.losses.centroids import (
    centroid_distances,
    feature_to_centroid_cosine,
    feature_to_centroid_distance,
    flatten_features,
    memory_cka,
)
from raykd.losses.cka import cka

Given = tuple[Tensor, Tensor, Tensor, Tensor]
LOSSES: dict[str, Callable[..., Tensor]] = {
    "distance": feature_to_centroid_distance,
    "distance without a floor": lambda *given: feature_to_centroid_distance(*given, teacher_floor=0.0),
    "cosine": feature_to_centroid_cosine,
    "memory": lambda student, teacher, *memories: memory_cka(*memories),
}


def given(samples: int = 4, centroids: int = 5, dtype: torch.dtype = torch.float64) -> Given:
    """Student [B, 12] and teacher [B, 18] features, memories [M, 12] and [M, 18]."""
    generator = torch.Generator().manual_seed(0)
    shapes = (samples, 12), (samples, 18), (centroids, 12), (centroids, 18)
    student, teacher, ours, theirs = (
        torch.randn(s, generator=generator, dtype=torch.float64).to(dtype) for s in shapes
    )
    return student, teacher, ours, theirs


def naive(name: str, student: Tensor, teacher: Tensor, ours: Tensor, theirs: Tensor) -> Tensor:
    if name == "memory":
        return -(cka(ours, theirs) + 1e-8).log()
    parts = []
    for s, t in zip(student, teacher, strict=True):
        for m, n in zip(ours, theirs, strict=True):
            if name == "cosine":
                parts.append((s @ m / (s.norm() * m.norm()) - t @ n / (t.norm() * n.norm())) ** 2)
            else:
                floor = 0.0 if "without" in name else 1e-8
                parts.append(((s - m).norm() - ((t - n).square().sum() + floor).sqrt()) ** 2)
    return torch.stack(parts).mean()


@pytest.mark.parametrize("name", LOSSES)
def test_against_loops_with_gradients_of_features_and_memory(name: str) -> None:
    student, teacher, ours, theirs = given()
    leaves = student.requires_grad_(), ours.requires_grad_()
    losses = LOSSES[name](student, teacher, ours, theirs), naive(name, student, teacher, ours, theirs)
    torch.testing.assert_close(*losses, rtol=1e-10, atol=1e-12)
    gradients = [torch.autograd.grad(loss, leaves, allow_unused=True) for loss in losses]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


def test_by_hand() -> None:
    points, memory = torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 4.0]])
    distances = torch.tensor([[5.0, 3.0], [0.0, 4.0]])
    torch.testing.assert_close(centroid_distances(points, memory), distances)
    torch.testing.assert_close(centroid_distances(points, memory, floor=9.0), (distances.square() + 9).sqrt())
    # cosines 0, .8, 0, 0 against those of a teacher whose features and centroids are all alike: 1.
    ones = torch.ones(2, 3)
    assert feature_to_centroid_cosine(points, ones, memory, ones).item() == pytest.approx((3 + 0.04) / 4)


def test_distances_know_no_origin_and_cosines_no_scale() -> None:
    student, teacher, ours, theirs = given()
    expected = feature_to_centroid_distance(student, teacher, ours, theirs)
    torch.testing.assert_close(feature_to_centroid_distance(student + 9, teacher - 7, ours + 9, theirs - 7), expected)
    expected = feature_to_centroid_cosine(student, teacher, ours, theirs)
    torch.testing.assert_close(feature_to_centroid_cosine(2 * student, 3 * teacher, 4 * ours, 5 * theirs), expected)
    far = [1000 + tensor.float() for tensor in (student, ours)]
    precise = centroid_distances(*(tensor.double() for tensor in far))
    torch.testing.assert_close(centroid_distances(*far).double(), precise, rtol=1e-5, atol=0)


def test_flattening_pads_cuts_and_zeroes() -> None:
    hidden, mask = torch.arange(1.0, 13.0).reshape(2, 3, 2), torch.tensor([[1, 1, 1], [1, 0, 0]])
    hidden[1, 1:] = torch.nan
    rows = flatten_features(hidden, mask, 4)
    assert rows.tolist() == [[1, 2, 3, 4, 5, 6, 0, 0], [7, 8, 0, 0, 0, 0, 0, 0]]
    assert torch.equal(flatten_features(hidden, mask, 2), rows[:, :4])
    assert torch.equal(flatten_features(hidden[:, :2], mask[:, :2], 4)[1], rows[1])  # however much padding there was
    whole = torch.arange(12.0).reshape(2, 3, 2)
    assert torch.equal(flatten_features(whole, None, 3), whole.flatten(1))


def adversarial(dtype: torch.dtype) -> dict[str, Given]:
    student, teacher, ours, theirs = given(dtype=dtype)
    ordinary = given(dtype=dtype)
    return {
        "ordinary": ordinary,
        "on the centroids": (ours[:4], theirs[:4], ours, theirs),
        "far away, on them": (ours[:4] + 1000, theirs[:4], ours + 1000, theirs),
        "student is the teacher": (student, student, ours, ours),
        "zero": (0 * student, 0 * teacher, 0 * ours, 0 * theirs),
        "zero features": (0 * student, teacher, ours, theirs),
        "zero memory": (student, teacher, 0 * ours, theirs),
        "equal centroids": (student, teacher, ours[:1].expand(5, -1), theirs[:1].expand(5, -1)),
        "tiny": (1e-15 * student, 1e-15 * teacher, 1e-15 * ours, 1e-15 * theirs),
        "large": (1e4 * student, 1e4 * teacher, 1e4 * ours, 1e4 * theirs),
        "one sample": given(samples=1, dtype=dtype),
        "one centroid": given(centroids=1, dtype=dtype),
        "two centroids": given(centroids=2, dtype=dtype),
    }


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_value_and_gradient_are_finite(name: str, dtype: torch.dtype) -> None:
    for kind, tensors in adversarial(dtype).items():
        student, teacher, ours, theirs = (tensor.clone().requires_grad_() for tensor in tensors)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = LOSSES[name](student, teacher, ours, theirs)
        loss.backward()
        assert loss.dtype == torch.float32, kind
        assert torch.isfinite(loss), kind
        assert loss >= 0, kind
        for leaf in (ours,) if name == "memory" else (student, ours):
            assert leaf.grad is not None, kind
            assert torch.isfinite(leaf.grad).all(), kind
        assert teacher.grad is None, kind
        assert theirs.grad is None, kind
    assert memory_cka(ours[:1], theirs[:1]) == 0
    assert memory_cka(0 * ours, theirs).item() == pytest.approx(-math.log(1e-8), rel=1e-5)
