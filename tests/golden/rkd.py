"""Reference values of ``rkd/``: distances, angles and rankings between the samples of a batch."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from torch import Tensor

from raykd.losses.rkd import dark_rank, rkd_angle, rkd_distance

from .cases import Arrays, Case, Tolerance, read
from .values import Term, compared, floats

TOLERANCES = {"": Tolerance(1e-8, 1e-11), "out_distance_dup": Tolerance(1e-6, 1e-11)}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    if path.stem.split("__")[0] != "rkd":
        return None
    arrays = read(path)
    return compared(arrays, _terms(arrays), TOLERANCES)


def _terms(arrays: Arrays) -> dict[str, Term]:
    values = floats(arrays)
    student, teacher = values["student"], values["teacher"]
    duplicated = student.clone()
    duplicated[1] = student[0]
    scale = values["dark_input_scale"]
    alpha, beta = values["dark_alpha"].item(), values["dark_beta"].item()
    ranking = partial(dark_rank, alpha=alpha, beta=beta, permute_len=int(values["dark_permute_len"]))
    terms = {
        "distance": Term(student, lambda s: rkd_distance(s, teacher)),
        "angle": Term(student, lambda s: rkd_angle(s, teacher)),
        "dark_rank": Term(student, lambda s: ranking(scale * s, scale * teacher)),
        "distance_dup": Term(duplicated, lambda s: rkd_distance(s, teacher)),
        "angle_dup": Term(duplicated, lambda s: rkd_angle(s, teacher)),
    }
    for array in arrays:
        if weights := re.fullmatch(r"out_(repdistiller_(\d+)_(\d+))", array):
            weighted = partial(_weighted, teacher=teacher, weights=(int(weights[2]), int(weights[3])))
            terms[weights[1]] = Term(student, weighted)
    return terms


def _weighted(student: Tensor, teacher: Tensor, weights: tuple[int, int]) -> Tensor:
    return weights[0] * rkd_distance(student, teacher) + weights[1] * rkd_angle(student, teacher)
