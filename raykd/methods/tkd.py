"""Tree knowledge distillation (Xu, Ji & Xie 2022), the whole family.

    (1 - alpha) DS + alpha CE  +  beta PT  +  gamma TD  [+ eta ALL]          (eq. 3, 6-10)

alpha weighs the HARD term. Student layers k = 1..K are matched with teacher layers I_pt(k) = ceil(k n / K), i.e. 4k for
12 to 3, and each distance is || u / |u| - v / |v| ||^2 of a student's vector u and the teacher's v:

* DS: cross-entropy with the soft targets at temperature T, times T^2 (its gradient is that of T^2 KL);
* PT: the [CLS] vectors of layers 1..K, the last one included;
* TD: at each head, its slice of the hidden states at the nodes of a tree of tokens. Level K are the `children` tokens
  with the largest attention in row [CLS] of layer K's map; level k < K are, for each token p of level k + 1, the
  `children` largest of row p of layer k's map (Algorithm 1). Choosing nodes has no gradient;
* ALL: every token's whole hidden state.

By the tree: `tkd` the student's maps, `teacher_tkd` the teacher's at layers I_pt, `ts_tkd` the sum over both trees,
`rand_tkd` as many random tokens in place of nodes, anew each batch. `all_kd` has ALL instead of TD; `all_tkd`,
`all_teacher_tkd` and `all_ts_tkd` have ALL beside it.

Two stages: DS, CE and PT alone for the fraction `start` of the run (the paper's checkpoint epoch), then everything.

reduction "elementmean" (default; the grid of beta and gamma has PKD's scale): PT, TD and ALL are means over the
elements that are compared. reduction "sum": all sums as printed, the whole objective divided by the batch.
nodes "set" (default): a token that two parents choose is one node; "multiset": it counts, and branches, twice.

Ours where the text is open: padding is no node, [CLS] and [SEP] may be; the lower position wins a tie; two children;
T^2; ALL per token; `start` one half; a regression takes mean squared errors for CE and DS.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from pydantic import Field
from torch import Tensor

from raykd.errors import together
from raykd.losses import logits_mse, soft_cross_entropy
from raykd.losses.tree import random_nodes, tree_counts, tree_nodes
from raykd.losses.tree_loss import all_tokens, patience, tree_distillation
from raykd.methods.layers import check_alike, check_depth, student_layers, uniform
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import SEE_LOGITS, hidden, needs
from raykd.methods.terms import hard_term

Source = Literal["student", "teacher", "random"]


class TKDParameters(Parameters):
    """Weights of the family's terms; a member has no use for those of terms that it lacks."""

    reduction: Literal["elementmean", "sum"] = Field("elementmean", description="of PT, tree and all-token terms")
    alpha: float = Field(0.5, ge=0, le=1, description="weight of the hard term; the soft term has 1 - alpha")
    temperature: float = Field(10.0, gt=0, description="T, softens both distributions")
    beta: float = Field(1000.0, ge=0, description="weight of PT: [CLS] vectors of all layers")
    gamma: float = Field(100.0, ge=0, description="weight of each tree")
    eta: float = Field(100.0, ge=0, description="weight of the all-token term")
    children: int = Field(2, ge=1, description="children m of a node")
    nodes: Literal["set", "multiset"] = Field("set", description="whether a node of two parents counts once or twice")
    start: float = Field(0.5, ge=0, lt=1, description="fraction of the run before tree and all-token terms act")


def recipe(parameters: TKDParameters, pair: Pair, *, trees: tuple[Source, ...], every: bool) -> Recipe:
    """Two stages. UserError for unequal widths, a deeper student, and unequal heads where there is a tree."""
    p = parameters
    together([lambda: check_alike(pair, width=True, heads=bool(trees)), lambda: check_depth(pair)])
    before = (hard_term(p.alpha, regression=pair.regression), _soft(p, pair), _patience(p, pair))
    later = tuple(_tree(p, pair, source) for source in trees) + ((_every_token(p, pair),) if every else ())
    after = Stage(terms=(*before, *later), name="tree" if trees else "tokens")
    if not p.start or not any(term.weight for term in later):
        return Recipe(stages=(after,))
    return Recipe(stages=(Stage(terms=before, until=p.start, name="patience"), after))


