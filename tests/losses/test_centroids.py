"""The FSD_G losses: by loops, by hand, under what must not change them, and on degenerate input."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from raykd.losses import centroid_products
from raykd.losses.centroid_products import centroid_relations, memory_gram, relations_and_gram
from raykd.losses.centroids import (
    centroid_cosines,
    centroid_distances,
    feature_to_centroid_cosine,
    feature_to_centroid_cosine_of,
    feature_to_centroid_distance,
    feature_to_centroid_distance_of,
    flatten_features,
    memory_cka,
    memory_cka_of,
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


@pytest.mark.parametrize("numbers", [1, 15, 2**20])  # of the memory, at a time
def test_all_of_one_pass_is_what_each_is_alone(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    student, teacher, ours, theirs = given()
    leaves = student.requires_grad_(), ours.requires_grad_()
    apart = (
        feature_to_centroid_distance(student, teacher, ours, theirs)
        + 2 * feature_to_centroid_cosine(student, teacher, ours, theirs)
        + 3 * memory_cka(ours, theirs)
    )
    expected = torch.autograd.grad(apart, leaves)
    monkeypatch.setattr(centroid_products, "_PIECE_CPU", numbers)
    relations, gram = relations_and_gram(student, ours)
    told = centroid_relations(teacher, theirs)
    together = (
        feature_to_centroid_distance_of(relations.squared_distances, told.squared_distances)
        + 2 * feature_to_centroid_cosine_of(relations.cosines, told.cosines)
        + 3 * memory_cka_of(gram, memory_gram(theirs))
    )
    torch.testing.assert_close(together, apart, rtol=1e-12, atol=0)
    torch.testing.assert_close(torch.autograd.grad(together, leaves), expected, rtol=1e-11, atol=1e-15)


def test_gradients_of_every_part() -> None:
    student, _, ours, _ = given()
    parts: list[Callable[[Tensor, Tensor], Tensor]] = [
        lambda x, m: relations_and_gram(x, m)[0].squared_distances,
        lambda x, m: relations_and_gram(x, m)[0].cosines,
        lambda x, m: relations_and_gram(x, m)[1],
        lambda x, m: centroid_relations(x, m).cosines,
        lambda x, m: memory_gram(m),
    ]
    for part in parts:
        assert torch.autograd.gradcheck(part, (student.requires_grad_(), ours.requires_grad_()))


def test_no_copy_of_the_memory_is_kept_for_the_gradient() -> None:
    student, memory = torch.randn(2, 4000, requires_grad=True), torch.randn(30, 4000, requires_grad=True)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        relations, gram = relations_and_gram(student, memory)
    assert kept.pop(memory.untyped_storage().data_ptr())
    assert sum(kept.values()) < memory.nbytes / 4
    (relations.cosines.sum() + gram.square().sum()).backward()


@pytest.mark.parametrize("kind", ["ordinary", "far away", "some are short"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_float32_is_precise(kind: str, scale: float) -> None:
    generator = torch.Generator().manual_seed(1)
    features, memory = (scale * torch.randn(n, 5000, generator=generator) for n in (6, 9))
    if kind == "far away":
        features, memory = features + 30 * scale, memory + 30 * scale
    if kind == "some are short":
        memory[0], features[0] = memory[0] / 100, features[0] / 10
    # A cosine is made of products about the mean: it has digits fewer by (mean / own length) of either vector.
    tolerance = 1e-4 if kind == "some are short" else 2e-6
    relations, gram = relations_and_gram(features, memory)
    exact, exact_gram = relations_and_gram(features.double(), memory.double())
    torch.testing.assert_close(relations.squared_distances.double(), exact.squared_distances, rtol=1e-5, atol=0)
    torch.testing.assert_close(relations.cosines.double(), exact.cosines, rtol=0, atol=tolerance)
    torch.testing.assert_close(gram.double(), exact_gram, rtol=0, atol=1e-6)
    assert (centroid_cosines(memory, memory) <= 1).all()


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
