"""Reference values of ``tinybert/``: distillation of attention and states, then of predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from raykd.losses.hidden import attention_mse, hidden_mse
from raykd.losses.logits import regression_mse, soft_cross_entropy

from .cases import Arrays, Case, Tolerance, gradient, outcomes, read, tensors

LOSS = Tolerance(relative=1e-10)
GRADIENT = Tolerance(relative=1e-9, absolute=1e-12)
FLOAT32_GRADIENT = Tolerance(relative=2e-6)
PREDICTION = Tolerance(relative=1e-10, absolute=1e-12)

# Array -> our value and how near it must be.
Results = dict[str, tuple[object, Tolerance]]


def _intermediate(arrays: Arrays) -> Results:
    inputs = tensors(arrays, torch.float64)
    student, teacher = inputs["in_student_att"], inputs["in_teacher_att"]
    states, teacher_states = inputs["in_student_hidden"], inputs["in_teacher_hidden"]
    weight, bias = inputs["in_fit_W"].requires_grad_(), inputs["in_fit_b"].requires_grad_()
    layers, every = len(student), len(teacher) // len(student)
    # Means over the layers too: times their number they are the published sums over layers.
    attention = layers * attention_mse(student, teacher[[i * every + every - 1 for i in range(layers)]])
    matched = teacher_states[[i * every for i in range(layers + 1)]]
    hidden = (layers + 1) * hidden_mse(F.linear(states, weight, bias), matched)
    loss = hidden + attention
    loss.backward()
    return {
        "out_att_loss": (attention.item(), LOSS),
        "out_rep_loss": (hidden.item(), LOSS),
        "out_loss": (loss.item(), LOSS),
        "out_grad_student_att": (gradient(student), FLOAT32_GRADIENT),
        "out_grad_student_hidden": (gradient(states), GRADIENT),
        "out_grad_fit_W": (gradient(weight), GRADIENT),
        "out_grad_fit_b": (gradient(bias), GRADIENT),
    }


def _prediction(arrays: Arrays) -> Results:
    losses, gradients = [], []
    for temperature in np.atleast_1d(arrays["par_temperatures"]).tolist():
        inputs = tensors(arrays, torch.float64)
        logits = inputs["in_student_logits"]
        loss = soft_cross_entropy(logits, inputs["in_teacher_logits"], temperature, reduction="elementmean")
        loss.backward()
        losses.append(loss.item())
        gradients.append(gradient(logits))
    inputs = tensors(arrays, torch.float64)
    predicted = inputs["in_student_logit_regression"]
    regression = regression_mse(predicted, inputs["in_labels_regression"])
    regression.backward()
    results = {
        "out_loss": np.array(losses).reshape(arrays["out_loss"].shape),
        "out_grad_student_logits": np.stack(gradients).reshape(arrays["out_grad_student_logits"].shape),
        "out_loss_regression": regression.item(),
        "out_grad_regression": gradient(predicted),
    }
    return {name: (value, PREDICTION) for name, value in results.items()}


FILES: dict[str, Callable[[Arrays], Results]] = {"intermediate": _intermediate, "prediction": _prediction}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    name = path.stem.split("__")[0]
    if name not in FILES:
        return None
    arrays = read(path)
    return outcomes(arrays, FILES[name](arrays))
