"""Reference values of ``matekd/``: the straight-through samples, and a step of generator and student.

Both networks of a step are a stub on word embeddings x, f(x) = W tanh(mean over attended tokens of x) + b.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from raykd.losses.adversarial import Divergence, divergence, generator_loss, mate_student
from raykd.losses.gumbel import EPSILON, mixed_embeddings, straight_through
from raykd.losses.logits import hard_cross_entropy, regression_mse

from .cases import Arrays, Case, Tolerance, broken, compare, read, tensors, uncovered

EXACT = Tolerance(0.0)
SAMPLES = Tolerance(1e-9, 1e-12)
STEP = Tolerance(1e-9, 1e-11)

# Arrays of results by their name without "out_".
Results = dict[str, Tensor]


@dataclass(frozen=True)
class Stub:
    """A network on embeddings [B, L, D]; its parameters are leaves."""

    table: Tensor
    weight: Tensor
    bias: Tensor

    def __call__(self, embeddings: Tensor, attention_mask: Tensor) -> Tensor:
        weights = attention_mask.to(embeddings.dtype).unsqueeze(-1)
        return torch.tanh((embeddings * weights).sum(dim=1) / weights.sum(dim=1)) @ self.weight.T + self.bias


@dataclass(frozen=True)
class Step:
    """One batch: invented text as both networks see it ([B, L, D] each) and what they say of both texts."""

    gen_logits: Tensor
    student: Stub
    student_embeddings: Tensor
    teacher_embeddings: Tensor
    student_clean: Tensor
    teacher_clean: Tensor
    student_adversarial: Tensor
    teacher_adversarial: Tensor

    def invented_gradient(self, loss: Tensor) -> Tensor:
        return _gradient(loss, self.gen_logits)

    def gradients(self, loss: Tensor, prefix: str) -> Results:
        """Those with respect to the student's weights, named as the reference names them."""
        parameters = {"W": self.student.weight, "E": self.student.table}
        return {f"{prefix}grad_{name}": _gradient(loss, leaf) for name, leaf in parameters.items()}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    name = path.stem.split("__")[0]
    if name == "gumbel_straight_through":
        return _samples(read(path))
    if name == "step":
        arrays = read(path)
        results = _step(arrays, "cls") | _step(arrays, "reg")
        return [*parameter_is(arrays, "par_T_kl", 1.0), *compare_all(arrays, results, STEP)]
    return None


def take_step(arrays: Arrays, *, outputs: int | None = None, generator: bool) -> Step:
    """Run both networks on both texts; ``outputs`` keeps the first rows of W only. Without ``generator`` p is fixed."""
    values = tensors(arrays, torch.float64)
    ids, attention_mask, masked = values["in_input_ids"].long(), values["in_attention_mask"], values["in_masked"].bool()
    gen_logits = values["in_gen_logits"].requires_grad_()
    words = straight_through(gen_logits[masked], values["in_uniform"][masked], float(arrays.get("par_tau", 1.0)))
    words = words if generator else words.detach()
    student, teacher = (
        Stub(
            values[f"in_E_{who}"].requires_grad_(who == "student"),
            values[f"in_W_{who}"][:outputs].requires_grad_(who == "student"),
            values[f"in_b_{who}"][:outputs],
        )
        for who in ("student", "teacher")
    )
    s_embeddings, t_embeddings = (mixed_embeddings(ids, masked, words, net.table) for net in (student, teacher))
    return Step(
        gen_logits,
        student,
        s_embeddings,
        t_embeddings,
        student(F.embedding(ids, student.table), attention_mask),
        teacher(F.embedding(ids, teacher.table), attention_mask),
        student(s_embeddings, attention_mask),
        teacher(t_embeddings, attention_mask),
    )


def compare_all(arrays: Arrays, results: Mapping[str, Tensor], tolerance: Tolerance) -> list[Case]:
    """Every result of the file with ours of the same name; one that we have not is uncovered."""
    return [
        compare(name, results[name[4:]].detach().numpy(), theirs, tolerance) if name[4:] in results else uncovered(name)
        for name, theirs in arrays.items()
        if name.startswith("out_")
    ]


def parameter_is(arrays: Arrays, name: str, ours: float) -> list[Case]:
    """A failing case where the file was made with another value than the one we have fixed."""
    theirs = float(arrays.get(name, np.asarray(ours)))
    return [] if theirs == ours else [broken(name, f"made with {theirs}, raykd has {ours} fixed")]


def _samples(arrays: Arrays) -> list[Case]:
    values = tensors(arrays, torch.float64)
    cases = parameter_is(arrays, "par_eps", EPSILON)
    for name, theirs in arrays.items():
        if not name.startswith("out_"):
            continue
        if not (match := re.fullmatch(r"out_(hard_index|grad)(?:_tau(.+))?", name)):
            cases.append(uncovered(name))
            continue
        what, tau = match.groups()
        logits = values["in_gen_logits"].detach().requires_grad_()
        one_hot = straight_through(logits, values["in_uniform"], _tau(tau) if tau else 1.0)
        if what == "hard_index":
            cases.append(compare(name, one_hot.detach().argmax(dim=-1).numpy(), theirs, EXACT))
        else:
            ours = _gradient((values["in_upstream"] * one_hot).sum(), logits)
            cases.append(compare(name, ours.numpy(), theirs, SAMPLES))
    return cases


def _tau(text: str) -> float:
    """``05`` is 0.5, ``1`` is 1: the names leave the point out."""
    return float(f"0.{text[1:]}" if re.fullmatch(r"0\d+", text) else text)


def _step(arrays: Arrays, task: str) -> Results:
    regression = task == "reg"
    kind: Divergence = "mse" if regression else "cross_entropy"
    outputs = 1 if regression else None
    labels = torch.from_numpy(arrays["in_labels_regression" if regression else "in_labels"])
    labels = labels.double() if regression else labels

    step = take_step(arrays, outputs=outputs, generator=True)
    generator = generator_loss(step.student_adversarial, step.teacher_adversarial, kind)
    of_generator = {"gen_loss": generator, "gen_grad_logits": step.invented_gradient(generator)}

    step = take_step(arrays, outputs=outputs, generator=False)
    four = (step.student_clean, step.teacher_clean, step.student_adversarial, step.teacher_adversarial)
    student = mate_student(*four, labels, regression=regression)
    of_student = {
        "adv_student_logits": step.student_adversarial,
        "adv_teacher_logits": step.teacher_adversarial,
        "student_logits_clean": step.student_clean,
        "student_loss": student,
        "student_loss_hard": (regression_mse if regression else hard_cross_entropy)(step.student_clean, labels),
        "student_loss_kd": divergence(step.student_clean, step.teacher_clean, kind),
        **step.gradients(student, "student_"),
    }
    texts = {"student_inputs_embeds": step.student_embeddings, "teacher_inputs_embeds": step.teacher_embeddings}
    return texts | {f"{task}_{name}": value for name, value in {**of_generator, **of_student}.items()}


def _gradient(loss: Tensor, leaf: Tensor) -> Tensor:
    """Its gradient, 0 where the loss does not touch it; the graph stays for the next leaf."""
    (found,) = torch.autograd.grad(loss, leaf, retain_graph=True, allow_unused=True)
    return torch.zeros_like(leaf) if found is None else found
