"""Time and memory of FSD, COS-NCE and ALP against the published way: ``python -m tests.benchmarks.kernels_fsd``.

The rival writes each formula in its plain form: Gram matrices and H K H for CKA, ``torch.cdist`` and normalised copies
for centroids, normalised rows for cosines, one student layer at a time for ALP. The teacher has no graph in either.
Both get the same tensors and must give the same value and gradients. ``of given`` is the way a run goes that has stored
what the loss asks of the teacher; the rival is the same. Time is the median over repeats of forward and backward, ours
and the rival in turns; memory the peak of bytes that torch holds above what it held before.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from raykd.losses.attentive_layers import Buckets, alp, buckets
from raykd.losses.centroid_products import centroid_relations, memory_gram, relations_and_gram
from raykd.losses.centroids import (
    feature_to_centroid_cosine_of,
    feature_to_centroid_distance_of,
    memory_cka_of,
)
from raykd.losses.cka import fsd_intra, fsd_intra_of, fsd_local, word_gram
from raykd.losses.cosine_contrast import View, cos_nce
from tests.benchmarks.losses import peak_bytes

Loss = Callable[[], Tensor]


def plain_cka_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """-ln of the mean CKA of rows [..., n, p] and [..., n, q], from H K H of each, made once."""
    number = student.shape[-2]
    centre = torch.eye(number) - torch.full((number, number), 1 / number)
    x, y = (centre @ (rows @ rows.mT) @ centre for rows in (student, teacher))

    def hsic(first: Tensor, second: Tensor) -> Tensor:
        return (first * second).sum(dim=(-1, -2))

    similarity = hsic(x, y) / (hsic(x, x).sqrt() * hsic(y, y).sqrt())
    return -(similarity.abs().mean() + 1e-8).log()


def plain_global(student: Tensor, teacher: Tensor, student_memory: Tensor, teacher_memory: Tensor) -> Tensor:
    """FSD_G with gamma = 1/2, of features [B, F] and memories [M, F]."""

    def cosines(features: Tensor, memory: Tensor) -> Tensor:
        return F.normalize(features, dim=1) @ F.normalize(memory, dim=1).T

    with torch.no_grad():
        targets = (torch.cdist(teacher, teacher_memory).square() + 1e-8).sqrt()
        told = cosines(teacher, teacher_memory)
    distance = F.mse_loss(torch.cdist(student, student_memory), targets)
    cosine = F.mse_loss(cosines(student, student_memory), told)
    return distance / 2 + cosine / 2 + plain_cka_loss(student_memory, teacher_memory)


def our_global(student: Tensor, student_memory: Tensor, told: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    relations, gram = relations_and_gram(student, student_memory)
    distance = feature_to_centroid_distance_of(relations.squared_distances, told[0])
    cosine = feature_to_centroid_cosine_of(relations.cosines, told[1])
    return distance / 2 + cosine / 2 + memory_cka_of(gram, told[2])


def plain_nce(student: Tensor, teacher: Tensor, mask: Tensor, view: str) -> Tensor:
    """Eqs. 1-3 of LRC-BERT, one layer at a time."""
    number = len(mask)
    common = (mask @ mask.T) if view == "token" else torch.ones(number, number)
    others = 1 - torch.eye(number)
    total = student.new_zeros(())
    for z, t in zip(student, teacher, strict=True):
        z, t = z * mask.unsqueeze(-1), t * mask.unsqueeze(-1)
        if view == "token":
            z, t = F.normalize(z, dim=-1).flatten(1), F.normalize(t, dim=-1).flatten(1)
        elif view == "flat":
            z, t = F.normalize(z.flatten(1), dim=-1), F.normalize(t.flatten(1), dim=-1)
        else:  # of the mean its length does not matter
            z, t = (F.normalize(x[:, 0] if view == "cls" else x.sum(dim=1), dim=-1) for x in (z, t))
        distance = 1 - z @ t.T / common
        own = distance.diagonal()
        total = total + (own + ((2 - distance + own.unsqueeze(1)) * others).sum(1) / (2 * (number - 1))).mean()
    return total


def plain_alp(student: Tensor, teacher: Tensor, allowed: Tensor) -> Tensor:
    """One student layer at a time: products with its teacher layers, their softmax, the weighted mean."""
    total = student.new_zeros(())
    for ours, chosen in zip(student, allowed, strict=True):
        theirs = teacher[chosen]
        weights = (ours * theirs).sum(dim=-1, keepdim=True).softmax(dim=0)
        total = total + F.mse_loss(ours, (weights * theirs).sum(dim=0))
    return total / len(student)


@dataclass(frozen=True)
class Duel:
    """leaves: what gets gradients."""

    name: str
    ours: Loss
    plain: Loss
    leaves: Sequence[Tensor]


def duels(given: argparse.Namespace) -> list[Duel]:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    batch, length, width, number = given.batch, given.length, given.width, given.centroids
    student, teacher = normal(batch, length, width), normal(batch, length, width)
    student.requires_grad_()
    told = word_gram(teacher, None)
    rows, taught = normal(batch, length * width).requires_grad_(), normal(batch, length * width)
    memory, teachers = normal(number, length * width).requires_grad_(), normal(number, length * width)
    known = centroid_relations(taught, teachers)
    constants = known.squared_distances, known.cosines, memory_gram(teachers)
    layers, wanted = normal(given.layers, batch, length, width), normal(given.layers, batch, length, width)
    layers.requires_grad_()
    lengths = torch.linspace(length // 4, length, batch).long()
    mask = (torch.arange(length) < lengths.unsqueeze(1)).float()
    few, many = normal(given.layers, batch, width).requires_grad_(), normal(3 * given.layers, batch, width)

    def both(intra: Tensor) -> Tensor:
        return intra + fsd_local(student, teacher, None)

    def plain_both() -> Tensor:
        return plain_cka_loss(student, teacher) + plain_cka_loss(student.flatten(1), teacher.flatten(1))

    def plain_g() -> Tensor:
        return plain_global(rows, taught, memory, teachers)

    def our_g_live() -> Tensor:
        with torch.no_grad():
            relations = centroid_relations(taught, teachers)
        return our_global(rows, memory, (relations.squared_distances, relations.cosines, constants[2]))

    def nce(view: View) -> Duel:
        ways = partial(cos_nce, layers, wanted, mask, view), partial(plain_nce, layers, wanted, mask, view)
        return Duel(f"COS-NCE {view}", *ways, [layers])

    def projected(kind: Buckets) -> Duel:
        allowed = buckets(given.layers, 3 * given.layers, kind)
        return Duel(f"ALP {kind}", partial(alp, few, many, allowed), partial(plain_alp, few, many, allowed), [few])

    return [
        Duel("FSD_I + FSD_L", lambda: both(fsd_intra(student, teacher, None)), plain_both, [student]),
        Duel("FSD_I + FSD_L of given", lambda: both(fsd_intra_of(student, told, None)), plain_both, [student]),
        Duel("FSD_G, teacher's Gram given", our_g_live, plain_g, [rows, memory]),
        Duel("FSD_G of given", lambda: our_global(rows, memory, constants), plain_g, [rows, memory]),
        *map(nce, get_args(View)),
        projected("all"),
        projected("po"),
    ]


def step(loss: Loss, leaves: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The value and the gradients."""
    value = loss()
    return (value.detach(), *torch.autograd.grad(value, leaves))


