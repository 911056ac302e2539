"""Pre-trained distillation (Turc, Chang, Lee & Toutanova 2019, Well-Read Students Learn Better, section 3).

loss = -sum_c p_c ln q_c, batch mean, p = softmax(teacher), q = softmax(student): soft labels of the teacher alone.

The method is as much the order of things as the loss: a compact student is pre-trained as a masked language model
before it sees the teacher (the BERT Miniatures are such students), and it is distilled on the task's texts or on
unlabelled ones like them. So give a pre-trained student, and further texts if there are any: no label is read. The
paper's optional third step, fine-tuning on the labels, is a run of `none` that starts from the result.

Ours: the temperature (no T^2 goes with it), and the mean squared error of the outputs for a regression.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from raykd.losses import logits_mse, soft_cross_entropy
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import SEE_LOGITS


class PDParameters(Parameters):
    """The paper has none; its T is 1."""

    temperature: float = Field(1.0, gt=0, description="T, softens both distributions; no part in a regression")


def recipe(parameters: PDParameters, pair: Pair) -> Recipe:
    """One stage of one term."""

    def on_logits(step: Step) -> Tensor:
        if pair.regression:
            return logits_mse(step.student.logits, step.teacher.logits)
        return soft_cross_entropy(step.student.logits, step.teacher.logits, parameters.temperature)

    return Recipe(stages=(Stage(terms=(Term("soft", 1.0, on_logits, student=SEE_LOGITS, teacher=SEE_LOGITS),)),))


METHOD = Method(
    name="pd",
    title="pre-trained distillation: soft labels alone, for a pre-trained student",
    paper="Turc, Chang, Lee & Toutanova 2019, Well-Read Students Learn Better, section 3",
    parameters=PDParameters,
    recipe=recipe,
)
