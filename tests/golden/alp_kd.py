"""Reference values of ``alp_kd/``: attention over teacher layers, for the three kinds of buckets.

``<kind>_grad`` is of ``<kind>_sum``. ``pkd_last_of_bucket_sum`` attends to the last layer of each block alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from raykd.losses.attentive_layers import Buckets, alp, buckets, layer_weights

from .cases import Case, Tolerance, compare, read, tensors, uncovered

VALUE = Tolerance(relative=1e-10)
GRADIENT = Tolerance(relative=1e-9, absolute=1e-12)

# In the order of the table of buckets.
KINDS: dict[str, Buckets] = {"ALL": "all", "NO": "no", "PO": "po"}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    if path.stem.split("__")[0] != "alp":
        return None
    arrays = read(path)
    inputs = tensors(arrays, torch.float64)
    student, teacher = inputs["in_student_cls"], inputs["in_teacher_cls"]
    m, n = len(student), len(teacher)

    results: dict[str, np.ndarray] = {
        "out_bucket_table": torch.stack([buckets(m, n, kind) for kind in KINDS.values()]).numpy(),
        "out_pkd_last_of_bucket_sum": numbers(alp(student, teacher, last_of_block(m, n), reduction="sum")),
    }
    for name, kind in KINDS.items():
        allowed = buckets(m, n, kind)
        total = alp(student, teacher, allowed, reduction="sum")
        (gradient,) = torch.autograd.grad(total, student)
        results |= {
            f"out_{name}_sum": numbers(total),
            f"out_{name}_mean": numbers(alp(student, teacher, allowed)),
            f"out_{name}_scaled_sum": numbers(alp(student, teacher, allowed, scaled=True, reduction="sum")),
            f"out_{name}_weights": numbers(layer_weights(student, teacher, allowed)),
            f"out_{name}_grad": numbers(gradient),
        }

    return [
        compare(array, results[array], arrays[array], GRADIENT if array.endswith("_grad") else VALUE)
        if array in results
        else uncovered(array)
        for array in arrays
        if array.startswith("out_")
    ]


def numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def last_of_block(m: int, n: int) -> Tensor:
    block = buckets(m, n, "no")
    return block & (block.flip(-1).cumsum(dim=-1).flip(-1) == 1)
