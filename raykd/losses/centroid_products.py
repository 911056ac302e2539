"""What FSD_G looks at in features and a memory of centroids: distances and cosines between them, the memory's Gram.

A memory is large (300 centroids of 128 x 768 numbers: 112 MiB), so everything is read off it in one pass over pieces of
a few columns, each about the centroids' mean. Autograd keeps the memory alone, and no copy; the gradient of all three
together is made in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .grams import clear_of_noise, double_centred, of_norm_one
from .precision import widened, without_autocast
from .unit import SHORTEST

# Squared distances within so many machine epsilons of their terms are rounding noise: 0, without a gradient.
_NOISE = 32

# Numbers of a memory that are worked on at once: within the cache of a CPU; elsewhere a pass of its own costs little.
_PIECE_CPU, _PIECE = 2**20, 2**26


@dataclass(frozen=True)
class CentroidRelations:
    """||x_b - m||^2, exactly 0 where only rounding is left, and cos(x_b, m), 0 where either is zero; [B, M] each."""

    squared_distances: Tensor
    cosines: Tensor


def centroid_relations(features: Tensor, memory: Tensor) -> CentroidRelations:
    """Of features [B, F] and centroids [M, F], from one product; differentiable in both.

    Memory for [B, M] numbers beside the input and its gradient.
    """
    return _relations(*_Products.apply(features, memory, False)[:4])


def relations_and_gram(features: Tensor, memory: Tensor) -> tuple[CentroidRelations, Tensor]:
    """``centroid_relations`` and ``memory_gram`` in one pass over the memory, and with one gradient [M, F] of it."""
    *products, gram = _Products.apply(features, memory, True)
    return _relations(*products), of_norm_one(gram)


def memory_gram(memory: Tensor) -> Tensor:
    """Inner products [M, M] of centroids [M, F] about their mean, the matrix of Frobenius norm 1; 0 if all are equal.

    Of the teacher's memory it is a constant of the run.
    """
    gram: Tensor = _Products.apply(memory[:0], memory, True)[4]
    return of_norm_one(gram)


def _relations(squared: Tensor, inner: Tensor, of_features: Tensor, of_memory: Tensor) -> CentroidRelations:
    """From inner products [B, M] and squared norms [B] and [M]."""
    lengths = []
    for norms in (of_features, of_memory):
        nonzero = norms > SHORTEST**2
        lengths.append(torch.where(nonzero, torch.where(nonzero, norms, 1.0).rsqrt(), 0.0))
    # Of vectors far shorter than the centroids' mean rounding could make any number of a cosine.
    return CentroidRelations(squared, (inner * lengths[0].unsqueeze(-1) * lengths[1]).clamp(-1, 1))


class _Products(torch.autograd.Function):
    """Squared distances and inner products [B, M], squared norms [B] and [M], and the memory's centred Gram [M, M]."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, memory: Tensor, with_gram: bool) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        number = len(memory)
        (zero,) = widened(memory.new_zeros(()), features.new_zeros(()))[:1]
        inner, gram = zero.new_zeros(len(features), number), zero.new_zeros(number, number)
        # Squared norms as they are and about the mean; inner products of what is about the mean with the mean.
        of_features, features_about, features_along = zero.new_zeros(3, len(features))
        of_memory, memory_about, memory_along = zero.new_zeros(3, number)
        of_mean = zero
        at_once = max(1, (_PIECE_CPU if memory.device.type == "cpu" else _PIECE) // max(1, number))
        with without_autocast(memory):
            for x, m in zip(features.split(at_once, dim=1), memory.split(at_once, dim=1), strict=True):
                x, m = x.to(zero.dtype), m.to(zero.dtype)
                of_features += _squared_norms(x)
                of_memory += _squared_norms(m)
                mean = m.mean(dim=0)
                x, m = x - mean, m - mean
                inner.addmm_(x, m.mT)
                if with_gram:
                    gram.addmm_(m, m.mT)
                features_about += _squared_norms(x)
                memory_about += _squared_norms(m)
                features_along += x @ mean
                memory_along += m @ mean
                of_mean = of_mean + mean.square().sum()
        norms = features_about.unsqueeze(-1) + memory_about
        squared = norms - 2 * inner
        apart = squared > _NOISE * torch.finfo(zero.dtype).eps * norms
        inner += features_along.unsqueeze(-1) + memory_along + of_mean
        gram = double_centred(gram)
        differ = clear_of_noise(gram, of_memory.amax())
        ctx.save_for_backward(features, memory, apart, differ)
        return torch.where(apart, squared, 0.0), inner, of_features, of_memory, torch.where(differ, gram, 0.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor | None) -> tuple[Tensor | None, Tensor | None, None]:
        """Every slope is a row of one linear map: of_feature = A m + b x, of_memory = A' x + (C + diag c) m."""
        features, memory, apart, differ = ctx.saved_tensors
        of_squared, of_inner, of_features, of_memory, of_gram = slopes
        x, m = widened(features, memory)
        across, own_x, own_m = x.new_zeros(apart.shape), x.new_zeros(len(x)), x.new_zeros(len(m))
        if of_squared is not None:
            of_squared = torch.where(apart, 2 * of_squared, 0.0)
            across, own_x, own_m = -of_squared, of_squared.sum(dim=1), of_squared.sum(dim=0)
        across = across if of_inner is None else across + of_inner
        own_x = own_x if of_features is None else own_x + 2 * of_features
        own_m = own_m if of_memory is None else own_m + 2 * of_memory
        for_features = for_memory = None
        with without_autocast(x):
            if ctx.needs_input_grad[0]:
                for_features = (x * own_x.unsqueeze(-1)).addmm_(across, m).to(features.dtype)
            if ctx.needs_input_grad[1]:
                if of_gram is None:
                    for_memory = m * own_m.unsqueeze(-1)
                else:
                    within = double_centred(torch.where(differ, of_gram + of_gram.mT, 0.0))
                    for_memory = (within + own_m.diag()) @ m
                for_memory = for_memory.addmm_(across.mT, x).to(memory.dtype)
        return for_features, for_memory, None


def _squared_norms(rows: Tensor) -> Tensor:
    """[N] of rows [N, F], without a copy of their squares."""
    return torch.linalg.vector_norm(rows, dim=1).square()
