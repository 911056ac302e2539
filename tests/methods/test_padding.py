"""A term that looks at positions of padding in the teacher's answers says so; the others' losses do not depend on them.

What stands there depends on the rest of the batch, so a store that keeps answers row by row cannot hold it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import Tensor

from raykd.methods import METHODS
from raykd.methods.seen import Need, Seen
from tests.methods.bench import bench

TAUGHT = [name for name, method in METHODS.items() if method.needs_teacher]
EVERY: dict[str, dict[str, object]] = {
    "mix": dict.fromkeys(("word_pair", "word_angle", "layer_pair", "layer_angle", "hidden", "cka_intra"), 1.0)
}


def variants(name: str) -> list[dict[str, object]]:
    """The method's published variants, where it has some; of `mix`, terms that are off by default."""
    field = METHODS[name].parameters.model_fields.get("variant")
    given = EVERY.get(name, {})
    return [given] if field is None else [{**given, "variant": value} for value in get_args(field.annotation)]


CASES = [
    pytest.param(name, given, id=f"{name}-{given.get('variant', '')}") for name in TAUGHT for given in variants(name)
]


def spoiled(need: Need, answer: Tensor, mask: Tensor) -> Tensor:
    """Other numbers where padding is."""
    padding = ~mask.bool()
    if need.kind in ("hidden", "query", "key", "value"):
        where = padding.unsqueeze(-1)
    elif need.kind in ("scores", "attention", "relation"):
        where = (padding.unsqueeze(-1) | padding.unsqueeze(-2)).unsqueeze(1)
    else:
        return answer
    return torch.where(where, 3.0 + torch.rand_like(answer), answer)


@pytest.mark.parametrize(("name", "given"), CASES)
def test_who_looks_at_padding_says_so(name: str, given: dict[str, object]) -> None:
    with_padding = 0
    placed = bench("bert", name, "classes", **given)
    placed.objective.eval()  # nothing is remembered from one loss to the next
    batch = placed.texts.batch(range(4))
    assert not batch.attention_mask.bool().all()
    for stage in placed.recipe.stages:
        needs = stage.teacher_needs()
        told = placed.told(batch, stage)
        look = {replace(need, padding=False) for need in needs if need.padding}
        with_padding += len(look)
        other = Seen(
            {
                need: answer if need in look else spoiled(need, answer, batch.attention_mask)
                for need, answer in told.answers.items()
            }
        )
        losses = []
        for answers in (told, other):
            torch.manual_seed(3)
            losses.append(placed.objective(batch, answers, stage, stage.until)[0])
        torch.testing.assert_close(losses[1], losses[0])
    assert bool(with_padding) == ((name, given.get("variant")) in LOOK)


LOOK = {
    ("ckd", "code"),
    ("tinybert", "code"),
    *(("fsd" + part, "code") for part in ("", "_i", "_l", "_g", "_lg", "_ig", "_il")),
}
