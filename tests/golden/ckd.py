"""Reference values of ``ckd/``: which file holds what, and the comparison of its values and gradients.

What a case is computed with (layers, temperature, window, weights, inputs) is read from its arrays, and from its name
only where no array holds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from raykd.losses import align_layers

from .cases import Arrays, Case, Tolerance, broken, compare, gradient, read, tensors, uncovered
from .ckd_objectives import Setting, baseline, logit_term, relation, total
from .ckd_tables import alignments, window_positions

FLOAT64 = (Tolerance(1e-9), Tolerance(1e-8, by_largest=True))  # value, gradient
FLOAT32 = (Tolerance(1e-5, if_zero=1e-7), Tolerance(1e-4, by_largest=True, if_zero=1e-7))
FLOAT32_INSIDE = (Tolerance(1e-6), Tolerance(1e-6, by_largest=True))

# How near the published code came in float32: a measure, and nothing to reach.
UNCHECKED = {"loss_float32", "grad_float32_max_abs_err"}

# The unweighted parts and the loss, by the name of their array.
Results = dict[str, Tensor]

_PENALTY = r"(?P<penalty>l1loss|l2loss|smoothl1)"

TABLES: dict[str, Callable[[Arrays], list[Case]]] = {
    "layer_alignment": alignments,
    "window_positions": window_positions,
}
OBJECTIVES: dict[str, Callable[[re.Match[str], Setting], Results]] = {
    r"kd_(?P<term>softce|regression)(_T(?P<T>.+))?": logit_term,
    r"(?P<across>wr|ltr)_(?P<what>dist_cos_kldiv)": relation,
    r"(?P<across>wr|ltr)_(?P<what>dist_sqeuclid)_(?P<form>raw|norm)_" + _PENALTY: relation,
    r"(?P<across>wr)_(?P<what>angle)_(?P<form>full|window(?P<window>\d*))_" + _PENALTY: relation,
    r"(?P<across>ltr)_(?P<what>angle)_" + _PENALTY: relation,
    r"total_(?P<soft>kd|nokd)(?P<regression>_regression)?": total,
    r"baseline_(?P<what>pkd_cls|pkd_alltokens|hidden_mse|attention_mse)": baseline,
}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    name = path.stem.split("__")[0]
    if name in TABLES:
        return TABLES[name](read(path))
    for pattern, objective in OBJECTIVES.items():
        if match := re.fullmatch(pattern, name):
            return _compared(path, partial(objective, match))
    return None


def inputs_of(path: Path) -> Path | None:
    """The file of tensors that a case works on; None for a table, and for what is no case."""
    if path.stem.split("__")[0] in TABLES or "__" not in path.stem:
        return None
    return _inputs(path, read(path))


def _inputs(path: Path, arrays: Arrays) -> Path:
    return path.with_name(str(arrays.get("inputs", f"inputs_{path.stem.split('__')[-1]}.npz")))


def _compared(path: Path, objective: Callable[[Setting], Results]) -> list[Case]:
    arrays = read(path)
    inputs = read(_inputs(path, arrays))
    precisions = {torch.float64: FLOAT32_INSIDE if path.stem.startswith("baseline_pkd") else FLOAT64}
    if path.stem.startswith(("wr_", "ltr_")):
        precisions[torch.float32] = FLOAT32

    cases: list[Case] = []
    for dtype, (of_value, of_gradient) in precisions.items():
        variant = str(dtype).removeprefix("torch.")
        setting = _setting(arrays, inputs, dtype)
        results = objective(setting)
        results["loss"].backward()
        for name in arrays:
            if name in UNCHECKED:
                continue
            if name.startswith("grad_"):
                ours = gradient(setting.tensors[name.removeprefix("grad_")])
                cases.append(compare(f"{name} {variant}", ours, arrays[name], of_gradient))
            elif name in results:
                cases.append(compare(f"{name} {variant}", results[name].item(), arrays[name], of_value))
            elif name.startswith(("loss", "component_")):
                cases.append(uncovered(name))
    if "loss" not in arrays:
        cases.append(broken("loss", "the file holds no such array"))
    return cases


def _setting(arrays: Arrays, inputs: Arrays, dtype: torch.dtype) -> Setting:
    numbers = {name: array.item() for name, array in arrays.items() if array.ndim == 0 and name != "inputs"}
    values = tensors(inputs, dtype)
    teacher, student = align_layers(len(values["t_hidden"]) - 1, len(values["s_hidden"]) - 1)
    return Setting(
        tensors=values,
        numbers=numbers,
        teacher_index=arrays["t_index"].tolist() if "t_index" in arrays else list(teacher),
        student_index=arrays["s_index"].tolist() if "s_index" in arrays else list(student),
    )
