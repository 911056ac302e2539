"""Reference values of ``distilbert/``: one step of its pre-training, for either choice of soft positions."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from raykd.losses.hidden import cosine_loss
from raykd.losses.vocabulary import masked_lm, vocabulary_kl, vocabulary_mse

from .cases import Arrays, Case, Tolerance, gradient, outcomes, read, tensors

TOLERANCE = Tolerance(relative=1e-9, absolute=1e-11)


def _step(arrays: Arrays, which: str) -> dict[str, object]:
    """Our results by the name of their array, soft terms at ``which``: 'all_tokens' or 'mlm_positions'."""
    inputs = tensors(arrays, torch.float64)
    logits, teacher_logits = inputs["in_student_logits"], inputs["in_teacher_logits"]
    states, mask, labels = inputs["in_student_last_hidden"], inputs["in_attention_mask"], inputs["in_mlm_labels"]
    selected = mask if which == "all_tokens" else labels != -100
    parts: dict[str, Tensor] = {
        "ce": vocabulary_kl(logits, teacher_logits, selected, arrays["par_T"].item()),
        "mlm": masked_lm(logits, labels),
        "mse": vocabulary_mse(logits, teacher_logits, selected),
        "cos": cosine_loss(states, inputs["in_teacher_last_hidden"], mask),
    }
    loss = torch.stack([arrays[f"par_alpha_{part}"].item() * value for part, value in parts.items()]).sum()
    loss.backward()
    results: dict[str, object] = {part: value.item() for part, value in parts.items()}
    results |= {"loss": loss.item(), "grad_logits": gradient(logits), "grad_hidden": gradient(states)}
    return {f"out_{which}_{part}": value for part, value in results.items()}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    if path.stem.split("__")[0] != "step":
        return None
    arrays = read(path)
    results = _step(arrays, "all_tokens") | _step(arrays, "mlm_positions")
    return outcomes(arrays, {array: (ours, TOLERANCE) for array, ours in results.items()})
