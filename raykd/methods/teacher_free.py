"""Distillation without a larger teacher, and with one that ought not to help (Yuan, Tay, Li, Wang & Feng 2020).

* label_smoothing: cross-entropy with targets that move a mass from the label (Szegedy et al. 2016, section 7);
* tf_reg (Tf-KD_reg, section 5): (1 - alpha) CE + alpha multiplier KL(softmax(u / T) || softmax(student)), u the
  virtual teacher: 0.99 on the label, an equal share of the rest on every other class;
* self_kd (Tf-KD_self, section 5): the student trained on labels teaches a fresh one:
  (1 - alpha) CE + alpha multiplier T^2 KL;
* reversed_kd (Re-KD, section 2): the student trained on labels teaches the teacher's architecture; what comes out is
  as large as the teacher;
* defective_kd (De-KD, section 2): the teacher's architecture, hardly trained, teaches the student. The last two have
  (1 - alpha) CE + alpha T^2 KL.

As published: every KL is a mean over samples and classes; the probabilities u are fed as logits, so that at T = 20 the
virtual teacher is nearly uniform; there the student is not softened, and there is no T^2. The defaults are settings
published with the code, for 100 classes: their multiplier of 100 undoes the mean over classes, and so does the default
of tf_reg, the number of classes.
"alpha" has opposite meanings in texts on label smoothing, so here it is `smoothing`, the mass that is moved.

Ours: the given teacher is not asked at all; the teachers that are, are trained in the chain, in the trial's settings,
from the weights that students are cut from: pretrained ones where raykd fine-tuned the teacher itself, else those of
the teacher as given, under a fresh head.
label_smoothing and tf_reg are for classes only: a number has none to smooth over, and those of a span are positions,
padding among them.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from raykd.losses.teacher_free import Onto, label_smoothing, virtual_teacher
from raykd.methods.element_mean import element_mean
from raykd.methods.method import Link, Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import SEE_LOGITS
from raykd.methods.terms import hard_term

PAPER = "Yuan, Tay, Li, Wang & Feng 2020, Revisiting Knowledge Distillation via Label Smoothing Regularization"


class SmoothingParameters(Parameters):
    """How much mass is moved, and where to."""

    smoothing: float = Field(0.1, ge=0, lt=1, description="probability mass moved away from the label")
    onto: Onto = Field("every", description="spread over every class, or over the others only (the code)")


class VirtualParameters(Parameters):
    """Weight and shape of the virtual teacher."""

    alpha: float = Field(0.1, ge=0, le=1, description="weight of the virtual teacher; the hard term has 1 - alpha")
    temperature: float = Field(20.0, gt=0, description="T of the virtual teacher; the student is not softened")
    multiplier: float | None = Field(
        None, gt=0, description="further weight of the virtual teacher; none: the number of classes, as published (100)"
    )
    correct_probability: float = Field(0.99, ge=0, le=1, description="what it gives the label, before T")


class SelfParameters(Parameters):
    """Weight and temperature of the earlier self."""

    alpha: float = Field(0.95, ge=0, le=1, description="weight of the soft term; the hard term has 1 - alpha")
    temperature: float = Field(20.0, gt=0, description="T, softens both distributions")
    multiplier: float = Field(1.0, gt=0, description="further weight of the soft term")


class ReversedParameters(Parameters):
    """Weight and temperature of the small teacher."""

    alpha: float = Field(0.6, ge=0, le=1, description="weight of the soft term; the hard term has 1 - alpha")
    temperature: float = Field(20.0, gt=0, description="T, softens both distributions")


class DefectiveParameters(Parameters):
    """Weight, temperature and training of the poor teacher."""

    alpha: float = Field(0.95, ge=0, le=1, description="weight of the soft term; the hard term has 1 - alpha")
    temperature: float = Field(20.0, gt=0, description="T, softens both distributions")
    teacher_epochs: float = Field(0.1, gt=0, le=1, description="share of the trial's epochs that the teacher trains")


def smoothed(parameters: SmoothingParameters, pair: Pair) -> Recipe:
    """One stage, one term."""

    def on_labels(step: Step) -> Tensor:
        return label_smoothing(step.student.logits, step.labels, parameters.smoothing, onto=parameters.onto)

    return Recipe(stages=(Stage(terms=(Term("smoothed", 1.0, on_labels, student=SEE_LOGITS),)),))


def virtual(parameters: VirtualParameters, pair: Pair) -> Recipe:
    """One stage of two terms."""
    p = parameters

    def on_labels(step: Step) -> Tensor:
        shape = {"correct_probability": p.correct_probability, "temperature": p.temperature}
        further = p.multiplier or step.student.logits.shape[-1]
        return further * virtual_teacher(step.student.logits, step.labels, **shape)

    terms = (hard_term(1 - p.alpha, regression=False), Term("virtual", p.alpha, on_labels, student=SEE_LOGITS))
    return Recipe(stages=(Stage(terms=terms),))


def from_self(parameters: SelfParameters, pair: Pair) -> Recipe:
    """That of the second run."""
    return element_mean(pair, parameters.alpha, parameters.temperature, parameters.multiplier)


def from_teacher(parameters: ReversedParameters | DefectiveParameters, pair: Pair) -> Recipe:
    """That of the second run."""
    return element_mean(pair, parameters.alpha, parameters.temperature)


def _on_labels(pair: Pair) -> Recipe:
    return Recipe(stages=(Stage(terms=(hard_term(1.0, regression=pair.regression),)),))


def self_chain(parameters: SelfParameters, pair: Pair) -> tuple[Link, ...]:
    """The student on labels, then a fresh one taught by it."""
    return (
        Link("itself", _on_labels, taught_by="nobody"),
        Link("student", lambda of: from_self(parameters, of)),
    )


def reversed_chain(parameters: ReversedParameters, pair: Pair) -> tuple[Link, ...]:
    """The student on labels, then the teacher's architecture taught by it."""
    return (
        Link("student", _on_labels, taught_by="nobody"),
        Link("large", lambda of: from_teacher(parameters, of), learner="teacher"),
    )


