"""Reference values of ``minimax_knn/``: candidates by angle, the hardest by KL, the loss on those."""

from __future__ import annotations

import re
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from raykd.losses.logits import hard_cross_entropy, kl_divergence
from raykd.losses.minimax import NOBODY, allowed_neighbours, angular_distance, hardest, neighbour_kl, selected_kl

from .cases import Arrays, Case, Tolerance, compare, read, tensors, uncovered

TOLERANCE = Tolerance(1e-9)
EXACT = Tolerance(0.0)


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    name = path.stem.split("__")[0]
    if name not in ("candidates", "selection_and_loss"):
        return None
    arrays = read(path)
    values = tensors(arrays, torch.float64)
    results = (_candidates if name == "candidates" else _selection)(arrays, values)
    return [
        compare(name, results[name].detach().numpy(), theirs, EXACT if theirs.dtype.kind in "iu" else TOLERANCE)
        if name in results
        else uncovered(name)
        for name, theirs in arrays.items()
        if name.startswith("out_")
    ]


def _candidates(arrays: Arrays, values: dict[str, Tensor]) -> dict[str, Tensor]:
    states = values["in_teacher_cls"]
    distance = angular_distance(states[:, 0], states[:, 1:])
    results = {"out_angular_distance": distance}
    for number, (n_candidates, minimum, maximum) in enumerate(arrays["par_configs_ncand_min_max"].tolist()):
        name = f"out_allowed_{number}"
        ours = allowed_neighbours(distance, values["in_n_augmented"], int(n_candidates), minimum, maximum)
        if name in arrays:  # all tables may be as wide as the widest
            ours = F.pad(ours, (0, max(0, arrays[name].shape[-1] - ours.shape[-1])), value=NOBODY)
        results[name] = ours
    return results


def _selection(arrays: Arrays, values: dict[str, Tensor]) -> dict[str, Tensor]:
    temperature = float(arrays["par_temperature"])
    example, owner = values["in_example_index"].long(), values["in_neighbour_owner"].long()
    student, teacher = values["in_student_neighbour_logits"], values["in_teacher_logits"]
    of_neighbours = teacher[example[owner], 1 + values["in_neighbour_index"].long()]
    results = {"out_kl": neighbour_kl(student, of_neighbours, temperature)}

    ranks = [int(match[1]) for name in arrays if (match := re.fullmatch(r"out_\w+_rank(\d+)", name))]
    ordered = hardest(student, of_neighbours, owner, max(ranks, default=1), temperature, owners=len(example))
    # Where an example has no neighbour of that rank the reference takes row 0, whosever it is.
    ordered = ordered.clamp_min(0)
    for rank in sorted(set(ranks)):
        rows = ordered[:, rank - 1]
        loss = selected_kl(student, of_neighbours, rows, temperature)
        results[f"out_selected_rank{rank}"] = rows
        results[f"out_aug_loss_rank{rank}"] = loss
        (results[f"out_aug_grad_rank{rank}"],) = torch.autograd.grad(loss, student)

    clean = values["in_student_clean_logits"]
    soft = kl_divergence(clean, teacher[example, 0], temperature)
    hard = hard_cross_entropy(clean, values["in_labels"])
    loss = float(arrays["par_alpha_ce"]) * soft + float(arrays["par_alpha_true"]) * hard
    (gradient,) = torch.autograd.grad(loss, clean)
    return results | {"out_clean_kd": soft, "out_clean_loss": loss, "out_clean_grad": gradient}
