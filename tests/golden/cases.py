"""One comparison with a reference value: what we compute, what they did, how far apart the two may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Tolerance:
    """An entry may differ by ``relative`` times itself (or the array's largest, ``by_largest``), plus ``absolute``.

    ``if_zero`` is what is allowed instead where the reference is 0: nothing can be close to that relatively.
    """

    relative: float
    absolute: float = 0.0
    by_largest: bool = False
    if_zero: float = 1e-14

    def allowed(self, theirs: np.ndarray) -> np.ndarray:
        scale = np.abs(theirs)
        if self.by_largest:
            scale = np.full_like(scale, scale.max())
        return np.maximum(self.relative * scale + self.absolute, np.where(scale < self.if_zero, self.if_zero, 0.0))


@dataclass(frozen=True)
class Case:
    """The worst entry of one compared array; ``note`` says why no numbers could be compared.

    Not ``covered``: a result that no comparison knows. It is listed, and neither passes nor fails.
    """

    variant: str
    ours: float
    theirs: float
    error: float
    allowed: float
    note: str = ""
    covered: bool = True

    @property
    def passed(self) -> bool:
        return not self.note and self.error <= self.allowed  # False for NaN

    def __str__(self) -> str:
        if self.note:
            return f"{self.variant}: {self.note}"
        return (
            f"{self.variant}: ours {self.ours:.12g}, theirs {self.theirs:.12g}, "
            f"error {self.error:.2e}, allowed {self.allowed:.2e}"
        )


def broken(variant: str, note: str) -> Case:
    return Case(variant, np.nan, np.nan, np.nan, np.nan, note)


def uncovered(variant: str) -> Case:
    return Case(variant, np.nan, np.nan, np.nan, np.nan, covered=False)


def compare(variant: str, ours: Any, theirs: Any, tolerance: Tolerance) -> Case:
    """Compare numbers or arrays of one shape. A shape that differs, or an empty reference, is a failing case."""
    mine, reference = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if mine.shape != reference.shape or not reference.size:
        return broken(variant, f"our shape {mine.shape}, theirs {reference.shape}")
    mine, reference = mine.ravel(), reference.ravel()
    allowed = tolerance.allowed(reference)
    error = np.abs(mine - reference)
    worst = int(np.argmax(np.nan_to_num(error - allowed, nan=np.inf)))
    return Case(variant, float(mine[worst]), float(reference[worst]), float(error[worst]), float(allowed[worst]))


def outcomes(arrays: Arrays, results: Mapping[str, tuple[Any, Tolerance]]) -> list[Case]:
    """A case for every ``out_*`` array: compared with the result of its name, or listed where there is none."""
    return [
        compare(array, results[array][0], theirs, results[array][1]) if array in results else uncovered(array)
        for array, theirs in arrays.items()
        if array.startswith("out_")
    ]


def read(path: Path) -> Arrays:
    with path.open("rb") as handle, np.load(handle) as file:
        return {name: file[name] for name in file.files}


def tensors(arrays: Mapping[str, np.ndarray], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Every numeric array as a tensor, real numbers in ``dtype``; the student's real ones (``s_*``) want gradients."""
    result = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            continue
        tensor = torch.from_numpy(np.array(array))
        if tensor.is_floating_point():
            tensor = tensor.to(dtype).requires_grad_(name.startswith(("s_", "in_student")))
        result[name] = tensor
    return result


def gradient(leaf: torch.Tensor) -> np.ndarray:
    """Its gradient, 0 where the loss does not touch it."""
    grad = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
    return grad.detach().double().numpy()
