"""Reference values of ``born_again/``: the loss of every generation, and the two ensembles."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from raykd.losses.generations import born_again, ensemble

from .cases import Case, Tolerance, compare, read, tensors, uncovered

TOLERANCE = Tolerance(relative=1e-10)


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    if path.stem.split("__")[0] != "generations":
        return None
    arrays = read(path)
    inputs = tensors(arrays, torch.float64)
    logits, labels = inputs["in_logits"].requires_grad_(), inputs["in_labels"]
    generations = logits.unbind()
    losses = [born_again(*pair, labels) for pair in zip(generations[1:], generations[:-1], strict=True)]
    results: dict[str, Tensor] = {
        "out_loss_generation": torch.stack(losses),
        "out_ensemble_prob": ensemble(logits),
        "out_ensemble_logit": ensemble(logits, of="logits"),
    }
    for array in arrays:
        if found := re.fullmatch(r"out_grad_generation(\d+)", array):
            number = int(found[1])
            results[array] = torch.autograd.grad(losses[number - 1], generations[number], retain_graph=True)[0]
    return [
        compare(array, results[array].detach().numpy(), arrays[array], TOLERANCE)
        if array in results
        else uncovered(array)
        for array in arrays
        if array.startswith("out_")
    ]
