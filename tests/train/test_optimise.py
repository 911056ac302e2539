"""The schedule by hand, and what decays."""

from __future__ import annotations

import pytest
from torch import nn

from raykd.train.config import Training
from raykd.train.optimise import make_optimizer, rate_at


def rates(total: int, warmup: float) -> list[float]:
    training = Training(learning_rate=0.8, warmup=warmup)
    return [rate_at(step, total, training) for step in range(total)]


def test_warm_up_and_decay_by_hand() -> None:
    # 4 of 20 steps rise by a fourth of the peak each, the other 16 fall from it by a sixteenth each.
    expected = [0.2, 0.4, 0.6, 0.8] + [0.8 * left / 16 for left in range(16, 0, -1)]
    assert rates(20, 0.2) == pytest.approx(expected)


def test_without_warm_up_it_starts_at_the_peak() -> None:
    assert rates(4, 0.0) == pytest.approx([0.8, 0.6, 0.4, 0.2])
    assert rates(1, 0.5) == pytest.approx([0.8])


def test_biases_and_norms_do_not_decay() -> None:
    module = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 3), nn.LayerNorm(3))
    frozen = nn.Linear(3, 3).requires_grad_(False)
    optimizer = make_optimizer(nn.ModuleList([module, frozen]), Training(weight_decay=0.3))
    decayed, plain = optimizer.param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(5, 4), (3, 4)]
    assert [tuple(p.shape) for p in plain["params"]] == [(3,), (3,), (3,)]
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.3, 0.0)
