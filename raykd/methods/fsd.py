"""Feature structure distillation (Jung, Kim, Na & Kim 2023): CKA between the structures of two networks' features.

Every method is base = alpha CE(labels) + (1 - alpha) T^2 KL(teacher || student), in which alpha weighs the *hard*
term, and a structure, each part of which is -ln(mean |CKA| + 1e-8) or built on it (raykd.losses.cka and .centroids):

* FSD_I, "intra": between the tokens of one text, per text;
* FSD_L, "local": between the texts of a batch, each flattened;
* FSD_G, "global": of texts to centroids of the whole split (fsd_memory.py), of which teacher and student have as many;
  mean squared differences of Euclidean distances ("distance") and of cosines ("cosine"), and -ln CKA between the two
  memories ("memory").

    fsd_i   base + beta I
    fsd_l   base + beta L
    fsd_g   base + beta [gamma distance + (1 - gamma) cosine + memory]
    fsd     base + epsilon {sigma [beta distance + (1 - beta) cosine + memory]
                            + (1 - sigma) / 2 [gamma I + (1 - gamma) L]}
    fsd_lg, fsd_ig, fsd_il   the ablations: fsd without I, without L, without G, all other weights as they are

beta and gamma mean one thing in fsd_g and another in fsd, so the parameters have names of their own here and their
letters in the descriptions. Features are those of the layer before the last of either network; widths may differ.

variant "paper": padding takes no part; it is zero in flattened features. variant "code": padding takes part, as the
published code forgets the mask. There every batch is padded to 128 tokens; here to its longest row, so what padding
there is depends on the batch (positions beyond it, up to the length of the memory, are zero). The student's memory
starts wider there, too. fsd_l's layer: two published scripts differ.

Ours: shares (gamma in fsd_g; sigma, beta, gamma in fsd) are kept within [0, 1], and .5 by default. The code's defaults
for fsd, sigma = beta = 5 and gamma = 0, are no setting: they would reward unlike structures, and leave I out. The 1e-8
under the teacher's root is in fsd_g alone, as published. Mean squared errors for a regression.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from raykd.errors import together
from raykd.methods.fsd_memory import STUDENT_MEMORY, Clustering, check_clustering, student_memory, teacher_memory
from raykd.methods.fsd_terms import global_terms, intra_term, local_term, penultimate
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Stage, Term
from raykd.methods.terms import hard_term, soft_term

Variant = Annotated[Literal["paper", "code"], Field(description="padding takes no part, or takes part as in the code")]
AlphaHard = Annotated[float, Field(ge=0, le=1, description="alpha: weight of the hard term; the soft has 1 - alpha")]
Temperature = Annotated[float, Field(gt=0, description="T of the soft term; no part in a regression")]
Beta = Annotated[float, Field(ge=0, description="beta: weight of the structure beside labels and logits")]
Centroids = Annotated[int, Field(ge=1, description="M: centroids of either memory, at most one a row of the split")]
Kind = Annotated[Literal["kmeans", "published"], Field(description="how the teacher's features are clustered")]
Epochs = Annotated[int, Field(ge=1, description="passes of clustering, at most; published: from 3, the draw counts")]


class IntraParameters(Parameters):
    """FSD_I; defaults of the published code."""

    variant: Variant = "paper"
    alpha_hard: AlphaHard = 0.5
    temperature: Temperature = 5.0
    structure_weight: Beta = 30.0


class LocalParameters(Parameters):
    """FSD_L; defaults of the published code."""

    variant: Variant = "paper"
    alpha_hard: AlphaHard = 0.5
    temperature: Temperature = 5.0
    structure_weight: Beta = 30.0
    layer: Literal["penultimate", "last"] = Field("penultimate", description="layer of both networks that is compared")


class GlobalParameters(Parameters):
    """FSD_G; defaults of the published code."""

    variant: Variant = "paper"
    alpha_hard: AlphaHard = 0.5
    temperature: Temperature = 5.0
    structure_weight: Beta = 30.0
    distance_share: float = Field(0.5, ge=0, le=1, description="gamma: share of distances; cosines have 1 - gamma")
    centroids: Centroids = 100
    clustering: Kind = "kmeans"
    clustering_epochs: Epochs = 3


class FSDParameters(Parameters):
    """All three; alpha, T and epsilon are the defaults of the published code."""

    variant: Variant = "paper"
    alpha_hard: AlphaHard = 0.0
    temperature: Temperature = 3.0
    structure_weight: float = Field(0.1, ge=0, description="epsilon: weight of all three structures together")
    global_share: float = Field(0.5, ge=0, le=1, description="sigma: share of G; I and L have (1 - sigma) / 2")
    distance_share: float = Field(0.5, ge=0, le=1, description="beta: share of distances in G; cosines have 1 - beta")
    intra_share: float = Field(0.5, ge=0, le=1, description="gamma: share of I; L has 1 - gamma")
    centroids: Centroids = 100
    clustering: Kind = "kmeans"
    clustering_epochs: Epochs = 3


def intra(p: IntraParameters, pair: Pair) -> Recipe:
    """FSD_I. UserError for a network of one layer."""
    term = intra_term(p.structure_weight, p.variant, *penultimate(pair))
    return Recipe(stages=(Stage((*_base(p.alpha_hard, p.temperature, pair), term)),))


def local(p: LocalParameters, pair: Pair) -> Recipe:
    """FSD_L. UserError for a network of one layer, unless it is the last that is compared."""
    layers = (pair.student.layers, pair.teacher.layers) if p.layer == "last" else penultimate(pair)
    term = local_term(p.structure_weight, p.variant, *layers)
    return Recipe(stages=(Stage((*_base(p.alpha_hard, p.temperature, pair), term)),))


def to_centroids(p: GlobalParameters, pair: Pair) -> Recipe:
    """FSD_G. UserError for a network of one layer, and for too few epochs of the published clustering."""
    _check(p, pair)
    terms = _base(p.alpha_hard, p.temperature, pair)
    return _with_global(p, pair, terms, p.structure_weight, teacher_floor=1e-8)


def combined(p: FSDParameters, pair: Pair, *, parts: str) -> Recipe:
    """Those of the structures I, L and G that `parts` names. UserError as for FSD_G."""
    _check(p, pair)
    layers, half = penultimate(pair), p.structure_weight * (1 - p.global_share) / 2
    terms = _base(p.alpha_hard, p.temperature, pair)
    if "I" in parts:
        terms += (intra_term(half * p.intra_share, p.variant, *layers),)
    if "L" in parts:
        terms += (local_term(half * (1 - p.intra_share), p.variant, *layers),)
    weight = p.structure_weight * p.global_share if "G" in parts else 0.0
    return _with_global(p, pair, terms, weight, teacher_floor=0.0)


def _base(alpha_hard: float, temperature: float, pair: Pair) -> tuple[Term, ...]:
    return (
        hard_term(alpha_hard, regression=pair.regression),
        soft_term(1 - alpha_hard, temperature, regression=pair.regression),
    )


def _with_global(
    p: GlobalParameters | FSDParameters, pair: Pair, terms: tuple[Term, ...], weight: float, *, teacher_floor: float
) -> Recipe:
    """`terms` and FSD_G of that weight; without a weight, no memory is made either."""
    if not weight:
        return Recipe(stages=(Stage(terms),))
    at_s, at_t = penultimate(pair)
    clustering = Clustering(at_t, p.clustering, p.centroids, p.clustering_epochs, masked=p.variant == "paper")
    terms += global_terms(weight, p.distance_share, p.variant, at_s, at_t, teacher_floor)
    extras = {STUDENT_MEMORY: student_memory(clustering)}
    return Recipe(stages=(Stage(terms),), extras=extras, facts=(teacher_memory(clustering),))


def _check(p: GlobalParameters | FSDParameters, pair: Pair) -> None:
    together([lambda: penultimate(pair), lambda: check_clustering(p.clustering, p.clustering_epochs)])


PAPER = "Jung, Kim, Na & Kim 2023, Feature Structure Distillation with Centered Kernel Alignment in BERT Transferring"
SHORT = "feature structure distillation"

METHODS = (
    Method("fsd_i", f"{SHORT}: within a text (CKA of its tokens)", PAPER, IntraParameters, intra),
    Method("fsd_l", f"{SHORT}: between the texts of a batch (CKA)", PAPER, LocalParameters, local),
    Method("fsd_g", f"{SHORT}: of texts to centroids of the whole split", PAPER, GlobalParameters, to_centroids),
    Method("fsd", f"{SHORT}: within, between and global", PAPER, FSDParameters, partial(combined, parts="ILG")),
    Method("fsd_lg", f"{SHORT}: fsd without I", PAPER, FSDParameters, partial(combined, parts="LG")),
    Method("fsd_ig", f"{SHORT}: fsd without L", PAPER, FSDParameters, partial(combined, parts="IG")),
    Method("fsd_il", f"{SHORT}: fsd without G", PAPER, FSDParameters, partial(combined, parts="IL")),
)
