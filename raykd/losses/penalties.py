"""What a difference of relations costs, and how steeply."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Penalty = Literal["l1", "l2", "smooth_l1"]


def penalise(difference: Tensor, penalty: Penalty) -> Tensor:
    """|x|, x^2 or Huber's function with threshold 1 of every element. Raises ValueError for another name."""
    if penalty == "l1":
        return difference.abs()
    if penalty == "l2":
        return difference.square()
    if penalty == "smooth_l1":
        return F.smooth_l1_loss(difference, torch.zeros_like(difference), reduction="none")
    raise ValueError(f"penalty {penalty!r}: allowed are 'l1', 'l2' and 'smooth_l1'")


def slope(difference: Tensor, penalty: Penalty) -> Tensor:
    """The derivative of ``penalise`` at every element; that of |x| is 0 at 0."""
    if penalty == "l1":
        return difference.sign()
    return 2 * difference if penalty == "l2" else difference.clamp(-1, 1)
