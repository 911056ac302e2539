"""Reference values of ``tkd/``: nodes of attention trees, the losses on them, and what they add up to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from raykd.losses.logits import hard_cross_entropy, soft_cross_entropy
from raykd.losses.tree import tree_counts, tree_lists, tree_nodes
from raykd.losses.tree_loss import all_tokens, all_tokens_frobenius, patience, tree_distillation

from .cases import Case, Tolerance, compare, read, tensors, uncovered

EXACT = Tolerance(relative=0.0, if_zero=0.0)
LOSS = Tolerance(relative=1e-10)
GRADIENT = Tolerance(relative=1e-9, absolute=1e-12)


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    if path.stem.split("__")[0] != "tree":
        return None
    arrays = read(path)
    given = tensors(arrays, torch.float64)
    matched = np.atleast_1d(arrays["par_I_pt"]).tolist()
    hidden = given["in_hid_student"][1:].clone().requires_grad_()
    teacher = given["in_hid_teacher"][matched]

    nodes = _nodes(arrays, given, matched)
    values = _states(hidden, teacher, given["in_mask"], nodes)
    values |= _predictions(given["in_student_logits"], given["in_teacher_logits"], given["in_labels"], arrays)
    values |= _totals(values, arrays)
    counts = {f"{name}_count": number.sum() for name, number in nodes.items()}
    lists = _lists(arrays, given, nodes)

    cases = [compare(name, found, arrays[name], EXACT) for name, found in lists.items()]
    checked = {*lists}
    for results, tolerance in ((counts, EXACT), (values, LOSS)):
        for name, value in results.items():
            if f"out_{name}" in arrays:
                cases.append(compare(f"out_{name}", value.item(), arrays[f"out_{name}"], tolerance))
                checked.add(f"out_{name}")
    for name, slope in _gradients(values, hidden, given["in_student_logits"]).items():
        if name in arrays:
            cases.append(compare(name, slope, arrays[name], GRADIENT))
            checked.add(name)
    return cases + [uncovered(name) for name in arrays if name.startswith("out_") and name not in checked]


def _nodes(arrays: dict[str, np.ndarray], given: dict[str, Tensor], matched: list[int]) -> dict[str, Tensor]:
    """How often each token is a node, by the name of the loss on them."""
    children, mask = int(arrays["par_m"]), given["in_mask"]
    attention = given["in_att_student"]
    teachers = given["in_att_teacher"][[layer - 1 for layer in matched]]
    positions = given["in_rand_nodes"].long()
    random = torch.nn.functional.one_hot(positions.clamp_min(0), attention.shape[-1]) * (positions >= 0).unsqueeze(-1)
    return {
        "td_set": tree_nodes(attention, mask, children),
        "td_tree": tree_counts(attention, mask, children),
        "teacher_td_set": tree_nodes(teachers, mask, children),
        "rand": random.sum(dim=-2),
    }


def _lists(arrays: dict[str, np.ndarray], given: dict[str, Tensor], nodes: dict[str, Tensor]) -> dict[str, Tensor]:
    """Nodes as the reference lists them: sets by position, trees breadth-first, -1 to the end of a row."""
    lists = {
        "out_nodes_set": _ascending(nodes["td_set"]),
        "out_nodes_tree": tree_lists(given["in_att_student"], given["in_mask"], int(arrays["par_m"])),
        "out_nodes_teacher_set": _ascending(nodes["teacher_td_set"]),
    }
    return {name: _fitted(found, arrays[name].shape[-1]) for name, found in lists.items() if name in arrays}


def _ascending(nodes: Tensor) -> Tensor:
    length = nodes.shape[-1]
    positions = torch.where(nodes, torch.arange(length), length).sort(dim=-1).values
    return torch.where(positions < length, positions, -1)


def _fitted(lists: Tensor, width: int) -> Tensor:
    """Rows of ``width``, or of what the longest needs where that is more: a case that fails."""
    longest = int((lists >= 0).sum(dim=-1).max())
    padding = torch.full((*lists.shape[:-1], max(width - longest, 0)), -1)
    return torch.cat([lists[..., :longest], padding], dim=-1)


def _states(hidden: Tensor, teacher: Tensor, mask: Tensor, nodes: dict[str, Tensor]) -> dict[str, Tensor]:
    values = {}
    for name, which in nodes.items():
        values[f"{name}_sum"] = tree_distillation(hidden, teacher, which, reduction="sum")
        values[f"{name}_elementmean"] = tree_distillation(hidden, teacher, which)
    values["pt_sum"] = patience(hidden, teacher, reduction="sum")
    values["pt_elementmean"] = patience(hidden, teacher)
    values["all_token_sum"] = all_tokens(hidden, teacher, mask, reduction="sum")
    values["all_token_elementmean"] = all_tokens(hidden, teacher, mask)
    values["all_frobenius_sum"] = all_tokens_frobenius(hidden, teacher, mask, reduction="sum")
    values["all_frobenius_elementmean"] = all_tokens_frobenius(hidden, teacher, mask)
    values["ts_tkd_td_sum"] = values["td_set_sum"] + values["teacher_td_set_sum"]
    return values


def _predictions(student: Tensor, teacher: Tensor, labels: Tensor, arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    batch = len(student)
    return {
        "ds_T1_sum": batch * soft_cross_entropy(student, teacher),
        "ds_T_sum": batch * soft_cross_entropy(student, teacher, float(arrays["par_T"])),
        "ce_sum": batch * hard_cross_entropy(student, labels),
    }


def _totals(values: dict[str, Tensor], arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    names = ("par_T", "par_alpha", "par_beta", "par_gamma", "par_eta")
    temperature, alpha, beta, gamma, eta = (float(arrays[name]) for name in names)
    batch = arrays["in_student_logits"].shape[0]
    ds, ce = values["ds_T_sum"] / batch, values["ce_sum"] / batch
    recommended = (1 - alpha) * temperature**2 * ds + alpha * ce
    recommended = recommended + gamma * values["td_set_elementmean"] + beta * values["pt_elementmean"]
    literal = (1 - alpha) * values["ds_T1_sum"] + alpha * values["ce_sum"]
    return {
        "tkd_literal_sum": literal + gamma * values["td_set_sum"] + beta * values["pt_sum"],
        "tkd_recommended": recommended,
        "all_tkd_recommended": recommended + eta * values["all_token_elementmean"],
    }


def _gradients(values: dict[str, Tensor], hidden: Tensor, logits: Tensor) -> dict[str, np.ndarray]:
    """The gradients by the name of their array."""

    def of(name: str, leaf: Tensor) -> np.ndarray:
        return torch.autograd.grad(values[name], leaf, retain_graph=True)[0].numpy()

    return {
        "out_td_set_grad": of("td_set_sum", hidden),
        "out_pt_grad_cls": of("pt_sum", hidden)[:, :, 0],
        "out_all_frobenius_grad_layer_last": of("all_frobenius_sum", hidden)[-1],
        "out_literal_grad_logits": of("tkd_literal_sum", logits),
        "out_recommended_grad_logits": of("tkd_recommended", logits),
    }
