"""The relation losses by name, ours and the plain loops, and the tensors that tests run them on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from raykd import losses

from . import naive

Relation = Callable[..., Tensor]
PENALTIES = ("l1", "l2", "smooth_l1")


def named(function: str, **arguments: Any) -> tuple[Relation, Relation]:
    """Our loss and the loop of the same name, with the arguments given to both."""
    return partial(vars(losses)[function], **arguments), partial(vars(naive)[function], **arguments)


RELATIONS: dict[str, tuple[Relation, Relation]] = {
    "word_pair_kl": named("word_pair_kl"),
    "layer_pair_kl": named("layer_pair_kl"),
    **{
        f"{across}_pair_distance {penalty} normalise={normalise} squared={squared}": named(
            f"{across}_pair_distance", penalty=penalty, normalise=normalise, squared=squared
        )
        for across in ("word", "layer")
        for penalty in PENALTIES
        for normalise in (False, True)
        for squared in (False, True)
    },
    "word_pair_distance near": named("word_pair_distance", penalty="l2", normalise=True, squared=False, delta=2),
    "word_pair_distance near raw": named(
        "word_pair_distance", penalty="smooth_l1", normalise=False, squared=True, delta=1
    ),
    **{f"word_angle full {penalty}": named("word_angle", delta=None, penalty=penalty) for penalty in PENALTIES},
    **{
        f"word_angle {neighbours} {delta} {penalty}": named(
            "word_angle", delta=delta, penalty=penalty, neighbours=neighbours
        )
        for neighbours in ("clamp", "valid")
        for delta, penalty in ((1, "l1"), (1, "l2"), (2, "smooth_l1"), (6, "l2"))
    },
    **{f"layer_angle {penalty}": named("layer_angle", penalty=penalty) for penalty in PENALTIES},
}


def tensors(
    layers: int = 3,
    lengths: tuple[int, ...] = (6, 3, 1),
    padded: int = 6,
    widths: tuple[int, int] = (4, 5),
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Random student [K, B, L, D_s] that wants a gradient, teacher [K, B, L, D_t], mask [B, L]."""
    generator = torch.Generator().manual_seed(seed)
    shape = (layers, len(lengths), padded)
    student, teacher = (torch.randn(*shape, width, generator=generator, dtype=torch.float64) for width in widths)
    mask = (torch.arange(padded) < torch.tensor(lengths).unsqueeze(1)).long()
    return student.to(dtype).requires_grad_(), teacher.to(dtype), mask


def value_and_gradient(relation: Relation, student: Tensor, teacher: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    leaf = student.detach().clone().requires_grad_()
    loss = relation(leaf, teacher, mask)
    assert loss.shape == ()
    (gradient,) = torch.autograd.grad(loss, leaf)
    return loss.detach(), gradient
