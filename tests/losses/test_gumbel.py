"""Masking and straight-through samples: plain loops, exact one-hot values, noise and logits at their limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from raykd.losses.gumbel import mask_tokens, mixed_embeddings, straight_through

IDS = torch.tensor([[1, 7, 8, 9, 2, 0], [1, 5, 6, 2, 0, 0]])
REAL = (IDS != 0).long()
SPECIAL, MASK = [0, 1, 2, 3], 3


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def loop(logits: Tensor, uniform: Tensor, tau: float) -> tuple[list[int], list[Tensor]]:
    """For each row the word it becomes, and the probabilities that lend it their gradient."""
    words, rows = [], []
    for row, noise in zip(logits, uniform, strict=True):
        total = sum(value.exp() for value in row)
        scores = [
            ((value.exp() / total).log() - math.log(-math.log(u))) / tau
            for value, u in zip(row, noise.tolist(), strict=True)
        ]
        exponentials = [score.exp() for score in scores]
        words.append(max(range(len(scores)), key=lambda word: scores[word].item()))
        rows.append(torch.stack([value / sum(exponentials) for value in exponentials]))
    return words, rows


@pytest.mark.parametrize("tau", [0.4, 1.0, 3.0])
def test_equals_plain_loops(tau: float) -> None:
    logits, again = random(4, 6).requires_grad_(), random(4, 6).requires_grad_()
    uniform, upstream = random(4, 6, seed=1).sigmoid(), random(4, 6, seed=2)
    one_hot = straight_through(logits, uniform, tau)
    words, rows = loop(again, uniform, tau)
    assert torch.equal(one_hot.detach(), torch.eye(6, dtype=torch.float64)[words])
    expected = torch.autograd.grad((torch.stack(rows) * upstream).sum(), again)
    torch.testing.assert_close(torch.autograd.grad((one_hot * upstream).sum(), logits), expected)


@pytest.mark.parametrize("shape", [(50,), (2, 3, 50), (0, 50)])
def test_values_are_exactly_one_hot_in_float32(shape: tuple[int, ...]) -> None:
    one_hot = straight_through(random(*shape, dtype=torch.float32), generator=torch.Generator().manual_seed(1))
    assert one_hot.shape == shape
    assert ((one_hot == 0) | (one_hot == 1)).all()
    assert (one_hot.sum(dim=-1) == 1).all()


def test_does_not_see_a_constant_and_the_word_does_not_see_tau() -> None:
    logits, uniform = random(5, 9), random(5, 9, seed=1).sigmoid()
    before = uniform.clone()
    one_hot = straight_through(logits, uniform, 1.0)
    assert torch.equal(uniform, before)  # the noise is worked on in place: not in the caller's
    assert torch.equal(one_hot, straight_through(logits + 7 * torch.arange(5).unsqueeze(-1), uniform, 1.0))
    assert torch.equal(one_hot, straight_through(logits, uniform, 0.2))


def test_draws_from_the_softmax() -> None:
    logits = torch.tensor([0.1, 0.2, 0.7]).log()
    generator = torch.Generator().manual_seed(3)
    share = straight_through(logits.expand(20_000, 3), generator=generator).mean(dim=0)
    torch.testing.assert_close(share, logits.exp(), atol=0.012, rtol=0)  # three and a half standard errors
    again = straight_through(logits.expand(20_000, 3), generator=torch.Generator().manual_seed(3)).mean(dim=0)
    assert torch.equal(share, again)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_finite(rows: int, autocast: bool) -> None:
    dtype = torch.bfloat16 if autocast else torch.float32
    table = random(6, 4, dtype=dtype).requires_grad_()
    masked = torch.zeros(1, 3, dtype=torch.bool)
    masked[0, :rows] = True
    certain = torch.tensor([3e4, -3e4, 0, 0, 0, 0]).repeat(rows, 1)
    for logits in (torch.zeros(rows, 6), 1e4 * random(rows, 6), certain):
        for uniform in (torch.zeros(rows, 6), torch.ones(rows, 6), torch.full((rows, 6), 0.5)):
            leaf = logits.to(dtype).requires_grad_()
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                words = straight_through(leaf, uniform, 0.1)
                mixed = mixed_embeddings(torch.tensor([[0, 1, 2]]), masked, words, table)
            assert words.dtype == torch.float32
            assert mixed.dtype == dtype
            gradients = torch.autograd.grad(mixed.float().square().sum(), [leaf, table])
            assert all(torch.isfinite(values).all() for values in (words, mixed, *gradients))


@pytest.mark.parametrize("autocast", [False, True])
def test_mixed_embeddings_equal_the_formula(autocast: bool) -> None:
    masked = torch.tensor([[0, 1, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0]])
    dtype = torch.float32 if autocast else torch.float64
    tables = [random(10, width, seed=width, dtype=dtype).requires_grad_() for width in (3, 5)]
    words = random(3, 10, dtype=dtype).softmax(dim=-1).requires_grad_()  # soft ones show more than one-hot ones
    total, expected = torch.zeros((), dtype=dtype), torch.zeros((), dtype=dtype)
    for table in tables:
        upstream = random(2, 6, table.shape[1], seed=9, dtype=dtype)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            mixed = mixed_embeddings(IDS, masked, words, table)
        place, row = {(0, 1): 0, (0, 3): 1, (1, 2): 2}, {}
        for b in range(2):
            for position in range(6):
                if (b, position) in place:
                    p = words[place[b, position]]
                    row[b, position] = sum(p[word] * table[word] for word in range(10))
                else:
                    row[b, position] = table[IDS[b, position]]
                torch.testing.assert_close(mixed[b, position], row[b, position])
        total = total + (mixed * upstream).sum()
        expected = expected + sum((value * upstream[key]).sum() for key, value in row.items())
    leaves = [words, *tables]
    torch.testing.assert_close(torch.autograd.grad(total, leaves), torch.autograd.grad(expected, leaves))


def test_samples_are_the_ids_put_in_place() -> None:
    # What straight_through advises for steps of the student.
    masked = torch.tensor([[0, 1, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0]]).bool()
    words, table = straight_through(random(3, 10), random(3, 10, seed=1).sigmoid()), random(10, 4)
    ids = IDS.masked_scatter(masked, words.argmax(dim=-1))
    assert torch.equal(mixed_embeddings(IDS, masked, words, table), table[ids])


def test_masks_ordinary_tokens_only() -> None:
    before = IDS.clone()
    ids, masked = mask_tokens(IDS, REAL, SPECIAL, MASK, 1.0)
    assert ids.tolist() == [[1, 3, 3, 3, 2, 0], [1, 3, 3, 2, 0, 0]]
    assert torch.equal(masked, ids == MASK)
    assert torch.equal(IDS, before)
    # Padding is padding even where its id is an ordinary word.
    assert not mask_tokens(torch.full((2, 6), 7), REAL, SPECIAL, MASK, 1.0)[1][REAL == 0].any()
    ids, masked = mask_tokens(IDS, REAL, SPECIAL, MASK, 0.0)
    assert torch.equal(ids, IDS)
    assert not masked.any()


def test_masks_at_the_given_rate_and_as_the_generator_says() -> None:
    ids = torch.full((100, 100), 9)
    _, masked = mask_tokens(ids, torch.ones_like(ids), [], MASK, 0.3, torch.Generator().manual_seed(0))
    assert masked.float().mean().item() == pytest.approx(0.3, abs=0.015)
    again = mask_tokens(ids, torch.ones_like(ids), [], MASK, 0.3, torch.Generator().manual_seed(0))[1]
    assert torch.equal(masked, again)
    assert not torch.equal(masked[0], masked[1])


def test_refuses_what_would_broadcast() -> None:
    with pytest.raises(ValueError, match="noise"):
        straight_through(torch.zeros(3, 4), torch.full((1, 4), 0.5))
    with pytest.raises(ValueError, match="tau 0"):
        straight_through(torch.zeros(3, 4), tau=0.0)
    with pytest.raises(ValueError, match="masked positions"):
        mixed_embeddings(IDS, IDS > 5, torch.zeros(1, 10), torch.zeros(10, 4))
    with pytest.raises(ValueError, match=r"probability 1\.7"):
        mask_tokens(IDS, REAL, SPECIAL, MASK, 1.7)
