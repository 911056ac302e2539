"""Files of inputs and many results: a value of each named loss, and its gradient in one of the published forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .cases import Arrays, Case, Tolerance, compare, uncovered

# What may follow the name of a loss: the gradient itself (``0``: of the first of two tensors), its norm, or [CLS] only.
GRADIENTS: dict[str, Callable[[Tensor], Tensor]] = {
    "_grad": lambda gradient: gradient,
    "_grad0": lambda gradient: gradient,
    "_gradnorm": lambda gradient: gradient.norm(),
    "_grad_cls": lambda gradient: gradient[:, 0],
}


@dataclass(frozen=True)
class Term:
    """A loss as a function of the one student tensor that its gradient is given for."""

    student: Tensor
    loss: Callable[[Tensor], Tensor]


def floats(arrays: Arrays) -> dict[str, Tensor]:
    """Inputs and parameters without their prefix, real numbers in float64."""
    given = {name: array for name, array in arrays.items() if name.startswith(("in_", "par_"))}
    tensors = {name.split("_", 1)[1]: torch.from_numpy(array) for name, array in given.items()}
    return {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def compared(arrays: Arrays, terms: Mapping[str, Term], tolerances: Mapping[str, Tolerance]) -> list[Case]:
    """A case for every ``out_*`` array. ``tolerances`` by the name of the array; "" is that of all others."""
    cases = []
    for array, theirs in arrays.items():
        if not array.startswith("out_"):
            continue
        name = array.removeprefix("out_")
        ending = next((ending for ending in GRADIENTS if name.endswith(ending)), "")
        term = terms.get(name.removesuffix(ending))
        if term is None:
            cases.append(uncovered(array))
            continue
        leaf = term.student.detach().clone().requires_grad_()
        ours = term.loss(leaf)
        if ending:
            ours = GRADIENTS[ending](torch.autograd.grad(ours, leaf)[0])
        cases.append(compare(array, ours.detach().numpy(), theirs, tolerances.get(array, tolerances[""])))
    return cases
