"""Reference values of ``teacher_free/``: the published objectives, and label smoothing as texts define it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from raykd.losses import hard_cross_entropy, kl_divergence, soft_cross_entropy
from raykd.losses.teacher_free import label_smoothing, self_distillation, virtual_teacher

from .cases import Arrays, Case, Tolerance, compare, read, tensors, uncovered

TOLERANCES = {"losses": Tolerance(1e-10, 1e-12), "label_smoothing_uniform": Tolerance(1e-10)}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    name = path.stem.split("__")[0]
    if name not in TOLERANCES:
        return None
    arrays = read(path)
    results = _published(arrays) if name == "losses" else _uniform(arrays)
    return [
        compare(array, results[array].detach().numpy(), arrays[array], TOLERANCES[name])
        if array in results
        else uncovered(array)
        for array in arrays
        if array.startswith("out_")
    ]


def _published(arrays: Arrays) -> dict[str, Tensor]:
    inputs = tensors(arrays, torch.float64)
    student, teacher, labels = (inputs[f"in_{name}"] for name in ("student_logits", "teacher_logits", "labels"))
    given = {name[len("par_") :]: float(array) for name, array in arrays.items() if name.startswith("par_")}
    alpha, temperature, reg_alpha = given["kd_alpha"], given["kd_T"], given["reg_alpha"]
    hard = hard_cross_entropy(student, labels)
    soft = kl_divergence(student, teacher, temperature, reduction="elementmean")
    own = self_distillation(student, teacher, temperature, multiplier=given["self_multiplier"])
    virtual = virtual_teacher(
        student,
        labels,
        correct_probability=given["reg_correct_prob"],
        temperature=given["reg_T"],
        multiplier=given["reg_multiplier"],
    )
    objectives = {
        "kd": (1 - alpha) * hard + alpha * soft,
        "self_kd": (1 - alpha) * hard + alpha * own,
        "reg": (1 - reg_alpha) * hard + reg_alpha * virtual,
        "label_smoothing": label_smoothing(student, labels, given["ls_alpha"], onto="others"),
    }
    results = {f"out_{name}": value for name, value in objectives.items()}
    gradients = {
        f"out_{name}_grad": torch.autograd.grad(value, student, retain_graph=True)[0]
        for name, value in objectives.items()
    }
    return results | gradients


def _uniform(arrays: Arrays) -> dict[str, Tensor]:
    inputs = tensors(arrays, torch.float64)
    logits, labels = inputs["in_logits"].requires_grad_(), inputs["in_labels"]
    alpha = float(arrays["par_alpha"])  # the weight of the label: what is smoothed is the rest
    loss = label_smoothing(logits, labels, 1 - alpha, onto="every")
    uniform = torch.zeros_like(logits)
    return {
        "out_loss": loss,
        "out_decomposed": alpha * hard_cross_entropy(logits, labels) + (1 - alpha) * kl_divergence(logits, uniform),
        "out_constant": (1 - alpha) * soft_cross_entropy(uniform, uniform),
        "out_grad": torch.autograd.grad(loss, logits, retain_graph=True)[0],
    }
