"""Reference values of ``takd/``: the loss of either step of the chain, teacher to assistant to student."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from raykd.losses.logits import hard_cross_entropy, kl_divergence

from .cases import Case, Tolerance, compare, gradient, read, tensors, uncovered

TOLERANCE = Tolerance(relative=1e-10, absolute=1e-12)
RESULTS = {"out_loss", "out_grad_student_logits"}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    if path.stem.split("__")[0] != "step_loss":
        return None
    arrays = read(path)
    rows = arrays["par_lambda_T"].reshape(-1, 2).tolist()
    gradients = arrays["out_grad_student_logits"].reshape(len(rows), *arrays["in_student_logits"].shape)
    cases: list[Case] = []
    for number, (weight, temperature) in enumerate(rows):
        inputs = tensors(arrays, torch.float64)
        student = inputs["in_student_logits"]
        soft = kl_divergence(student, inputs["in_teacher_logits"], temperature, reduction="elementmean")
        loss = (1 - weight) * hard_cross_entropy(student, inputs["in_labels"]) + weight * soft
        loss.backward()
        where = f"[{number}] lambda={weight} T={temperature}"
        theirs = np.atleast_1d(arrays["out_loss"])[number]
        cases.append(compare(f"out_loss{where}", loss.item(), theirs, TOLERANCE))
        cases.append(compare(f"out_grad_student_logits{where}", gradient(student), gradients[number], TOLERANCE))
    return cases + [uncovered(array) for array in arrays if array.startswith("out_") and array not in RESULTS]