def peak(run: Callable[[], object]) -> float:
    """MiB."""
    return peak_bytes(run) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.kernels_fsd", description=__doc__)
    sizes = {"batch": 32, "length": 128, "width": 768, "centroids": 300, "layers": 4, "repeats": 7, "threads": 1}
    for name, size in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=size, help=f"default {size}")
    parser.add_argument("--only", default="", help="those with this in their name")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(f"forward and backward, float32, CPU, {given.threads} thread(s): {vars(given)}")
    print(f"{'':28}{'ours':>10}{'plain':>10}{'ratio':>8}{'ours':>11}{'plain':>11}{'ratio':>8}")
    for duel in duels(given):
        if given.only not in duel.name:
            continue
        ways = duel.ours, duel.plain
        found = [step(way, duel.leaves) for way in ways]
        for ours, plain in zip(*found, strict=True):
            if (ours - plain).abs().max() > 1e-3 * plain.abs().max():
                raise SystemExit(f"{duel.name}: ours {ours}, plain {plain}: they do not compute the same")
        del found
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(given.repeats):
            for way, kept in zip(ways, seconds, strict=True):
                start = time.perf_counter()
                step(way, duel.leaves)
                kept.append(time.perf_counter() - start)
        times = [1e3 * statistics.median(kept) for kept in seconds]
        peaks = [peak(partial(step, way, duel.leaves)) for way in ways]
        print(
            f"{duel.name:28}{times[0]:8.2f}ms{times[1]:8.2f}ms{times[1] / times[0]:7.1f}x"
            f"{peaks[0]:8.1f}MiB{peaks[1]:8.1f}MiB{peaks[1] / peaks[0]:7.1f}x",
            flush=True,
        )


if __name__ == "__main__":
    main()
