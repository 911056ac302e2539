"""Reference values of ``fsd/``: which file holds what, and the comparison of its results.

What a case is computed with (inputs, weights, temperature, batch size) is read from its arrays. Every array that is
neither a parameter nor a measure of float32 is a result, and one that nothing computes is listed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from .cases import Arrays, Case, Tolerance, broken, compare, gradient, read, tensors, uncovered
from .fsd_objectives import Results, Setting, baseline, difference, features, memory, structure, to_centroids, total
from .fsd_procedures import lloyd, published, relations

PARAMETERS = {"inputs", "T", "alpha", "beta", "gamma", "sigma", "epsilon"}
PARAMETERS |= {"batch_size", "epochs", "init_centroid", "init_rows", "tol", "query", "key", "value"}
# How near the published code came in float32: a measure, and nothing to reach.
PARAMETERS |= {"loss_float32", "grad_float32_max_abs_err"}

OBJECTIVES: dict[str, Callable[[re.Match[str], Setting], Results]] = {
    r"fsd_(?P<what>i|l)(?P<layers>_layerwise)?": structure,
    r"fsd_g_memory_cka": memory,
    r"fsd_g_feature_to_centroid_(?P<what>dist|cos)(?P<combined>_ilg)?": to_centroids,
    r"total_fsd_(?P<what>i|l|g|ilg)(_(?P<layer>penultimate|lastlayer))?": total,
    r"rkd_(?P<what>distance|angle)|vkd_kl": baseline,
    r"pkd_patience_layers": features,
    r"relation_difference": difference,
    r"minilm_relations": relations,
    r"memory_build_bs\d+_ep\d+": published,
    r"kmeans_lloyd": lloyd,
}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    for pattern, objective in OBJECTIVES.items():
        if match := re.fullmatch(pattern, path.stem.split("__")[0]):
            return _compared(path, match, objective)
    return None


def inputs_of(path: Path) -> Path | None:
    """The file of tensors that a case works on; None for what is no case."""
    return _inputs(path, read(path)) if "__" in path.stem else None


def _inputs(path: Path, arrays: Arrays) -> Path:
    return path.with_name(str(arrays.get("inputs", f"inputs_{path.stem.split('__')[-1]}.npz")))


def _compared(path: Path, match: re.Match[str], objective: Callable[[re.Match[str], Setting], Results]) -> list[Case]:
    arrays = read(path)
    inputs = read(_inputs(path, arrays))
    cases: list[Case] = []
    for dtype in (torch.float64, torch.float32) if "loss_float32" in arrays else (torch.float64,):
        setting = Setting(tensors(inputs, dtype), arrays)
        results = objective(match, setting)
        if (loss := results.get("loss", results.get("loss_without_half"))) is not None:
            loss.backward()
        absent = [name for name in ("loss", "loss_without_half") if name in results and name not in arrays]
        cases += [broken(name, "the file holds no such array") for name in absent]
        for name in arrays:
            if name in PARAMETERS:
                continue
            tolerance = _tolerance(match[0], name, dtype)
            variant = f"{name} {str(dtype).removeprefix('torch.')}"
            if name.startswith("grad_"):
                leaf = setting.tensors[name.removeprefix("grad_")]
                cases.append(compare(variant, gradient(leaf), arrays[name], tolerance))
            elif name in results:
                ours: np.ndarray = results[name].detach().double().numpy()
                cases.append(compare(variant, ours, arrays[name], tolerance))
            else:
                cases.append(uncovered(name))
    return cases


def _tolerance(case: str, array: str, dtype: torch.dtype) -> Tolerance:
    if array.startswith(("assign", "per_layer_float16")):
        return Tolerance(0.0, if_zero=0.0) if array.startswith("assign") else Tolerance(2e-3)
    of_gradient = array.startswith("grad_")
    if case == "pkd_patience_layers":  # the published code casts to float32 here
        return Tolerance(1e-6, by_largest=of_gradient)
    if dtype == torch.float64:
        return Tolerance(1e-8, by_largest=True) if of_gradient else Tolerance(1e-9)
    if of_gradient:
        return Tolerance(1e-4, by_largest=True, if_zero=1e-7)
    if array.startswith(("loss", "cka")) and case.startswith("fsd_"):
        return Tolerance(0.0, absolute=1e-6)  # -ln(CKA) near CKA = 1 cancels
    return Tolerance(1e-4 if case == "rkd_angle" else 1e-5)
