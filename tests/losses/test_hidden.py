"""Point-wise losses on states and attention scores, by hand and by loops."""

from __future__ import annotations

import pytest
import torch

from raykd import losses


def test_cls_patience_by_hand_and_by_loops() -> None:
    student, teacher = torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[0.0, 2.0], [1.0, 0.0]])
    # unit(3, 4) = (.6, .8) against (0, 1); the zero vector stays 0 against (1, 0).
    assert losses.cls_patience(student, teacher).item() == pytest.approx((0.36 + 0.04 + 1.0) / 4)
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(3, 2, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    rows = list(zip(student.reshape(-1, 5), teacher.reshape(-1, 5), strict=True))
    expected = sum(((s / s.norm() - t / t.norm()) ** 2).sum() for s, t in rows) / student.numel()
    torch.testing.assert_close(losses.cls_patience(student, teacher), expected)
    torch.testing.assert_close(losses.cls_patience(5 * student, teacher), expected)


def test_hidden_mse_by_hand() -> None:
    student, teacher = torch.zeros(2, 1, 3, 4), torch.full((2, 1, 3, 4), 3.0)
    assert losses.hidden_mse(student, teacher).item() == 9


def test_attention_mse_takes_masked_scores_as_zero() -> None:
    student, teacher = torch.tensor([[1.0, -10003.0]]), torch.tensor([[3.0, -9999.0]])
    student.requires_grad_()
    loss = losses.attention_mse(student, teacher)
    assert loss.item() == pytest.approx(4 / 2)
    loss.backward()
    assert student.grad is not None
    assert student.grad[0, 1] == 0
