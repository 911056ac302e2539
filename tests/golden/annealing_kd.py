"""Reference values of ``annealing_kd/``: the schedule (exact) and the phase-one loss at every temperature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from raykd.losses.annealing import annealed_mse, annealed_scale, annealing_temperature

from .cases import Arrays, Case, Tolerance, compare, read, tensors, uncovered

EXACT = Tolerance(0.0, if_zero=0.0)
TOLERANCE = Tolerance(1e-10)


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    checks = {"schedule": _schedule, "phase1_loss": _phase_one}
    name = path.stem.split("__")[0]
    if name not in checks:
        return None
    arrays = read(path)
    cases = checks[name](arrays)
    compared = {case.variant.split(" ")[0] for case in cases}
    return cases + [uncovered(array) for array in arrays if array.startswith("out_") and array not in compared]


def _schedule(arrays: Arrays) -> list[Case]:
    cases = []
    for (epochs, tau_max), theirs in zip(
        arrays["par_epochs_maxtemp"].tolist(), arrays["out_temp_per_epoch"], strict=True
    ):
        where = f"epochs={epochs} tau_max={tau_max}"
        published = np.full(len(theirs), -1)
        published[:epochs] = [annealing_temperature(epoch, epochs, tau_max, clamp=False) for epoch in range(epochs)]
        cases.append(compare(f"out_temp_per_epoch {where}", published, theirs, EXACT))
        clamped = [annealing_temperature(epoch, epochs, tau_max) for epoch in range(epochs)]
        expected = np.minimum(theirs[:epochs], tau_max)
        cases.append(compare(f"out_temp_per_epoch {where} clamped", clamped, expected, EXACT))
        if epochs % tau_max == 0:  # by progress it is the same schedule
            scales = [annealed_scale((epoch + 1) / epochs, tau_max) for epoch in range(epochs)]
            cases.append(compare(f"out_temp_per_epoch {where} scale", scales, expected / tau_max, EXACT))
    return cases


def _phase_one(arrays: Arrays) -> list[Case]:
    inputs = tensors(arrays, torch.float64)
    student, teacher = inputs["in_student_logits"], inputs["in_teacher_logits"]
    tau_max = int(arrays["par_max_temperature"])
    cases = []
    for number, temperature in enumerate(np.atleast_1d(arrays["par_temps"]).tolist()):
        scale = temperature / tau_max
        loss = annealed_mse(student, teacher, scale)
        results = {
            "out_loss": loss,
            "out_loss_paper_sum": annealed_mse(student, teacher, scale, reduction="batchmean"),
            "out_grad_student_logits": torch.autograd.grad(loss, student, retain_graph=True)[0],
        }
        cases += [
            compare(f"{array} t={temperature}/{tau_max}", value.detach().numpy(), arrays[array][number], TOLERANCE)
            for array, value in results.items()
        ]
    return cases
