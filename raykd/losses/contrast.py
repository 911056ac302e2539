"""Contrastive representation distillation (Tian et al. 2020) against memories of embeddings, as RepDistiller codes it.

Student and teacher features of a sample are embedded in one width f by a linear map each, both trained, and divided by
their norms: v1 [B, f] of the student, v2 [B, f] of the teacher. Memories [n, f] hold the embeddings of all n training
samples of either side. Everything here is pure; who trains holds the memories and constants:

    v1, v2 = embed(student, W_s, b_s), embed(teacher.detach(), W_t, b_t)
    constants = first_batch_constants(v1, v2, memory_v1, memory_v2, contrast_index, temperature=tau)  # first batch only
    loss = crd(v1, v2, memory_v1, memory_v2, contrast_index, constants=constants, temperature=tau)
    memory_v1[index] = updated_rows(memory_v1[index], v1, momentum)  # afterwards, and memory_v2 with v2

contrast_index [B, 1 + K] are rows of the memories: column 0 that of the sample itself, the others drawn as negatives.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import widened, without_autocast
from .unit import unit

# Published code adds this to denominators.
_EPSILON = 1e-7

Constants = tuple[Tensor | float, Tensor | float]


def embed(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x W^T + b divided by its norm, for features [B, D], weight [f, D], bias [f]: [B, f], float32 at least.

    Differentiable in all three, for the teacher's side as well; a zero vector stays 0.
    """
    features, weight, bias = widened(features, weight, bias)
    with without_autocast(features):
        return unit(F.linear(features, weight, bias))


def first_batch_constants(
    v1: Tensor, v2: Tensor, memory_v1: Tensor, memory_v2: Tensor, contrast_index: Tensor, *, temperature: float
) -> tuple[Tensor, Tensor]:
    """Z1, Z2, two scalars: n times the mean of exp(memory . v / tau) of the student's and of the teacher's side.

    Computed on the first batch and kept from then on; no gradient. The memories are those before the first update.
    """
    with torch.no_grad():
        logits = _logits(v1, memory_v2, contrast_index, temperature)
        teacher_logits = _logits(v2, memory_v1, contrast_index, temperature)
        return logits.exp().mean() * len(memory_v2), teacher_logits.exp().mean() * len(memory_v1)


def crd(
    v1: Tensor,
    v2: Tensor,
    memory_v1: Tensor,
    memory_v2: Tensor,
    contrast_index: Tensor,
    *,
    constants: Constants,
    temperature: float,
) -> Tensor:
    """Both sides of the contrastive loss, each averaged over the batch; scalar.

    One side, with P_bj = exp(memory[index_bj] . v_b / tau) / Z and c = K / n:
    -mean_b [ln(P_b0 / (P_b0 + c + 1e-7)) + sum_{j=1..K} ln(c / (P_bj + c + 1e-7))].
    The student is scored against the memory of the teacher, ``memory_v2``, and the teacher against that of the student.
    ``constants`` are (Z1, Z2). Gradients flow to v1 *and* v2, whose map is trained too, and not to the memories.
    """
    z1, z2 = constants
    return _side(v1, memory_v2, contrast_index, z1, temperature) + _side(v2, memory_v1, contrast_index, z2, temperature)


def updated_rows(rows: Tensor, embeddings: Tensor, momentum: float) -> Tensor:
    """normalise(momentum * old + (1 - momentum) * new), for both [B, f]; [B, f] in the dtype of ``rows``, detached.

    A row whose old and new embedding cancel keeps the old one.
    """
    old, new = widened(rows.detach(), embeddings.detach())
    mixed = unit(momentum * old + (1 - momentum) * new)
    return torch.where(mixed.any(dim=-1, keepdim=True), mixed, old).to(rows.dtype)


def _side(v: Tensor, memory: Tensor, contrast_index: Tensor, z: Tensor | float, temperature: float) -> Tensor:
    logits = _logits(v, memory, contrast_index, temperature)
    noise = (logits.shape[-1] - 1) / len(memory)
    log_p = logits - torch.as_tensor(z, dtype=logits.dtype, device=logits.device).detach().log()
    # Logarithms apart, and never of a ratio of P: in float32 P may round to 0.
    positive = log_p[:, 0] - (log_p[:, 0].exp() + noise + _EPSILON).log()
    negatives = torch.log1p((log_p[:, 1:].exp() + _EPSILON) / noise)
    return (negatives.sum(dim=-1) - positive).mean()


def _logits(v: Tensor, memory: Tensor, contrast_index: Tensor, temperature: float) -> Tensor:
    """memory[index_bj] . v_b / tau: [B, 1 + K]."""
    v, memory = widened(v, memory.detach())
    with without_autocast(v):
        return (memory[contrast_index.long()] @ v.unsqueeze(-1)).squeeze(-1) / temperature
