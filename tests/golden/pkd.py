"""Reference values of ``pkd/``: patience on [CLS] states, and the objective of the published training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from raykd.losses.hidden import cls_patience, hidden_mse
from raykd.losses.logits import hard_cross_entropy, kl_divergence

from .cases import Arrays, Case, Tolerance, gradient, outcomes, read, tensors

FLOAT64 = Tolerance(relative=1e-10, absolute=1e-12)
AS_SHIPPED = Tolerance(relative=2e-3)  # the published function casts its result to float16

# Array -> our value and how near it must be.
Results = dict[str, tuple[object, Tolerance]]


def _patience(arrays: Arrays) -> Results:
    results: Results = {}
    for form, loss in (("normalized", cls_patience), ("plain", hidden_mse)):
        inputs = tensors(arrays, torch.float64)
        value = loss(inputs["in_student_cls"], inputs["in_teacher_cls"])
        value.backward()
        results[f"out_{form}"] = (value.item(), FLOAT64)
        results[f"out_{form}_as_shipped_fp16"] = (value.item(), AS_SHIPPED)
        results[f"out_{form}_grad"] = (gradient(inputs["in_student_cls"]), FLOAT64)
    return results


def _objective(arrays: Arrays) -> Results:
    inputs = tensors(arrays, torch.float64)
    temperature, alpha, beta = (arrays[f"par_{name}"].item() for name in ("T", "alpha", "beta"))
    layers = np.atleast_1d(arrays["par_teacher_layers_zero_based"]).tolist()
    student, logits = inputs["in_student_cls_all"], inputs["in_student_logits"]
    soft = kl_divergence(logits, inputs["in_teacher_logits"], temperature, reduction="elementmean")
    hard = hard_cross_entropy(logits, inputs["in_labels"])
    patience = beta * cls_patience(student[:-1], inputs["in_teacher_cls_all"][layers])
    loss = (1 - alpha) * hard + alpha * soft + patience
    loss.backward()
    results = {
        "out_loss": loss.item(),
        "out_kd_loss": soft.item(),
        "out_ce_loss": hard.item(),
        "out_pt_loss_weighted": patience.item(),
        "out_grad_student_cls": gradient(student),
        "out_grad_student_logits": gradient(logits),
    }
    return {name: (value, FLOAT64) for name, value in results.items()}


FILES: dict[str, Callable[[Arrays], Results]] = {"patience_loss": _patience, "objective": _objective}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    name = path.stem.split("__")[0]
    if name not in FILES:
        return None
    arrays = read(path)
    return outcomes(arrays, FILES[name](arrays))
