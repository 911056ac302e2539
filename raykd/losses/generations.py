"""Born-again networks: generations of equals, each taught by the one before (Furlanello et al. 2018).

Generation k has the architecture of generation k - 1, starts from fresh weights and learns from it at temperature 1.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .logits import hard_cross_entropy, soft_cross_entropy
from .precision import widened

Of = Literal["probabilities", "logits"]


def born_again(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
    """CE(softmax(t), softmax(s)) + CE(labels, softmax(s)), equal weights, for logits [B, C] and labels [B]; scalar.

    The first term is a mean over all samples, the second over those with a label (other than -100), 0 where there are
    none. The teacher is a constant. Raises ValueError for shapes that do not fit.
    """
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(f"student logits {tuple(student_logits.shape)}, teacher's {tuple(teacher_logits.shape)}")
    return soft_cross_entropy(student_logits, teacher_logits) + hard_cross_entropy(student_logits, labels)


def ensemble(logits: Tensor, *, of: Of = "probabilities") -> Tensor:
    """The mean over G generations' predictions, [B, C], from their logits [G, B, C].

    It is the mean of their ``probabilities`` (the paper's ensemble), or of their ``logits``.
    Raises ValueError for another ``of``, and where there is no generation.
    """
    if of not in ("probabilities", "logits"):
        raise ValueError(f"ensemble of {of!r}: allowed are 'probabilities' and 'logits'")
    if logits.dim() != 3 or not len(logits):
        raise ValueError(f"logits {tuple(logits.shape)}: wanted is [G, B, C] with a generation or more")
    (members,) = widened(logits)
    return (torch.softmax(members, dim=-1) if of == "probabilities" else members).mean(dim=0)
