"""The relation losses once more, as plain loops over layers, sentences and tokens: slow, and easy to believe.

Every function returns a sum over one set of points (a sentence in one layer, or a token in all layers); the losses
below divide. Autograd runs through the loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

Points = Sequence[Tensor]


def unit(vector: Tensor) -> Tensor:
    return vector / vector.norm() if bool(vector.detach().norm() > 0) else torch.zeros_like(vector)


def added(parts: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(parts)).sum()


def penalised(x: Tensor, penalty: str) -> Tensor:
    if penalty == "smooth_l1":
        return 0.5 * x**2 if bool(x.abs() < 1) else x.abs() - 0.5
    return x.abs() if penalty == "l1" else x**2


def kl_of(student: Points, teacher: Points) -> Tensor:
    total = torch.zeros((), dtype=student[0].dtype)
    for i in range(len(student)):
        others = [j for j in range(len(student)) if j != i]
        if not others:
            continue
        p, q = (
            torch.softmax(torch.stack([unit(points[i]) @ unit(points[j]) for j in others]), dim=0)
            for points in (teacher, student)
        )
        total = total + (p * (p / q).log()).sum()
    return total


def distance_of(
    student: Points, teacher: Points, *, normalise: bool, penalty: str, squared: bool, delta: int | None = None
) -> tuple[Tensor, int]:
    """The sum, and how many pairs there are (i = j among them)."""
    number = len(student)
    near = [(i, j) for i in range(number) for j in range(number) if delta is None or abs(i - j) <= delta]

    def distances(points: Points) -> dict[tuple[int, int], Tensor]:
        found = {(i, j): ((points[i] - points[j]) ** 2).sum() for i, j in near if i != j}
        if not squared:
            found = {pair: value.sqrt() for pair, value in found.items()}
        if normalise and found:
            mean = torch.stack(list(found.values())).mean()
            found = {pair: value / mean for pair, value in found.items()}
        return found

    ours, theirs = distances(student), distances(teacher)
    total = torch.zeros((), dtype=student[0].dtype)
    for pair in ours:
        total = total + penalised(ours[pair] - theirs[pair], penalty)
    return total, len(near)


def angle_of(student: Points, teacher: Points, vertex: int, corners: Sequence[int], penalty: str) -> Tensor:
    def cosine(points: Points, j: int, k: int) -> Tensor:
        return unit(points[j] - points[vertex]) @ unit(points[k] - points[vertex])

    total = torch.zeros((), dtype=student[0].dtype)
    for j in corners:
        for k in corners:
            total = total + penalised(cosine(student, j, k) - cosine(teacher, j, k), penalty)
    return total


def over_sentences(student: Tensor, mask: Tensor) -> list[tuple[int, int, int]]:
    """(layer, sentence, real length); real tokens come first."""
    return [(k, b, int(mask[b].sum())) for k in range(len(student)) for b in range(len(mask))]


def word_pair_kl(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    sentences = over_sentences(student, mask)
    total = added(kl_of(student[k, b, :n].unbind(), teacher[k, b, :n].unbind()) for k, b, n in sentences)
    return total / sum(n**2 for _, _, n in sentences)


def word_pair_distance(student: Tensor, teacher: Tensor, mask: Tensor, **how: Any) -> Tensor:
    sentences = over_sentences(student, mask)
    parts = [distance_of(student[k, b, :n].unbind(), teacher[k, b, :n].unbind(), **how) for k, b, n in sentences]
    return added(part for part, _ in parts) / sum(number for _, number in parts)


def word_angle(
    student: Tensor, teacher: Tensor, mask: Tensor, delta: int | None, penalty: str = "l2", neighbours: str = "clamp"
) -> Tensor:
    last = student.shape[2] - 1
    total, number = torch.zeros((), dtype=student.dtype), 0
    for k, b, n in over_sentences(student, mask):
        for i in range(n):
            if delta is None:
                corners = list(range(n))
            elif neighbours == "clamp":
                corners = [min(max(i + o, 0), last) for o in range(-delta, delta + 1)]
            else:
                corners = [p for p in range(n) if abs(p - i) <= delta]
            total = total + angle_of(student[k, b].unbind(), teacher[k, b].unbind(), i, corners, penalty)
            number += len(corners) ** 2
    return total / number


def over_tokens(function: Callable[[Points, Points], Tensor], student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """The sum of a function over the real tokens, divided by their number."""
    tokens = mask.nonzero().tolist()
    return added(function(student[:, b, i].unbind(), teacher[:, b, i].unbind()) for b, i in tokens) / len(tokens)


def layer_pair_kl(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    return over_tokens(kl_of, student, teacher, mask) / len(student) ** 2


def layer_pair_distance(student: Tensor, teacher: Tensor, mask: Tensor, **how: Any) -> Tensor:
    return over_tokens(lambda s, t: distance_of(s, t, **how)[0], student, teacher, mask) / len(student) ** 2


def layer_angle(student: Tensor, teacher: Tensor, mask: Tensor, penalty: str = "l2") -> Tensor:
    every = range(len(student))
    return (
        over_tokens(lambda s, t: added(angle_of(s, t, i, every, penalty) for i in every), student, teacher, mask)
        / len(student) ** 3
    )
