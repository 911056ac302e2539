"""CRD: plain loops over samples and negatives, constants, the update of the memories, awkward embeddings."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from raykd.losses.contrast import crd, embed, first_batch_constants, updated_rows

from .compare import assert_equal_losses, assert_finite, normal

TEMPERATURE = 0.3
INDEX = torch.tensor([[4, 1, 0, 7], [2, 2, 6, 3], [0, 5, 5, 4]])  # B = 3, K = 3, n = 8


def rows(number: int, seed: int) -> Tensor:
    vectors = normal(number, 5, seed=seed)
    return vectors / vectors.norm(dim=1, keepdim=True)


V1, V2, MEMORY_V1, MEMORY_V2 = rows(3, 0), rows(3, 1), rows(8, 2), rows(8, 3)
CONSTANTS = (20.0, 30.0)


def loops(v1: Tensor, v2: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    total = torch.zeros((), dtype=v1.dtype)
    for v, memory, z in ((v1, MEMORY_V2, CONSTANTS[0]), (v2, MEMORY_V1, CONSTANTS[1])):
        noise = 3 / 8
        for b in range(3):
            p = [(memory[j] @ v[b] / temperature).exp() / z for j in INDEX[b]]
            total = total - (p[0] / (p[0] + noise + 1e-7)).log()
            for negative in p[1:]:
                total = total - (noise / (negative + noise + 1e-7)).log()
    return total / 3


def ours(v1: Tensor, v2: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    return crd(v1, v2, MEMORY_V1, MEMORY_V2, INDEX, constants=CONSTANTS, temperature=temperature)


@pytest.mark.parametrize("temperature", [TEMPERATURE, 0.07, 2.0])
def test_equals_plain_loops_with_gradients_on_both_sides(temperature: float) -> None:
    assert_equal_losses(lambda v: ours(v, V2, temperature), lambda v: loops(v, V2, temperature), V1)
    assert_equal_losses(lambda v: ours(V1, v, temperature), lambda v: loops(V1, v, temperature), V2)


def test_constants_of_the_first_batch() -> None:
    v1 = V1.clone().requires_grad_()
    z1, z2 = first_batch_constants(v1, V2, MEMORY_V1, MEMORY_V2, INDEX, temperature=TEMPERATURE)
    for z, v, memory in ((z1, V1, MEMORY_V2), (z2, V2, MEMORY_V1)):
        exponentials = [math.exp(memory[j] @ v[b] / TEMPERATURE) for b in range(3) for j in INDEX[b]]
        assert z.item() == pytest.approx(8 * sum(exponentials) / 12)
    assert not z1.requires_grad
    as_tensors = crd(V1, V2, MEMORY_V1, MEMORY_V2, INDEX, constants=(z1, z2), temperature=TEMPERATURE)
    numbers = (z1.item(), z2.item())
    as_numbers = crd(V1, V2, MEMORY_V1, MEMORY_V2, INDEX, constants=numbers, temperature=TEMPERATURE)
    torch.testing.assert_close(as_tensors, as_numbers)


def test_updated_rows() -> None:
    old, new = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 1.0], [-1.0, 0.0]])
    rows = updated_rows(old, new.requires_grad_(), 0.25)
    expected = torch.tensor([[0.25, 0.75], [0.0, 1.0], [-1.0, 0.0]]) / torch.tensor([[0.625**0.5], [1.0], [1.0]])
    torch.testing.assert_close(rows, expected)
    assert not rows.requires_grad
    assert torch.equal(updated_rows(old, new, 0.5)[2], old[2])  # they cancel
    assert updated_rows(old.bfloat16(), new, 0.5).dtype == torch.bfloat16


def test_embed() -> None:
    features, weight, bias = normal(4, 6), normal(3, 6, seed=1), normal(3, seed=2)

    def by_hand(features: Tensor) -> Tensor:
        embedded = features @ weight.T + bias
        return (embedded / embedded.norm(dim=1, keepdim=True))[:, 0].sum()

    assert_equal_losses(lambda f: embed(f, weight, bias)[:, 0].sum(), by_hand, features)
    zero = embed(torch.zeros(2, 6), torch.zeros(3, 6).requires_grad_(), torch.zeros(3))
    assert not zero.any()


def test_ignores_rotation_and_order_of_negatives() -> None:
    expected = ours(V1, V2)
    rotation = torch.linalg.qr(normal(5, 5, seed=5)).Q
    turned = [vectors @ rotation for vectors in (V1, V2, MEMORY_V1, MEMORY_V2)]
    torch.testing.assert_close(
        crd(turned[0], turned[1], turned[2], turned[3], INDEX, constants=CONSTANTS, temperature=TEMPERATURE), expected
    )
    shuffled = INDEX[:, [0, 3, 1, 2]]
    again = crd(V1, V2, MEMORY_V1, MEMORY_V2, shuffled, constants=CONSTANTS, temperature=TEMPERATURE)
    torch.testing.assert_close(again, expected)


def test_memories_are_constants() -> None:
    memory_v1, memory_v2 = MEMORY_V1.clone().requires_grad_(), MEMORY_V2.clone().requires_grad_()
    v1 = V1.clone().requires_grad_()
    crd(v1, V2, memory_v1, memory_v2, INDEX, constants=CONSTANTS, temperature=TEMPERATURE).backward()
    assert memory_v1.grad is None
    assert memory_v2.grad is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite(dtype: torch.dtype) -> None:
    memories = (MEMORY_V1.float(), MEMORY_V2.float())
    weight, bias = normal(5, 6, seed=6).float(), torch.zeros(5)

    def loss(features: Tensor, teacher: Tensor, index: Tensor = INDEX, temperature: float = 0.07) -> Tensor:
        v1, v2 = embed(features, weight, bias), embed(teacher, weight, bias)
        constants = first_batch_constants(v1, v2, *memories, index, temperature=temperature)
        return crd(v1, v2, *memories, index, constants=constants, temperature=temperature)

    student, teacher = normal(3, 6, seed=7).to(dtype), normal(3, 6, seed=8).to(dtype)
    for given in (student, 0 * student, 1e4 * student, student[:1].expand(3, -1), teacher):
        assert assert_finite(lambda s: loss(s, teacher), given) > 0
    assert_finite(lambda s: loss(s, 0 * teacher), student)
    assert_finite(lambda s: loss(s, teacher[:1], INDEX[:1]), student[:1])
    # exp(-1/tau) / Z is far below what float32 holds.
    assert_finite(lambda s: loss(s, teacher, temperature=0.013), student)
