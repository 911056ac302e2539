"""MiniLM and MiniLMv2: self-attention relations of one layer (Wang et al. 2020, section 3; 2021, section 3).

loss = (1 - alpha) CE + alpha T^2 KL + relations R. The relation of x and y, each the queries, keys or values, is per
head softmax(x_i . y_j / sqrt(d)) over real tokens j. R is the sum over pairs (x, y) of KL(teacher || student), mean
over heads, real tokens i and samples, of the student's last layer against one teacher layer:

* minilm: query-key (the attention distribution) and value-value, with the heads the networks have: equally many;
* minilmv2: query-query, key-key and value-value. The projections are split anew into relation heads, so that the
  networks' heads and widths may differ; relation_heads must divide both widths. The paper's 48 (BERT-base) and 64
  (BERT-large) are heads 16 wide in the teacher: 0 takes as many as that, or the most below it that divide both widths.

The papers distil on unlabelled text, R alone, and fine-tune afterwards; the terms on labels and logits (those of `kd`)
are ours, so that one run can serve a task. Teacher layer: the last in MiniLM; MiniLMv2 takes an upper middle one of
large teachers (21 of BERT-large's 24, 19 of RoBERTa-large's; recalled) and the last of base ones.
"""

from __future__ import annotations

import math

from pydantic import Field
from torch import Tensor

from raykd.errors import UserError, together
from raykd.losses.attention_relations import MINILM_V1, MINILM_V2, minilm_of
from raykd.methods.layers import check_alike
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import PROJECTED, needs, relations
from raykd.methods.terms import hard_term, soft_term

RELATION_WIDTH = 16  # of the teacher's relation heads in both of MiniLMv2's settings


class MiniLMParameters(Parameters):
    """Weights of the task terms and of the relations."""

    alpha: float = Field(0.9, ge=0, le=1, description="weight of the soft term; the hard term has 1 - alpha")
    temperature: float = Field(2.0, gt=0, description="T of the soft term")
    relations: float = Field(1.0, ge=0, description="weight of the attention relations")
    teacher_layer: int = Field(0, ge=0, description="teacher layer whose relations are learned; 0 is the last")


class MiniLMv2Parameters(MiniLMParameters):
    """Those of MiniLM, and how finely the projections are split."""

    relation_heads: int = Field(0, ge=0, description="relation heads; 0: 16 wide in the teacher, or the nearest fewer")


def first(parameters: MiniLMParameters, pair: Pair) -> Recipe:
    """MiniLM. UserError for unequal numbers of heads, and a teacher layer that is none."""
    together([lambda: check_alike(pair, heads=bool(parameters.relations)), lambda: _check_layer(parameters, pair)])
    return _recipe(parameters, pair, MINILM_V1, pair.student.heads)


def second(parameters: MiniLMv2Parameters, pair: Pair) -> Recipe:
    """MiniLMv2. UserError for relation heads that do not divide both widths, and a teacher layer that is none."""
    together([lambda: relation_heads(parameters.relation_heads, pair), lambda: _check_layer(parameters, pair)])
    return _recipe(parameters, pair, MINILM_V2, relation_heads(parameters.relation_heads, pair))


def relation_heads(asked: int, pair: Pair) -> int:
    """`asked`, or for 0 the default number. UserError unless it divides both widths."""
    student, teacher = (of.projected or of.hidden for of in (pair.student, pair.teacher))
    common = math.gcd(student, teacher)
    allowed = [heads for heads in range(1, common + 1) if common % heads == 0]
    if asked and asked not in allowed:
        raise UserError(
            f"relation_heads: {asked} does not divide both widths (student {student}, teacher {teacher}); "
            f"allowed: {', '.join(map(str, allowed))}"
        )
    most = max(1, teacher // RELATION_WIDTH)
    return asked or max(heads for heads in allowed if heads <= most)


def _check_layer(parameters: MiniLMParameters, pair: Pair) -> None:
    if parameters.teacher_layer > pair.teacher.layers:
        raise UserError(
            f"teacher_layer: {parameters.teacher_layer}; the teacher has layers 1 to {pair.teacher.layers} "
            "(0 is the last)"
        )


def _recipe(p: MiniLMParameters, pair: Pair, pairs: tuple[str, ...], heads: int) -> Recipe:
    at_s, at_t = pair.student.layers, p.teacher_layer or pair.teacher.layers
    letters = sorted(set("".join(pairs)))

    def on_relations(step: Step) -> Tensor:
        student = {letter: step.student.of(PROJECTED[letter], at_s) for letter in letters}
        teacher = {both: step.teacher.relation(both, (at_t,), heads)[0] for both in pairs}
        return minilm_of(student, teacher, step.attention_mask, heads, pairs)

    ours = frozenset(need for letter in letters for need in needs(PROJECTED[letter], (at_s,)))
    theirs = relations(pairs, (at_t,), heads)
    terms = (
        hard_term(1 - p.alpha, regression=pair.regression),
        soft_term(p.alpha, p.temperature, regression=pair.regression),
        Term("relations", p.relations, on_relations, student=ours, teacher=theirs),
    )
    return Recipe(stages=(Stage(terms=terms),))


METHODS = (
    Method(
        name="minilm",
        title="MiniLM: attention distributions and value relations of the last layer",
        paper="Wang et al. 2020, MiniLM: Deep Self-Attention Distillation, section 3",
        parameters=MiniLMParameters,
        recipe=first,
    ),
    Method(
        name="minilmv2",
        title="MiniLMv2: query, key and value relations of one layer, any number of relation heads",
        paper="Wang et al. 2021, MiniLMv2: Multi-Head Self-Attention Relation Distillation, section 3",
        parameters=MiniLMv2Parameters,
        recipe=second,
    ),
)
