"""Relations between queries, keys and values of one layer: MiniLM and MiniLMv2 (Wang et al. 2020, 2021).

Queries, keys and values are the projections [B, L, D] of one self-attention, heads not yet split. The relation of two
of them is softmax_j(x_i . y_j / sqrt(d)) per relation head; of queries with keys it is the attention distribution
itself. Student and teacher are split into equally many relation heads, so their widths (and their own numbers of heads)
may differ. Padding has no part, neither as i nor as j. The teacher is a constant: all that a loss needs of it are the
numbers x_i . y_j / sqrt(d) of each relation, its scores, and the functions that end in `_of` take those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import widened, without_autocast

# Which relations the two papers transfer, each with weight 1.
MINILM_V1 = ("qk", "vv")
MINILM_V2 = ("qq", "kk", "vv")


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[..., L, D] -> [..., heads, L, D / heads]: head h is columns h D / heads up to (h + 1) D / heads.

    Raises ValueError unless ``heads`` divides D.
    """
    width = x.shape[-1]
    if heads < 1 or width % heads:
        raise ValueError(f"{heads} relation heads do not divide the width {width}: choose a divisor of it")
    return x.unflatten(-1, (heads, width // heads)).transpose(-2, -3)


def relation_scores(x: Tensor, y: Tensor, heads: int) -> Tensor:
    """x_i . y_j / sqrt(d) per relation head, [..., heads, L, L] of x and y [..., L, D]; float32 at least.

    What stands at padding is made of what stands there in x and y. Raises ValueError unless ``heads`` divides D.
    """
    return _scores(split_heads(x, heads), split_heads(y, heads))


def relation(x: Tensor, y: Tensor, attention_mask: Tensor) -> Tensor:
    """ln softmax over real j of x_i . y_j / sqrt(d), [..., B, H, L, L], of x and y [..., B, H, L, d].

    attention_mask is [B, L]. Where j is padding there stands a finite number so low that its exponential is 0; what
    stands where only i is padding means nothing.
    """
    real = attention_mask.bool()[:, None, :, None]
    # Before the product: a gradient of 0 times not a number would not be 0.
    return _log_softmax(_scores(torch.where(real, x, 0.0), torch.where(real, y, 0.0)), real.mT)


def relation_kl(
    student_x: Tensor, student_y: Tensor, teacher_x: Tensor, teacher_y: Tensor, attention_mask: Tensor, heads: int
) -> Tensor:
    """``1/B sum_b 1/(heads n_b) sum_h sum_{i <= n_b} KL(R_teacher[h, i] || R_student[h, i])``; scalar.

    Student [B, L, D_s], teacher [B, L, D_t], attention_mask [B, L] with n_b ones. A sample without tokens adds 0.
    Raises ValueError unless ``heads`` divides both widths.
    """
    with torch.no_grad():
        scores = relation_scores(teacher_x, teacher_y, heads)
    return relation_kl_of(student_x, student_y, scores, attention_mask, heads)


def relation_kl_of(
    student_x: Tensor, student_y: Tensor, teacher_scores: Tensor, attention_mask: Tensor, heads: int
) -> Tensor:
    """`relation_kl` of the student's projections [B, L, D_s] and the teacher's `relation_scores` [B, heads, L, L].

    What stands at padding has no part. Raises ValueError unless ``heads`` divides D_s, and for scores of other heads.
    """
    if teacher_scores.shape[-3] != heads:
        raise ValueError(f"the teacher's scores are of {teacher_scores.shape[-3]} relation heads, not of {heads}")
    log_student = relation(split_heads(student_x, heads), split_heads(student_y, heads), attention_mask)
    real = attention_mask.bool()[:, None, :, None]  # [B, 1, L, 1]
    with torch.no_grad():
        (scores,) = widened(teacher_scores)
        log_teacher = _log_softmax(scores, real & real.mT)  # rows of padding too: the gradient wants finite numbers
    log_student, log_teacher = widened(log_student, log_teacher)
    real = attention_mask.bool().unsqueeze(-2)  # [B, 1, L]
    # Padded j adds 0: the teacher's exponential there is 0, and both logarithms are finite.
    divergence = F.kl_div(log_student, log_teacher, reduction="none", log_target=True).sum(dim=-1)
    of_rows = torch.where(real, divergence, 0.0).sum(dim=-1)
    return (of_rows / real.sum(dim=-1).clamp_min(1)).mean()


def minilm(
    student: Mapping[str, Tensor],
    teacher: Mapping[str, Tensor],
    attention_mask: Tensor,
    heads: int,
    pairs: Sequence[str] = MINILM_V1,
) -> Tensor:
    """The sum of `relation_kl` over ``pairs``, two letters of ``q``, ``k`` and ``v`` each; scalar.

    student and teacher map those letters to [B, L, D]; letters that no pair names may be absent. `MINILM_V1` wants as
    many ``heads`` as the networks have (the attention distributions are theirs), `MINILM_V2` any number.
    Raises ValueError for no pair at all, another pair, and unless ``heads`` divides both widths.
    """
    _check_pairs(pairs)
    with torch.no_grad():
        scores = {pair: relation_scores(teacher[pair[0]], teacher[pair[1]], heads) for pair in pairs}
    return minilm_of(student, scores, attention_mask, heads, pairs)


def minilm_of(
    student: Mapping[str, Tensor],
    teacher_scores: Mapping[str, Tensor],
    attention_mask: Tensor,
    heads: int,
    pairs: Sequence[str] = MINILM_V1,
) -> Tensor:
    """`minilm` of the student's projections and the teacher's `relation_scores` [B, heads, L, L] of each pair; scalar.

    Raises ValueError for no pair at all, another pair, unless ``heads`` divides the student's width, and for scores of
    other heads.
    """
    _check_pairs(pairs)
    losses = [
        relation_kl_of(student[pair[0]], student[pair[1]], teacher_scores[pair], attention_mask, heads)
        for pair in pairs
    ]
    return torch.stack(losses).sum()


def _check_pairs(pairs: Sequence[str]) -> None:
    others = [pair for pair in pairs if len(pair) != 2 or not set(pair) <= set("qkv")]
    if others or not pairs:
        raise ValueError(f"pairs {list(pairs)}: one or more are needed, each two letters of 'q', 'k' and 'v'")


def _scores(x: Tensor, y: Tensor) -> Tensor:
    """[..., H, L, L] of x and y [..., H, L, d]."""
    x, y = widened(x, y)
    with without_autocast(x):
        return x @ y.mT / x.shape[-1] ** 0.5


def _log_softmax(scores: Tensor, counted: Tensor) -> Tensor:
    """Over the j of scores [..., B, H, L, L] that are `counted`, [B, 1, 1 or L, L]; evenly where none is."""
    # The lowest finite number, not -inf: a sample without any token would be NaN, and its gradient too.
    return torch.log_softmax(scores.masked_fill(~counted, torch.finfo(scores.dtype).min), dim=-1)