def defective_chain(parameters: DefectiveParameters, pair: Pair) -> tuple[Link, ...]:
    """The teacher's architecture for a part of the epochs, then the student taught by it."""
    return (
        Link("defective", _on_labels, learner="teacher", taught_by="nobody", epochs=parameters.teacher_epochs),
        Link("student", lambda of: from_teacher(parameters, of)),
    )


METHODS = (
    Method(
        name="label_smoothing",
        title="label smoothing, no teacher",
        paper="Szegedy, Vanhoucke, Ioffe, Shlens & Wojna 2016, Rethinking the Inception Architecture, section 7",
        parameters=SmoothingParameters,
        recipe=smoothed,
        needs_teacher=False,
        answers=frozenset({"classes"}),
    ),
    Method(
        name="tf_reg",
        title="teacher-free regularisation: a virtual teacher made of the labels",
        paper=PAPER,
        parameters=VirtualParameters,
        recipe=virtual,
        needs_teacher=False,
        answers=frozenset({"classes"}),
    ),
    Method(
        name="self_kd",
        title="self-distillation: the student, trained on labels, teaches a fresh one",
        paper=PAPER,
        parameters=SelfParameters,
        recipe=from_self,
        needs_teacher=False,
        chain=self_chain,
    ),
    Method(
        name="reversed_kd",
        title="reversed distillation: the student teaches the teacher's architecture; the result is that large",
        paper=PAPER,
        parameters=ReversedParameters,
        recipe=from_teacher,
        needs_teacher=False,
        chain=reversed_chain,
    ),
    Method(
        name="defective_kd",
        title="defective distillation: the teacher's architecture, hardly trained, teaches the student",
        paper=PAPER,
        parameters=DefectiveParameters,
        recipe=from_teacher,
        needs_teacher=False,
        chain=defective_chain,
    ),
)
