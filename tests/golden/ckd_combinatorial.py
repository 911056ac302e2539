"""Reference values of ``ckd_combinatorial/``: the published code's form of the loss, and the paper's.

A mode's name leads its arrays; whatever modes a file has are checked. The projections are among the inputs.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from raykd.losses.layer_combination import combination_loss, concatenated, layer_sets, projected_teacher_loss

from .cases import Arrays, Case, Tolerance, compare, read, tensors, uncovered

# The published code's names, where ours are shorter.
OURS = {"regular_comb": "regular", "cross_comb": "cross"}

CODE = {"loss": Tolerance(1e-9, 1e-12), "grad_student": Tolerance(1e-9, 1e-12)}
PAPER = {"sum": Tolerance(1e-10), "mean": Tolerance(1e-10), "grad": Tolerance(1e-9, 1e-12)}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    forms = {"nmt_internal_loss": (_code_form, CODE), "paper_form": (_paper_form, PAPER)}
    name = path.stem.split("__")[0]
    if name not in forms:
        return None
    form, tolerances = forms[name]
    arrays = read(path)
    outputs = [array for array in arrays if array.startswith("out_")]
    cases: list[Case] = []
    checked: set[str] = set()
    for mode in dict.fromkeys(_mode(array, tolerances) for array in outputs):
        if mode is None:
            continue
        for part, value in form(arrays, mode).items():
            array = f"out_{mode}_{part}"
            if array in arrays:
                cases.append(compare(array, value.detach().numpy(), arrays[array], tolerances[part]))
                checked.add(array)
    return cases + [uncovered(array) for array in outputs if array not in checked]


def _mode(array: str, parts: dict[str, Tolerance]) -> str | None:
    """``skip_middle`` of ``out_skip_middle_loss``; None where the array is none of the parts."""
    endings = [f"_{part}" for part in parts if array.endswith(f"_{part}")]
    return array[len("out_") : -len(endings[0])] if endings else None


def _code_form(arrays: Arrays, mode: str) -> dict[str, Tensor]:
    inputs = tensors(arrays, torch.float64)
    # The arrays are time-major, [layers, L, B, d].
    student, teacher = inputs["in_student_layers"], inputs["in_teacher_layers"].transpose(1, 2)
    layers = student.transpose(1, 2)
    sets = layer_sets(len(layers), len(teacher), OURS.get(mode, mode))
    if mode == "skip":  # the widths are equal: nothing is projected
        projected = list(layers)
    else:
        weights, biases = inputs[f"in_{mode}_W"], inputs[f"in_{mode}_b"]
        projected = [F.linear(*given) for given in zip(layers, weights, biases, strict=True)]
    loss = combination_loss(
        projected, [concatenated(teacher, chosen) for chosen in sets], inputs["in_mask"].T, reduction="sum"
    )
    return {"loss": loss, "grad_student": torch.autograd.grad(loss, student)[0]}


def _paper_form(arrays: Arrays, mode: str) -> dict[str, Tensor]:
    inputs = tensors(arrays, torch.float64)
    student, teacher = inputs["in_student"], inputs["in_teacher"]
    projected = [
        F.linear(concatenated(teacher, chosen), inputs[f"in_{mode}_W{j}"], inputs[f"in_{mode}_b{j}"])
        for j, chosen in enumerate(layer_sets(len(student), len(teacher), OURS.get(mode, mode)))
    ]
    total = projected_teacher_loss(list(student), projected, reduction="sum")
    (gradient,) = torch.autograd.grad(total, student)
    return {"sum": total, "mean": projected_teacher_loss(list(student), projected), "grad": gradient}
