"""Relations of queries, keys and values are the same whether they are stored themselves or as projections."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from raykd.knowledge.fill import fill
from raykd.knowledge.forms import Facts, Precision, bytes_of, form
from raykd.knowledge.library import Library
from raykd.knowledge.packing import Places, pack
from raykd.knowledge.plan import lines, plan
from raykd.knowledge.store import Knowledge
from raykd.knowledge.teacher import Teacher, live_teacher
from raykd.losses.attention_relations import MINILM_V1, MINILM_V2
from raykd.methods.seen import LOGITS, Need, hidden, needs, projections_of, relations
from tests.knowledge.made import FACTS
from tests.train.conftest import classes
from tests.train.setting import Setting

__all__ = ["classes"]

BASE = Facts(hidden=768, heads=12, outputs=2)
PAIRS = ("qk", "qq", "kk", "vv")
QK, VV = (Need("relation", 4, letters=pair, heads=8) for pair in ("qk", "vv"))
NO_LIMIT = 10**18


def chosen(asked: frozenset[Need], tokens: int, budget: int = NO_LIMIT) -> set[Need]:
    return {need for need, _ in plan(asked, BASE, np.full(10, tokens), budget).stored}


@pytest.mark.parametrize(("pairs", "heads", "longest"), [(MINILM_V1, 12, 127), (MINILM_V2, 48, 31)])
def test_short_texts_keep_relations_and_long_ones_projections(pairs: tuple[str, ...], heads: int, longest: int) -> None:
    asked = relations(pairs, (12,), heads)
    for tokens in (2, longest):
        assert chosen(asked, tokens) == asked
    for tokens in (longest + 2, 500):
        assert chosen(asked, tokens) == needs("query", (12,)) | needs("key", (12,)) | needs("value", (12,))


def test_one_projection_may_stand_for_several_relations() -> None:
    asked = relations(PAIRS, (12,), 48)
    projected = needs("query", (12,)) | needs("key", (12,))
    assert chosen(asked, 10) == asked
    assert chosen(asked, 25) == projected | relations(("vv",), (12,), 48)
    # Of values there is no need: nobody asks for their relation.
    assert chosen(relations(PAIRS[:3], (12,), 48), 300) == projected
    # What is stored in any case costs nothing more.
    assert chosen(relations(("vv",), (12,), 48) | needs("value", (12,)), 5) == needs("value", (12,))


@pytest.mark.parametrize("tokens", [5, 16, 17, 30, 31, 40, 127, 200])
def test_no_plan_is_dearer_than_all_of_either(tokens: int) -> None:
    lengths = np.array([tokens, 1, 2 * tokens])
    asked = relations(PAIRS, (3, 12), 48) | relations(MINILM_V1, (3,), 12) | hidden((3,))
    projected = {source for need in asked for source in projections_of(need)} | hidden((3,))
    found = plan(asked, BASE, lengths, NO_LIMIT)
    for way in (asked, projected):
        assert found.bytes <= sum(bytes_of(need, BASE, lengths) for need in way)
    kept = {need for need, _ in found.stored}
    assert all(need in kept or (projections_of(need) and projections_of(need) <= kept) for need in asked)


def test_relations_and_projections_go_over_the_budget_together() -> None:
    asked = relations(PAIRS, (12,), 48) | {LOGITS}
    size = sum(bytes_of(need, BASE, np.full(10, 25)) for need in chosen(asked, 25))
    assert len(chosen(asked, 25, size)) == 4
    found = plan(asked, BASE, np.full(10, 25), size - 1)
    assert [need for need, _ in found.stored] == [LOGITS]
    assert sorted(line.partition(" (")[0] for line in lines(found, 10)[1:]) == [
        f"asked live, beyond the budget: {kind}" for kind in ("key", "query", "relation")
    ]


def test_each_head_of_a_symmetric_relation_lies_as_the_gram_matrix_of_words_does() -> None:
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    scores = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    scores = scores + scores.mT
    whole = pack(form(VV, FACTS), scores, Places.of(mask), [0, 1])
    gram = form(Need("word_gram", 4), FACTS)
    heads = [pack(gram, head, Places.of(mask), [0, 1]) for head in scores.unbind(1)]
    for row in range(2):
        assert (whole[row] == np.concatenate([head[row] for head in heads])).all()
        n = int(mask[row].sum())
        by_hand = [scores[row, 0, i, j].item() for i in range(n) for j in range(i + 1)]
        assert (heads[0][row] == np.array(by_hand, "<f2")).all()


def stored(setting: Setting, wanted: frozenset[Need], root: Path, precision: Precision = "float16") -> Knowledge:
    train, teacher = setting.split("train"), live_teacher(setting.teacher())
    facts = Facts(teacher.shape.hidden, teacher.shape.heads, 2)
    library = Library(root, "teacher", train.key, precision)
    parts = [library.part(need, facts, train.lengths, rows_per_shard=40) for need in sorted(wanted)]
    for shard in range(len(parts[0])):
        assert fill(parts, shard, teacher, train, torch.device("cpu")) == []
    return Knowledge([part.folder for part in parts], train)


@pytest.mark.parametrize(("precision", "within"), [("float32", 1e-5), ("float16", 2e-3)])
def test_what_is_computed_from_projections_is_what_was_stored_and_what_the_network_says(
    classes: Setting, tmp_path: Path, precision: Precision, within: float
) -> None:
    asked = relations(PAIRS, (1, 4), 8)
    projected = frozenset(source for need in asked for source in projections_of(need))
    direct, derived = (stored(classes, wanted, tmp_path / f"{len(wanted)}", precision) for wanted in (asked, projected))
    batch = classes.split("train").batch([3, 1, 50, 7])
    real = batch.attention_mask.bool()[:, None, :, None]
    live = live_teacher(classes.teacher()).live(batch, asked).answers
    told = [known.answer(batch, asked).answers for known in (direct, derived)]
    assert set(live) == set(told[0]) == set(told[1]) == asked
    for need in asked:
        wanted = live[need].where(real & real.mT, torch.tensor(0.0))
        assert wanted.shape == (4, 8, real.shape[2], real.shape[2])
        for found in told:
            torch.testing.assert_close(found[need], wanted, rtol=within, atol=within)
    other = Need("relation", 4, letters="kv", heads=2)
    assert (direct.has(other), derived.has(other)) == (False, True)  # projections serve any relation of their layer
    assert not derived.has(replace(other, layer=2))
    assert not derived.has(replace(other, padding=True))
    both = derived.answer(batch, projected | {other}).answers
    assert both.keys() == projected | {other}


def test_half_of_what_a_relation_is_made_of_does_not_serve_it(classes: Setting, tmp_path: Path) -> None:
    known = stored(classes, needs("query", (4,)) | needs("value", (4,)), tmp_path)
    batch = classes.split("train").batch([0, 1])
    assert (known.has(QK), known.has(VV)) == (False, True)
    with pytest.raises(KeyError, match="relation-4-qk-h8 is not stored"):
        known.answer(batch, {QK, VV})
    live = live_teacher(classes.teacher())
    teacher = Teacher(live.shape, classes.teacher, known)
    assert teacher.answer(batch, {QK, VV}).answers.keys() == {QK, VV}  # the network knows the other half
    assert teacher.stored is known
    [folder] = [folder for folder in known.folders if folder.name.startswith("value")]
    teacher = Teacher(live.shape, classes.teacher, Knowledge(known.folders, known.split))
    (folder / "shard-00000.bin").unlink()
    torch.testing.assert_close(teacher.answer(batch, {VV}).answers[VV], live.live(batch, {VV}).answers[VV])
    assert teacher.stored is None


def test_a_mix_of_relations_learns_the_same_from_either(classes: Setting, tmp_path: Path) -> None:
    weights: dict[str, Any] = {f"relation_{pair}": 1.0 for pair in PAIRS}
    recipe = classes.recipe("mix", **weights, alignment="uniform", soft=0.0)
    asked, [stage] = recipe.teacher_needs(), recipe.stages
    projected = frozenset(source for need in asked for source in projections_of(need))
    assert (len(asked), len(projected)) == (8, 6)
    live, batch = live_teacher(classes.teacher()), classes.split("train").batch(range(3, 19))
    stores = [stored(classes, wanted, tmp_path / f"{len(wanted)}", "float32") for wanted in (asked, projected)]
    losses = []
    for teacher in (live, *(Teacher(live.shape, classes.teacher, known) for known in stores)):
        torch.manual_seed(1)
        objective = classes.objective(recipe, classes.student(dropout=0.0))
        losses.append(objective(batch, teacher.answer(batch, asked), stage, 1.0)[1])
    for name in weights:
        assert losses[0][name] > 0
        for told in losses[1:]:
            torch.testing.assert_close(told[name], losses[0][name], rtol=1e-4, atol=1e-7)
