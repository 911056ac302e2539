"""Which teacher layer each student layer learns from."""

from __future__ import annotations

import math

Alignment = tuple[tuple[int, ...], tuple[int, ...]]

STRATEGIES = ("emb+skip", "final", "emb", "emb+final", "triple", "att_skip")


def align_layers(teacher_layers: int, student_layers: int, strategy: str = "emb+skip") -> Alignment:
    """Matched indices ``(teacher, student)`` of equal length, for networks of so many encoder layers.

    Hidden states are numbered 0 (embedding output), 1, ... L (layers), as in Park et al. 2021 and its code:

    - ``emb+skip``: with g = gcd(L_t, L_s), teacher k L_t / g and student k L_s / g for k = 0..g;
    - ``final``: the last layers; ``emb``: the embedding outputs; ``emb+final``: both;
    - ``triple``: 0, floor(L / 2) and L.

    Attention maps are numbered from 0 (first layer), and ``att_skip`` matches student map k with teacher map
    k L_t / L_s, for all k < L_s.

    Raises ValueError for an unknown strategy, a network without layers, and ``att_skip`` where L_s does not divide L_t.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"layer strategy {strategy!r}: allowed are {', '.join(STRATEGIES)}")
    for whose, layers in (("teacher", teacher_layers), ("student", student_layers)):
        if layers < 1:
            raise ValueError(f"{whose} with {layers} layers: a {whose} has 1 layer or more")

    if strategy == "att_skip":
        return _attention_skip(teacher_layers, student_layers)
    return _states(teacher_layers, student_layers, strategy), _states(student_layers, teacher_layers, strategy)


def _states(layers: int, other_layers: int, strategy: str) -> tuple[int, ...]:
    if strategy == "emb+skip":
        return tuple(range(0, layers + 1, layers // math.gcd(layers, other_layers)))
    fixed = {"final": (layers,), "emb": (0,), "emb+final": (0, layers), "triple": (0, layers // 2, layers)}
    return fixed[strategy]


def _attention_skip(teacher_layers: int, student_layers: int) -> Alignment:
    if teacher_layers % student_layers:
        divisors = [n for n in range(1, teacher_layers + 1) if teacher_layers % n == 0]
        raise ValueError(
            f"att_skip cannot match {student_layers} student layers with {teacher_layers} teacher layers: "
            f"a student of {', '.join(map(str, divisors))} layers can"
        )
    return tuple(range(0, teacher_layers, teacher_layers // student_layers)), tuple(range(student_layers))