def _soft(p: TKDParameters, pair: Pair) -> Term:
    def on_logits(step: Step) -> Tensor:
        student, teacher = step.student.logits, step.teacher.logits
        if pair.regression:
            return logits_mse(student, teacher)
        return p.temperature**2 * soft_cross_entropy(student, teacher, p.temperature)

    return Term("soft", 1 - p.alpha, on_logits, student=SEE_LOGITS, teacher=SEE_LOGITS)


def _patience(p: TKDParameters, pair: Pair) -> Term:
    at_s, at_t = student_layers(pair), uniform(pair)

    def on_cls(step: Step) -> Tensor:
        student, teacher = (states.unsqueeze(2) for states in (step.student.cls(at_s), step.teacher.cls(at_t)))
        return _of_a_text(patience(student, teacher, reduction=p.reduction), p, step)

    return Term("patience", p.beta, on_cls, student=needs("cls", at_s), teacher=needs("cls", at_t))


def _tree(p: TKDParameters, pair: Pair, source: Source) -> Term:
    at_s, at_t = student_layers(pair), uniform(pair)
    choose = tree_nodes if p.nodes == "set" else tree_counts

    def nodes(step: Step) -> Tensor:
        if source == "random":
            return random_nodes(len(at_s), pair.student.heads, step.attention_mask, p.children)
        maps = step.student.attention(at_s) if source == "student" else step.teacher.attention(at_t)
        return choose(maps.detach(), step.attention_mask, p.children)

    def on_nodes(step: Step) -> Tensor:
        student, teacher = step.student.hidden(at_s), step.teacher.hidden(at_t)
        return _of_a_text(tree_distillation(student, teacher, nodes(step), reduction=p.reduction), p, step)

    maps_s = needs("attention", at_s) if source == "student" else frozenset()
    maps_t = needs("attention", at_t) if source == "teacher" else frozenset()
    name = {"student": "tree", "teacher": "teacher_tree", "random": "random_nodes"}[source]
    return Term(name, p.gamma, on_nodes, student=hidden(at_s) | maps_s, teacher=hidden(at_t) | maps_t)


def _every_token(p: TKDParameters, pair: Pair) -> Term:
    at_s, at_t = student_layers(pair), uniform(pair)

    def on_tokens(step: Step) -> Tensor:
        student, teacher = step.student.hidden(at_s), step.teacher.hidden(at_t)
        return _of_a_text(all_tokens(student, teacher, step.attention_mask, reduction=p.reduction), p, step)

    return Term("all_tokens", p.eta, on_tokens, student=hidden(at_s), teacher=hidden(at_t))


def _of_a_text(value: Tensor, p: TKDParameters, step: Step) -> Tensor:
    """A sum divided by the batch, so that its weight does not hang on how a step is split; a mean as it is."""
    return value / len(step.attention_mask) if p.reduction == "sum" else value


# Name: what is taught, by which trees, and whether all tokens count as well.
FAMILY: dict[str, tuple[str, tuple[Source, ...], bool]] = {
    "tkd": ("a tree of the tokens the student attends to", ("student",), False),
    "teacher_tkd": ("a tree of the tokens the teacher attends to", ("teacher",), False),
    "ts_tkd": ("the student's and the teacher's trees", ("student", "teacher"), False),
    "rand_tkd": ("random tokens instead of a tree", ("random",), False),
    "all_kd": ("all tokens instead of a tree", (), True),
    "all_tkd": ("all tokens, and the student's tree", ("student",), True),
    "all_teacher_tkd": ("all tokens, and the teacher's tree", ("teacher",), True),
    "all_ts_tkd": ("all tokens, and both trees", ("student", "teacher"), True),
}

METHODS = tuple(
    Method(
        name=name,
        title=f"tree distillation: {title}",
        paper="Xu, Ji & Xie 2022, Tree Knowledge Distillation for Compressing Transformer-Based Language Models",
        parameters=TKDParameters,
        recipe=partial(recipe, trees=trees, every=every),
    )
    for name, (title, trees, every) in FAMILY.items()
)
