"""A free mix: any sum of the terms that raykd knows, so that a search can choose among them. No paper's method.

loss = hard CE + soft T^2 KL + logits_mse MSE + the sum of weight * inner term (the table in `mix_terms`). The default
is that of `kd`, alpha 0.9; the terms of a method with its weights give that method's objective: 1 - alpha, alpha,
lambda_ckd and lambda_ckd * lambda_relation as hard, soft, the two pairs and the two angles give `ckd`.

alignment says which layers are matched: "uniform", student layer i = 1..m with teacher layer ceil(i n / m); or of the
hidden states 0 (the embedding output) to the last, "emb+skip" all that both networks share by gcd, "final" the last,
"emb" the embedding output, "emb+final" both, "triple" with the one in the middle. Terms on [CLS], attention, contrast
and tree leave the embedding output out; alp sees every layer of both; those on samples the last one.

inner_first > 0 makes two stages: inner terms alone for that fraction of the run, as in TinyBERT and LRC-BERT (no
classifier learns, so it is not scored), then all terms. It has no part where no inner term weighs.

Terms that compare vectors element by element have maps of their own, without a bias, to the teacher's width.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from raykd.errors import UserError, together
from raykd.losses import align_layers, logits_mse
from raykd.losses.teacher_free import label_smoothing
from raykd.methods.checks import check_weighs
from raykd.methods.layers import student_layers, uniform
from raykd.methods.method import Method, Pair
from raykd.methods.minilm import relation_heads
from raykd.methods.mix_parameters import MixParameters
from raykd.methods.mix_terms import INNER, Row, View
from raykd.methods.recipe import Recipe, Scene, Stage, Step, Term
from raykd.methods.seen import SEE_LOGITS, Kind, Need, layer_distances, needs, relations, word_distances
from raykd.methods.terms import hard_term, soft_term

Layers = tuple[tuple[int, ...], tuple[int, ...]]


def recipe(parameters: MixParameters, pair: Pair) -> Recipe:
    """One stage, or two. UserError where a term that weighs cannot serve the pair, the alignment or the task."""
    p = parameters
    inner = {name: row for name, row in INNER.items() if _weight(p, name)}
    together(
        [
            lambda: check_weighs(hard=p.hard, soft=p.soft, logits_mse=p.logits_mse),
            lambda: _check_smoothing(p, pair),
            lambda: _check_inner(inner, p, pair),
        ]
    )
    looking = tuple(_inner_term(name, row, p, pair) for name, row in inner.items())
    whole = Stage(terms=(*_on_logits(p, pair), *looking), name="all")
    extras = dict.fromkeys((f"map_{name}" for name, row in inner.items() if _fitted(row, pair)), _linear)
    if not (p.inner_first and looking):
        return Recipe(stages=(whole,), extras=extras)
    first = Stage(terms=looking, until=p.inner_first, name="inner", scored=False)
    return Recipe(stages=(first, whole), extras=extras)


def matched(row: Row, p: MixParameters, pair: Pair) -> Layers:
    """The (teacher, student) layers that a term looks at."""
    n, m = pair.teacher.layers, pair.student.layers
    if row.layers == "last":
        return (n,), (m,)
    if row.layers == "all":
        return tuple(range(1, n + 1)), student_layers(pair)
    at_t, at_s = _aligned(p, pair)
    kept = [(t, s) for t, s in zip(at_t, at_s, strict=True) if row.layers == "states" or (t and s)]
    return tuple(t for t, _ in kept), tuple(s for _, s in kept)


def _aligned(p: MixParameters, pair: Pair) -> Layers:
    if p.alignment == "uniform":
        return uniform(pair), student_layers(pair)
    return align_layers(pair.teacher.layers, pair.student.layers, p.alignment)


def _weight(p: MixParameters, name: str) -> float:
    weight: float = p.model_dump()[name]
    return weight


def _check_smoothing(p: MixParameters, pair: Pair) -> None:
    if p.smoothing and pair.answers != "classes":
        raise UserError(
            f"smoothing: {p.smoothing} spreads over classes; this task's answer is a {pair.answers}, give 0"
        )


def _check_inner(inner: dict[str, Row], p: MixParameters, pair: Pair) -> None:
    """An alignment that does not fit is said once, whatever terms there are."""
    related = any(name.startswith("relation_") for name in inner)
    together(
        [
            lambda: _aligned(p, pair),
            lambda: _check_heads([name for name, row in inner.items() if row.heads], pair),
            lambda: relation_heads(p.relation_heads, pair) if related else None,
        ]
    )
    together(partial(_check_matched, name, row, p, pair) for name, row in inner.items())


def _check_heads(names: list[str], pair: Pair) -> None:
    if names and pair.student.heads != pair.teacher.heads:
        raise UserError(
            f"{', '.join(names)}: the student has {pair.student.heads} heads, the teacher {pair.teacher.heads}, and "
            f"heads are compared one by one; give weight 0, or a student of {pair.teacher.heads} heads"
        )


def _check_matched(name: str, row: Row, p: MixParameters, pair: Pair) -> None:
    found = len(matched(row, p, pair)[0])
    if found < row.at_least:
        raise UserError(
            f"{name}: alignment '{p.alignment}' of {pair.teacher.layers} and {pair.student.layers} layers gives it "
            f"{found} to look at, and it needs {row.at_least}; give weight 0, or another alignment"
        )


def _on_logits(p: MixParameters, pair: Pair) -> tuple[Term, ...]:
    def smoothed(step: Step) -> Tensor:
        return label_smoothing(step.student.logits, step.labels, p.smoothing, onto="every")

    def squared(step: Step) -> Tensor:
        value = logits_mse(step.student.logits, step.teacher.logits)
        if pair.answers != "span":
            return value
        return value * step.attention_mask.numel() / step.attention_mask.sum()  # padded positions are equal, and count

    hard = hard_term(p.hard, regression=pair.regression)
    return (
        Term("hard", p.hard, smoothed, student=SEE_LOGITS) if p.smoothing else hard,
        soft_term(p.soft, p.temperature, regression=pair.regression),
        Term("logits_mse", p.logits_mse, squared, student=SEE_LOGITS, teacher=SEE_LOGITS),
    )


def _inner_term(name: str, row: Row, p: MixParameters, pair: Pair) -> Term:
    at_t, at_s = matched(row, p, pair)
    fitted = f"map_{name}" if _fitted(row, pair) else None

    def loss(step: Step) -> Tensor:
        return row.loss(View(step, p, pair, at_s, at_t, fitted))

    ours = _asked((*row.kinds, *row.own), at_s, p)
    theirs = _asked(row.kinds if row.taught is None else row.taught, at_t, p)
    if row.letters:
        theirs |= relations((row.letters,), at_t, relation_heads(p.relation_heads, pair))
    return Term(name, _weight(p, name), loss, student=ours, teacher=theirs)


def _asked(kinds: tuple[Kind, ...], layers: tuple[int, ...], p: MixParameters) -> frozenset[Need]:
    asked: frozenset[Need] = frozenset()
    for kind in kinds:
        if kind == "layer_distances":
            asked |= layer_distances(layers)
        elif kind == "word_distances":
            asked |= word_distances(layers, 2 * p.delta)
        else:
            asked |= needs(kind, layers)
    return asked


def _fitted(row: Row, pair: Pair) -> bool:
    return row.fit == "always" or (row.fit == "unequal" and pair.student.hidden != pair.teacher.hidden)


def _linear(scene: Scene) -> nn.Module:
    return nn.Linear(scene.pair.student.hidden, scene.pair.teacher.hidden, bias=False)


METHOD = Method(
    name="mix",
    title="a free mix of terms, for a search to choose among",
    paper="no paper (raykd, 2026); each term is that of the method it is taken from",
    parameters=MixParameters,
    recipe=recipe,
)
