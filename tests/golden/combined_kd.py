"""Reference values of ``combined_kd/``: a step of generator and student on the stub networks of ``matekd``."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from raykd.losses.adversarial import combined_phase_one, combined_phase_one_bert, divergence, generator_loss
from raykd.losses.logits import hard_cross_entropy

from .cases import Arrays, Case, Tolerance, read
from .matekd import Results, Step, compare_all, take_step

TOLERANCE = Tolerance(1e-9, 1e-11)


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    if path.stem.split("__")[0] != "step":
        return None
    arrays = read(path)
    return compare_all(arrays, _results(arrays), TOLERANCE)


def _results(arrays: Arrays) -> Results:
    """Both phases, the first at every temperature that a result is named with."""
    step = take_step(arrays, generator=True)
    generator = generator_loss(step.student_adversarial, step.teacher_adversarial, "mse")
    results = {"gen_loss": generator, "gen_grad_logits": step.invented_gradient(generator)}

    step = take_step(arrays, generator=False)
    labels = torch.from_numpy(arrays["in_labels"])
    second = hard_cross_entropy(step.student_clean, labels)
    results |= {"phase2_loss": second} | step.gradients(second, "phase2_")

    named = (re.search(r"phase1_temp([\d.]+)_", name) for name in arrays)
    for text in sorted({match[1] for match in named if match}):
        scale = float(text) / float(arrays["par_max_temperature"])
        results |= _first_phase(step, scale, f"phase1_temp{text}_")
        bert = combined_phase_one_bert(step.student_clean, step.teacher_clean, labels, scale)
        prefix = f"bert_variant_phase1_temp{text}_"
        results |= {f"{prefix}loss": bert} | step.gradients(bert, prefix)
    return results


def _first_phase(step: Step, scale: float, prefix: str) -> Results:
    texts = (step.student_clean, step.teacher_clean, step.student_adversarial, step.teacher_adversarial)
    loss = combined_phase_one(*texts, scale)
    parts = {
        f"{prefix}loss": loss,
        f"{prefix}loss_adv": divergence(step.student_adversarial, scale * step.teacher_adversarial, "mse"),
        f"{prefix}loss_clean": divergence(step.student_clean, scale * step.teacher_clean, "mse"),
    }
    return parts | step.gradients(loss, prefix)
