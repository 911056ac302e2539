"""The losses of ``ckd/`` composed of raykd's, as its page writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from raykd import losses
from raykd.losses.relations import Penalty

PENALTIES: dict[str, Penalty] = {"l1loss": "l1", "l2loss": "l2", "smoothl1": "smooth_l1"}


@dataclass(frozen=True)
class Setting:
    """Tensors of the inputs file, the scalars of the case, and its matched layers."""

    tensors: dict[str, Tensor]
    numbers: dict[str, Any]
    teacher_index: list[int]
    student_index: list[int]

    @property
    def states(self) -> tuple[Tensor, Tensor]:
        """Matched states of student and teacher, [K, B, L, D]."""
        return self.tensors["s_hidden"][self.student_index], self.tensors["t_hidden"][self.teacher_index]

    def temperature(self, named: str | None = None) -> float:
        """That of the case, else the one its file is ``named`` with, else that of its inputs."""
        return self.numbers.get("T") or float(named or self.tensors["temperature"].item())

    def delta(self, named: str | None = None) -> int | None:
        """Half the window; None, every token is a neighbour, where neither an array nor the name speaks of one."""
        if "delta" in self.numbers:
            return int(self.numbers["delta"])
        window = self.numbers.get("window") or named
        return (int(window) - 1) // 2 if window else None


def logit_term(name: re.Match[str], setting: Setting) -> dict[str, Tensor]:
    values, temperature = setting.tensors, setting.temperature(name["T"])
    if name["term"] == "softce":
        return {"loss": losses.soft_cross_entropy(values["s_logits"], values["t_logits"], temperature)}
    return {"loss": losses.logits_mse(values["s_reg"], values["t_reg"], temperature)}


def relation(name: re.Match[str], setting: Setting) -> dict[str, Tensor]:
    given = name.groupdict()
    states = (*setting.states, setting.tensors["attention_mask"])
    words = given["across"] == "wr"
    if given["what"] == "dist_cos_kldiv":
        return {"loss": (losses.word_pair_kl if words else losses.layer_pair_kl)(*states)}
    penalty = PENALTIES[given["penalty"]]
    if given["what"] == "dist_sqeuclid":
        normalise = bool(setting.numbers.get("normalized", given["form"] == "norm"))
        distance = losses.word_pair_distance if words else losses.layer_pair_distance
        return {"loss": distance(*states, normalise=normalise, penalty=penalty)}
    if words:
        return {"loss": losses.word_angle(*states, delta=setting.delta(name["window"]), penalty=penalty)}
    return {"loss": losses.layer_angle(*states, penalty=penalty)}


def total(name: re.Match[str], setting: Setting) -> dict[str, Tensor]:
    """One step of the published training: with the soft loss, the hard one is dropped (``alpha_ignored``)."""
    values, numbers = setting.tensors, setting.numbers
    states = (*setting.states, values["attention_mask"])
    if name["regression"]:
        hard = losses.regression_mse(values["s_reg"], values["reg_labels"])
        soft = losses.logits_mse(values["s_reg"], values["t_reg"], setting.temperature())
    else:
        hard = losses.hard_cross_entropy(values["s_logits"], values["labels"])
        soft = losses.soft_cross_entropy(values["s_logits"], values["t_logits"], setting.temperature())
    parts = {
        "component_wrdist": losses.word_pair_kl(*states),
        "component_wrangle_window": losses.word_angle(*states, delta=setting.delta()),
        "component_ltrdist": losses.layer_pair_kl(*states),
        "component_ltrangle": losses.layer_angle(*states),
    }
    weights = ("w_wr_pair", "w_wr_angle", "w_ltr_pair", "w_ltr_angle")
    loss = soft if name["soft"] == "kd" else hard
    for weight, part in zip(weights, parts.values(), strict=True):
        loss = loss + numbers[weight] * part
    return {"loss": loss, "component_ce": hard, "component_kd": soft, **parts}


def baseline(name: re.Match[str], setting: Setting) -> dict[str, Tensor]:
    if name["what"] == "attention_mse":
        return {"loss": losses.attention_mse(setting.tensors["s_att_scores"], setting.tensors["t_att_scores"])}
    student, teacher = setting.states
    if name["what"] == "hidden_mse":
        return {"loss": losses.hidden_mse(student, teacher)}
    if name["what"] == "pkd_cls":
        student, teacher = student[:, :, 0], teacher[:, :, 0]
    return {"loss": losses.cls_patience(student, teacher)}
