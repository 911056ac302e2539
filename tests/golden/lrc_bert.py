"""Reference values of ``lrc_bert/``: COS-NCE with its soft and hard losses, gradient perturbation, the two stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from raykd.losses.cosine_contrast import View, cos_nce, cos_nce_terms, softened_hard
from raykd.losses.logits import hard_cross_entropy, kl_divergence, logits_mse, regression_mse
from raykd.losses.perturbation import Norm, perturb
from raykd.methods.recipe import Recipe, Stage
from raykd.train.stages import plan_stages

from .cases import Arrays, Case, Tolerance, gradient, outcomes, read, tensors

EXACT = Tolerance(relative=0.0, if_zero=0.0)
LOSS = Tolerance(relative=1e-10)
GRADIENT = Tolerance(relative=1e-9, absolute=1e-12)
PERTURBED = Tolerance(relative=1e-8, absolute=1e-11)

# The results by the name of their array, with what each may differ by.
Results = dict[str, tuple[np.ndarray | float, Tolerance]]
NORMS: dict[str, Norm] = {"per_sample": "sample", "whole_batch": "batch", "per_token": "token"}


def _losses(arrays: Arrays) -> Results:
    given = tensors(arrays, torch.float64)
    student, teacher = given["in_student_logits"], given["in_teacher_logits"]
    tau, labels = float(arrays["par_tau"]), given["in_labels"]
    results: Results = {}
    for view in get_args(View):
        results |= _contrast(arrays, given, view)
    soft, hard = _soft(student, teacher, tau), softened_hard(student, labels, tau)
    onehot = hard_cross_entropy(student, labels)
    for name, loss in (("soft", soft), ("hard_literal", hard), ("hard_onehot", onehot)):
        results[f"out_{name}"] = loss.item(), LOSS
        student.grad = None
        loss.backward(retain_graph=True)
        results[f"out_{name}_grad_logits"] = gradient(student), GRADIENT
    predictions = given["in_student_logit_regression"]
    results["out_soft_regression"] = logits_mse(predictions, given["in_teacher_logit_regression"]).item(), LOSS
    results["out_hard_regression"] = regression_mse(predictions, given["in_labels_regression"]).item(), LOSS

    contrast = _layers(arrays, given)[2]
    first, second = arrays["par_stage1_weights"].tolist(), arrays["par_stage2_weights"].tolist()
    results["out_total_stage1"] = _total(first, contrast, soft, hard).item(), LOSS
    results["out_total_stage2_literal"] = _total(second, contrast, soft, hard).item(), LOSS
    results["out_total_stage2_onehot"] = _total(second, contrast, soft, onehot).item(), LOSS
    return results


def _contrast(arrays: Arrays, given: dict[str, Tensor], view: View) -> Results:
    hidden, weight, loss = _layers(arrays, given, view)
    loss.backward()
    student, teacher = hidden.detach() @ weight.detach(), _teacher(arrays, given)
    name = f"out_cosnce_{view}"
    return {
        f"{name}_per_layer_sample": (cos_nce_terms(student, teacher, given["in_mask"], view).numpy(), LOSS),
        name: (loss.item(), LOSS),
        f"{name}_grad_hidden": (gradient(hidden), GRADIENT),
        f"{name}_grad_W": (gradient(weight), GRADIENT),
    }


def _layers(arrays: Arrays, given: dict[str, Tensor], view: View = "flat") -> tuple[Tensor, Tensor, Tensor]:
    """The student's states and the map, both leaves of their own, and COS-NCE of them."""
    hidden, weight = (given[name].clone().requires_grad_() for name in ("in_hid_student", "in_W"))
    layers = hidden.detach()[1:].requires_grad_()
    return layers, weight, cos_nce(layers @ weight, _teacher(arrays, given), given["in_mask"], view)


def _teacher(arrays: Arrays, given: dict[str, Tensor]) -> Tensor:
    return given["in_hid_teacher"][np.atleast_1d(arrays["par_phi"]).tolist()]


def _soft(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    return kl_divergence(student, teacher, tau) / tau**2


def _total(weights: list[float], contrast: Tensor, soft: Tensor, hard: Tensor) -> Tensor:
    return weights[0] * contrast + weights[1] * soft + weights[2] * hard


def _perturbation(arrays: Arrays) -> Results:
    given = tensors(arrays, torch.float64)
    embeddings, first, last = (given[f"in_{name}"].requires_grad_() for name in ("emb", "A", "C"))
    mask, tau = given["in_mask"], float(arrays["par_tau"])

    def total(given_embeddings: Tensor) -> Tensor:
        hidden = torch.tanh(given_embeddings @ first)
        real = mask.to(hidden.dtype).unsqueeze(-1)
        logits = (hidden * real).sum(dim=1) / real.sum(dim=1) @ last
        contrast = cos_nce(hidden.unsqueeze(0), given["in_teacher_hidden"].unsqueeze(0), mask)
        hard = softened_hard(logits, given["in_labels"], tau)
        return _total(arrays["par_weights"].tolist(), contrast, _soft(logits, given["in_teacher_logits"], tau), hard)

    loss = total(embeddings)
    (slope,) = torch.autograd.grad(loss, embeddings)
    results: Results = {"out_loss_first_pass": (loss.item(), PERTURBED), "out_grad_emb": (slope.numpy(), PERTURBED)}
    for name, norm in NORMS.items():
        moved = perturb(embeddings, slope, norm, attention_mask=mask)
        again = total(moved)
        slopes = torch.autograd.grad(again, (first, last))
        results[f"out_emb_{name}"] = moved.detach().numpy(), PERTURBED
        results[f"out_loss_second_pass_{name}"] = again.item(), PERTURBED
        results[f"out_grad_A_{name}"] = slopes[0].numpy(), PERTURBED
        results[f"out_grad_C_{name}"] = slopes[1].numpy(), PERTURBED
    return results


def _schedule(arrays: Arrays) -> Results:
    totals, fraction = np.atleast_1d(arrays["par_total_steps"]).tolist(), float(arrays["par_fraction"])
    two = Recipe((Stage((), until=fraction, name="first"), Stage((), name="all")))
    stages = np.full((len(totals), max(totals)), -1)
    for row, total in zip(stages, totals, strict=True):
        for span in plan_stages(two, total):
            row[span.start : span.end] = 1 + two.stages.index(span.stage)
    return {"out_stage": (stages, EXACT)}


# File name -> what its arrays should be.
FILES: dict[str, Callable[[Arrays], Results]] = {
    "losses": _losses,
    "gradient_perturbation": _perturbation,
    "two_stage_schedule": _schedule,
}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    name = path.stem.split("__")[0]
    if name not in FILES:
        return None
    arrays = read(path)
    return outcomes(arrays, FILES[name](arrays))
