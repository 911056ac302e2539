"""Text a generator invents, with a gradient: masking and straight-through Gumbel-softmax (MATE-KD, Rashid et al. 2021).

Of a batch of text [B, L] a part is masked; a masked language model fills the n masked positions (in row-major order)
with words of its vocabulary of V, and teacher and student read the result. All here works on the n positions only:
[n, V] is the largest thing kept, never [B, L, V].
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import widened, without_autocast

# Keeps both logarithms of the noise finite for a uniform number of 0 or 1; the published value.
EPSILON = 1e-20


def mask_tokens(
    input_ids: Tensor,
    attention_mask: Tensor,
    special_ids: Iterable[int],
    mask_id: int,
    probability: float,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Mask each token of text [B, L] with ``probability``, always by ``mask_id``; special tokens and padding never.

    Returns the masked ids [B, L] and which positions they are, bool [B, L]; it may well be that none is. Drawn with
    ``generator``, on its device. Raises ValueError for a probability outside [0, 1].
    """
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"masking probability {probability}: it is from 0 to 1")
    special = torch.tensor(sorted(set(special_ids)), dtype=input_ids.dtype, device=input_ids.device)
    ordinary = attention_mask.bool() & ~torch.isin(input_ids, special)
    drawn = torch.rand(input_ids.shape, generator=generator, device=generator.device if generator else input_ids.device)
    masked = ordinary & (drawn.to(input_ids.device) < probability)
    return input_ids.masked_fill(masked, mask_id), masked


def straight_through(
    logits: Tensor, uniform: Tensor | None = None, tau: float = 1.0, *, generator: torch.Generator | None = None
) -> Tensor:
    """One-hot samples [..., V] of softmax(logits) (logits [..., V]), with the gradient of their softmax at ``tau``.

    g = -ln(-ln u), y = softmax((ln softmax(logits) + g) / tau): the value is exactly the one-hot of argmax y, the
    gradient that of y. ``uniform`` holds u in [0, 1] in the logits' shape; without it u is drawn (``generator``, if
    given, on the logits' device). Call it on ``logits[masked]``. A step of the student needs no gradient: there
    ``.argmax(-1)`` gives words to put into the ids, which costs no product with a table.
    Raises ValueError for a tau that is not above 0 and for noise of another shape, which would broadcast.
    """
    if not tau > 0.0:
        raise ValueError(f"tau {tau}: it is above 0")
    if uniform is not None and uniform.shape != logits.shape:
        raise ValueError(f"logits {tuple(logits.shape)}, noise {tuple(uniform.shape)}")
    (wide,) = widened(logits)
    # A softmax does not see a constant per row: normalising the logits first would change neither y nor its gradient.
    # The noise is nowhere else, and the sum divided in place, so that three times the logits is all it ever holds.
    soft = torch.softmax((wide + _gumbel_noise(wide, uniform, generator)).div_(tau), dim=-1)
    hard = torch.zeros_like(soft).scatter_(-1, soft.detach().argmax(dim=-1, keepdim=True), 1.0)
    # soft - soft is exactly 0: (hard - soft) + soft, the usual way round, leaves a value near 1 only.
    return hard.add_(soft - soft.detach())


def mixed_embeddings(input_ids: Tensor, masked: Tensor, one_hot_at_masked: Tensor, table: Tensor) -> Tensor:
    """Embeddings [B, L, D]: ``p E`` at the masked positions, ``E[input_ids]`` at the others.

    ``masked`` is bool [B, L] with n positions set, ``one_hot_at_masked`` p [n, V] belongs to them in row-major order,
    ``table`` E [V, D] is the word embedding of the network that is to read them: each network has its own. The gradient
    flows into p and into the table, whoever owns it: freeze what is to stay. The result has the table's dtype.
    Raises ValueError where p and ``masked``, or p and the table, differ in number.
    """
    where = masked.bool().nonzero(as_tuple=True)
    wanted = (where[0].shape[0], table.shape[0])
    if one_hot_at_masked.shape != wanted:
        raise ValueError(f"one-hot {tuple(one_hot_at_masked.shape)}: masked positions and vocabulary are {wanted}")
    with without_autocast(table):  # it would round the words of the table to bfloat16
        invented = one_hot_at_masked.to(table.dtype) @ table
    return F.embedding(input_ids, table).index_put(where, invented)


def _gumbel_noise(like: Tensor, uniform: Tensor | None, generator: torch.Generator | None) -> Tensor:
    """-ln(-ln u) in shape and dtype of ``like``, of ``uniform`` or drawn; the caller's ``uniform`` stays as it is."""
    if uniform is None:
        noise = torch.rand(like.shape, generator=generator, dtype=like.dtype, device=like.device)
    else:
        noise = uniform.detach().to(like.dtype, copy=True)
    return noise.add_(EPSILON).log_().neg_().add_(EPSILON).log_().neg_()
