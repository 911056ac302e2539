"""The losses of ``fsd/`` and its measurements composed of raykd's, as its page writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from raykd.losses.centroids import (
    centroid_cosines,
    centroid_distances,
    feature_to_centroid_cosine,
    feature_to_centroid_distance,
    flatten_features,
    memory_cka,
)
from raykd.losses.cka import cka, fsd_intra, fsd_local, hsic
from raykd.losses.hidden import cls_patience
from raykd.losses.logits import hard_cross_entropy, kl_divergence
from raykd.losses.rkd import rkd_angle, rkd_distance
from raykd.report.relation_difference import relation_difference

from .cases import Arrays

# By the name of their array.
Results = dict[str, Tensor]


@dataclass(frozen=True)
class Setting:
    """Tensors of the inputs file, and the arrays of the case."""

    tensors: dict[str, Tensor]
    arrays: Arrays

    def number(self, name: str) -> float:
        return float(self.arrays[name].item())

    @property
    def temperature(self) -> float:
        return self.number("T") if "T" in self.arrays else self.tensors["temperature"].item()

    def pair(self, name: str) -> tuple[Tensor, Tensor]:
        """Student and teacher."""
        return self.tensors[f"s_{name}"], self.tensors[f"t_{name}"]

    def flat(self, name: str) -> tuple[Tensor, Tensor]:
        """Student and teacher, [B, L * D], padding included."""
        student, teacher = self.pair(name)
        return flatten_features(student, None, student.shape[1]), flatten_features(teacher, None, teacher.shape[1])


def structure(name: re.Match[str], setting: Setting) -> Results:
    student, teacher = setting.pair("layers" if name["layers"] else "penult")
    if name["what"] == "i":
        per_sample = {"cka_per_sample": cka(student, teacher), "hsic_per_sample": hsic(student, teacher)}
        return {"loss": fsd_intra(student, teacher, None), **per_sample}
    rows = student.flatten(-2), teacher.flatten(-2)
    coded = hsic(*rows) / (student.shape[-3] ** 2 - 1)
    return {"loss": fsd_local(student, teacher, None), "cka": cka(*rows), "hsic_coded": coded}


def memory(_: re.Match[str], setting: Setting) -> Results:
    return {"loss": memory_cka(*setting.pair("memory"))}


def to_centroids(name: re.Match[str], setting: Setting) -> Results:
    (student, teacher), (student_memory, teacher_memory) = setting.flat("penult"), setting.pair("memory")
    of_loss = (student, teacher, student_memory, teacher_memory)
    if name["what"] == "cos":
        return {
            "loss": feature_to_centroid_cosine(*of_loss),
            "student": centroid_cosines(student, student_memory),
            "teacher": centroid_cosines(teacher, teacher_memory),
        }
    floor = 0.0 if name["combined"] else 1e-8
    return {
        "loss": feature_to_centroid_distance(*of_loss, teacher_floor=floor),
        "student": centroid_distances(student, student_memory),
        "teacher": centroid_distances(teacher, teacher_memory, floor=floor),
    }


def total(name: re.Match[str], setting: Setting) -> Results:
    """One step of the published training; ``beta`` and ``gamma`` mean something else in the combined one (ilg)."""
    alpha, beta = setting.number("alpha"), setting.number("beta")
    student, teacher = setting.pair("logits")
    hard = hard_cross_entropy(student, setting.tensors["labels"])
    loss = alpha * hard + (1 - alpha) * kl_divergence(student, teacher, setting.temperature)

    states = setting.pair("last" if name["layer"] == "lastlayer" else "penult")
    if name["what"] == "i":
        return {"loss": loss + beta * fsd_intra(*states, None)}
    if name["what"] == "l":
        return {"loss": loss + beta * fsd_local(*states, None)}

    gamma, to_memory = setting.number("gamma"), (*setting.flat("penult"), *setting.pair("memory"))
    cosine, alignment = feature_to_centroid_cosine(*to_memory), memory_cka(*setting.pair("memory"))
    if name["what"] == "g":
        distance = feature_to_centroid_distance(*to_memory)
        return {"loss": loss + beta * (gamma * distance + (1 - gamma) * cosine + alignment)}
    sigma = setting.number("sigma")
    distance = feature_to_centroid_distance(*to_memory, teacher_floor=0.0)
    overall = beta * distance + (1 - beta) * cosine + alignment
    others = gamma * fsd_intra(*states, None) + (1 - gamma) * fsd_local(*states, None)
    return {"loss": loss + setting.number("epsilon") * (sigma * overall + (1 - sigma) / 2 * others)}


def baseline(name: re.Match[str], setting: Setting) -> Results:
    if name["what"]:
        loss = {"distance": rkd_distance, "angle": rkd_angle}[name["what"]]
        return {"loss": loss(*setting.flat("penult"))}
    return {"loss": kl_divergence(*setting.pair("logits"), setting.temperature)}


def features(_: re.Match[str], setting: Setting) -> Results:
    """Patience on the flattened samples of each layer; the published code adds them up in float16."""
    student, teacher = setting.pair("layers")
    layers = torch.stack([cls_patience(*layer) for layer in zip(student.flatten(2), teacher.flatten(2), strict=True)])
    return {"loss_without_half": layers.sum(), "per_layer_float32": layers, "per_layer_float16": layers.half()}


def difference(_: re.Match[str], setting: Setting) -> Results:
    found = relation_difference(*setting.pair("penult"))
    numbers = {part.name: vars(found)[part.name].values() for part in fields(found)}
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in numbers.items()}
