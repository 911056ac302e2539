"""Reference values of ``vanilla_kd/``: Hinton's loss and the ways published code weighs it against hard labels.

A file holds one pair of logits, a list of parameters (one row a case, however many) and a value and gradient for each.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from raykd.losses import hard_cross_entropy, kl_divergence

from .cases import Case, Tolerance, compare, gradient, read, tensors, uncovered

TOLERANCE = Tolerance(relative=1e-10, absolute=1e-12)

# From logits, labels and one row of parameters: the results by the name of their array.
Results = dict[str, Tensor]
Objective = Callable[[Tensor, Tensor, Tensor, list[float]], Results]


def _kl(student: Tensor, teacher: Tensor, labels: Tensor, row: list[float]) -> Results:
    (temperature,) = row
    return {"loss": kl_divergence(student, teacher, temperature)}


def _ce_plus_kl(student: Tensor, teacher: Tensor, labels: Tensor, row: list[float]) -> Results:
    gamma, alpha, temperature = row
    soft = kl_divergence(student, teacher, temperature)
    return {"loss": gamma * hard_cross_entropy(student, labels) + alpha * soft}


def _torchdistill(student: Tensor, teacher: Tensor, labels: Tensor, row: list[float]) -> Results:
    alpha, temperature = row
    soft = kl_divergence(student, teacher, temperature)
    return {"loss": alpha * hard_cross_entropy(student, labels) + (1 - alpha) * soft}


def _pkd(student: Tensor, teacher: Tensor, labels: Tensor, row: list[float]) -> Results:
    alpha, temperature = row
    soft = kl_divergence(student, teacher, temperature, reduction="elementmean")
    hard = hard_cross_entropy(student, labels)
    return {"loss": alpha * soft + (1 - alpha) * hard, "kd_loss": soft, "ce_loss": hard}


# File name -> array of parameters (its name lists the columns), objective.
OBJECTIVES: dict[str, tuple[str, Objective]] = {
    "kl_batchmean": ("par_temperatures", _kl),
    "ce_plus_kl_batchmean": ("par_gamma_alpha_T", _ce_plus_kl),
    "torchdistill_kdloss": ("par_alpha_T", _torchdistill),
    "pkd_repo_distillation_loss": ("par_alpha_T", _pkd),
}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    name = path.stem.split("__")[0]
    if name not in OBJECTIVES:
        return None
    parameters, objective = OBJECTIVES[name]
    arrays = read(path)
    rows = arrays[parameters].reshape(len(np.atleast_1d(arrays["out_loss"])), -1).tolist()

    cases: list[Case] = []
    for number, row in enumerate(rows):
        inputs = tensors(arrays, torch.float64)
        student, teacher = inputs["in_student_logits"], inputs["in_teacher_logits"]
        labels = inputs["in_labels"] if "in_labels" in inputs else torch.zeros(len(student), dtype=torch.long)
        results = objective(student, teacher, labels, row)
        results["loss"].backward()
        where = f"[{number}] {parameters[4:]}={row}"
        for part, value in results.items():
            theirs = np.atleast_1d(arrays[f"out_{part}"])[number]
            cases.append(compare(f"out_{part}{where}", value.item(), theirs, TOLERANCE))
        theirs = arrays["out_grad_student_logits"].reshape(len(rows), *student.shape)[number]
        cases.append(compare(f"out_grad_student_logits{where}", gradient(student), theirs, TOLERANCE))

    checked = {"out_grad_student_logits", *(f"out_{part}" for part in results)}
    unknown = [array for array in arrays if array.startswith("out_") and array not in checked]
    return cases + [uncovered(array) for array in unknown]
