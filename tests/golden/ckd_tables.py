"""Reference tables of ``ckd/``: matched layer indices and clamped window positions."""

from __future__ import annotations

import re

import numpy as np
import torch

from raykd.losses import align_layers
from raykd.losses.word_relations import corner_counts

from .cases import Arrays, Case, Tolerance, broken, compare

EXACT = Tolerance(0.0, if_zero=0.0)


def alignments(arrays: Arrays) -> list[Case]:
    """Every index map, and a refusal where the table has no ``att_skip`` for a pair it lists."""
    cases: list[Case] = []
    for name in arrays:
        if name == "pairs":
            continue
        key = re.fullmatch(r"(?P<strategy>.+)__t(?P<t>\d+)_s(?P<s>\d+)__(?P<side>[ts])_index", name)
        if key is None:
            cases.append(broken(name, "not a name of an index map"))
            continue
        try:
            both = align_layers(int(key["t"]), int(key["s"]), key["strategy"])
        except ValueError as problem:
            cases.append(broken(name, str(problem)))
            continue
        cases.append(compare(name, both["ts".index(key["side"])], arrays[name], EXACT))

    for teacher, student in arrays["pairs"].tolist():
        if f"att_skip__t{teacher}_s{student}__t_index" not in arrays:
            cases.append(_refused(teacher, student))
    return cases


def _refused(teacher: int, student: int) -> Case:
    variant = f"att_skip refuses t{teacher}_s{student}"
    try:
        indices = align_layers(teacher, student, "att_skip")
    except ValueError:
        return Case(variant, ours=1, theirs=1, error=0, allowed=0)
    return broken(variant, f"ours {indices}, theirs: impossible")


def window_positions(arrays: Arrays) -> list[Case]:
    """How often each position is a neighbour of each vertex: the (L, W) tables of positions, counted."""
    cases: list[Case] = []
    for name, positions in arrays.items():
        length, window = positions.shape
        theirs = np.stack([np.bincount(row, minlength=length) for row in positions])
        ours = corner_counts(torch.ones(1, length, dtype=torch.bool), (window - 1) // 2, "clamp")
        cases.append(compare(name, ours[0].numpy(), theirs, EXACT))
    return cases
