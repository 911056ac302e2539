"""Reference values of ``textbrewer/``: soft losses, attention scores, hidden states, temperatures of a sample."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from raykd.losses.attention_maps import att_ce, att_ce_mean, att_mse, att_mse_sum
from raykd.losses.dynamic_temperature import cwsm, flsw
from raykd.losses.hidden import cls_patience, cosine_loss, hidden_mse
from raykd.losses.positions import position_cross_entropy, position_mse
from raykd.losses.tokens import States, fsp, mmd

from .cases import Case, Tolerance, read
from .values import Term, compared, floats

Values = dict[str, Tensor]


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    name = path.stem.split("__")[0]
    if name not in TERMS:
        return None
    terms, tolerance = TERMS[name]
    arrays = read(path)
    return compared(arrays, terms(floats(arrays)), {"": tolerance})


def _predictions(values: Values) -> dict[str, Term]:
    number = values["scalar_temperature"].item()
    student, teacher = values["student_logits"], values["teacher_logits"]
    sequence, teacher_sequence = values["student_logits_seq"], values["teacher_logits_seq"]
    terms: dict[str, Term] = {}
    for name, loss in (("ce", position_cross_entropy), ("mse", position_mse)):
        of_samples = partial(loss, teacher_logits=teacher)
        of_positions = partial(loss, teacher_logits=teacher_sequence)
        terms |= {
            f"{name}_scalarT": Term(student, partial(of_samples, temperature=number)),
            f"{name}_sampleT": Term(student, partial(of_samples, temperature=values["sample_temperature"])),
            f"{name}_seq": Term(sequence, partial(of_positions, temperature=number)),
            f"{name}_seq_tokenT": Term(sequence, partial(of_positions, temperature=values["token_temperature"])),
        }
    return terms


def _attention(values: Values) -> dict[str, Term]:
    student, teacher, mask = values["att_S"], values["att_T"], values["mask"]
    added = -10000.0 * (1 - mask[:, None, None, :]).double()
    terms = {}
    for loss in (att_mse, att_mse_sum, att_ce, att_ce_mean):
        name = loss.__name__
        terms[f"{name}_mask"] = Term(student, partial(loss, teacher=teacher, attention_mask=mask))
        terms[f"{name}_nomask"] = Term(student + added, partial(loss, teacher=teacher + added))
        terms[f"{name}_maskedscores_mask"] = Term(
            student + added, partial(loss, teacher=teacher + added, attention_mask=mask)
        )
    return terms


def _hidden(values: Values) -> dict[str, Term]:
    student, other, teacher, mask = values["hid_S"], values["hid_S1"], values["hid_T"], values["mask"]
    teacher_pair = (teacher, values["hid_T1"])
    wide_pair = (values["hid_Twide"], values["hid_Twide1"])
    width = student.shape[-1]
    terms = {"pkd": Term(student, lambda s: width * cls_patience(s[:, 0], teacher[:, 0]))}
    masks: tuple[tuple[str, Tensor | None, Tensor], ...] = (
        ("mask", mask, mask),
        ("nomask", None, torch.ones_like(mask)),
    )
    for ending, given, counted in masks:
        terms |= {
            f"hidden_mse_{ending}": Term(student, partial(hidden_mse, teacher=teacher, attention_mask=given)),
            f"cos_{ending}": Term(student, partial(cosine_loss, teacher=teacher, attention_mask=counted)),
            f"fsp_{ending}": Term(student, partial(_with, fsp, other, teacher_pair, given)),
            f"mmd_{ending}": Term(student, partial(_with, mmd, other, wide_pair, given)),
            f"mmd_self_{ending}": Term(student, partial(_with, mmd, None, (wide_pair[0], wide_pair[0]), given)),
        }
    return terms


def _with(
    loss: Callable[[States, States, Tensor | None], Tensor],
    other: Tensor | None,
    teacher: States,
    mask: Tensor | None,
    student: Tensor,
) -> Tensor:
    """The loss of the student with the ``other`` of its states, or with itself."""
    return loss((student, student if other is None else other), teacher, mask)


def _temperatures(values: Values) -> dict[str, Term]:
    student, teacher, base = values["student_logits"], values["teacher_logits"], values["base_T"].item()
    of_flsw = {"base": base, "beta": values["flsw_beta"].item(), "gamma": values["flsw_gamma"].item()}
    return {
        "flsw": Term(student, lambda s: flsw(s, teacher, **of_flsw)),
        "cwsm": Term(student, lambda s: cwsm(s, base=base, beta=values["cwsm_beta"].item())),
    }


# File name -> its terms, tolerance.
TERMS: dict[str, tuple[Callable[[Values], dict[str, Term]], Tolerance]] = {
    "kd_ce_mse": (_predictions, Tolerance(1e-10, 1e-12)),
    "attention": (_attention, Tolerance(1e-9, 1e-12)),
    "hidden": (_hidden, Tolerance(1e-9, 1e-12)),
    "temperature_schedulers": (_temperatures, Tolerance(1e-9)),
}
