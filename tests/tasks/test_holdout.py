"""Rows held out to select by: of every class, whole contexts, the same each time; and where that cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from raykd.errors import UserError
from raykd.tasks.data import Data, Split
from raykd.tasks.holdout import FEWEST, SELECT, hold_out, with_selection
from raykd.tasks.task import Task, find

RTE, STSB, SQUAD = find("rte"), find("stsb"), find("squad")


def split(labels: Sequence[int | float], contexts: int | None = None) -> Split:
    """One row a label, all different; or questions on `contexts` contexts, of which every other has twice as many."""
    texts = [(f"text {i}", f"context {i % contexts if contexts else i}") for i in range(len(labels))]
    return Split(tuple(texts), tuple(labels))


def data(task: Task, train: Split) -> Data:
    return Data(task, train, {"dev": split([0, 1] * 10)}, "here", (), "f")


def test_every_class_keeps_its_share() -> None:
    whole = split([0] * 700 + [1] * 300)
    rest, held = hold_out(whole, RTE, seed=1, purpose="dev")
    assert Counter(held.labels) == {0: 70, 1: 30}
    assert Counter(rest.labels) == {0: 630, 1: 270}
    assert set(rest.texts) | set(held.texts) == set(whole.texts)
    assert not set(rest.texts) & set(held.texts)


def test_the_seed_decides_and_nothing_else() -> None:
    whole = split([0, 1] * 200)
    assert hold_out(whole, RTE, seed=1, purpose="dev") == hold_out(whole, RTE, seed=1, purpose="dev")
    assert hold_out(whole, RTE, seed=1, purpose="dev")[1] != hold_out(whole, RTE, seed=2, purpose="dev")[1]


def test_numbers_are_drawn_evenly() -> None:
    rest, held = hold_out(split([i / 100 for i in range(500)]), STSB, seed=1, purpose="dev")
    assert (len(rest), len(held)) == (450, 50)


def test_no_context_is_in_both() -> None:
    rest, held = hold_out(split([1] * 400, contexts=40), SQUAD, seed=1, purpose="dev")
    assert not {context for _, context in rest.texts} & {context for _, context in held.texts}
    assert 40 <= len(held) < 60


def test_one_context_cannot_be_divided() -> None:
    with pytest.raises(UserError, match="single context"):
        hold_out(split([1] * 50, contexts=1), SQUAD, seed=1, purpose="dev")


def test_it_comes_first_and_dev_stays() -> None:
    chosen = with_selection(data(RTE, split([0, 1] * 500)))
    assert [*chosen.dev] == [SELECT, "dev"]
    assert len(chosen.dev[SELECT]) == 100
    assert len(chosen.train) == 900
    assert chosen.fingerprint == "f"


@pytest.mark.parametrize(
    ("task", "train"),
    [
        (RTE, split([0, 1] * (5 * FEWEST - 10))),
        (RTE, split([0] * 600 + [1])),  # one of its classes would be missing
        (SQUAD, split([1] * 600, contexts=1)),
    ],
)
def test_where_too_little_would_be_held_dev_selects(task: Task, train: Split) -> None:
    whole = data(task, train)
    assert with_selection(whole) is whole


def test_equal_texts_stay_together() -> None:
    """40 texts, each ten times: what is held out is new to train."""
    texts = [(f"text {row % 40}", "same   space" if row % 2 else " same space") for row in range(400)]
    rest, held = hold_out(Split(tuple(texts), tuple(row % 2 for row in range(400))), RTE, seed=0, purpose="dev")
    assert Counter(held.labels) == {0: 20, 1: 20}
    assert not {first for first, _ in rest.texts} & {first for first, _ in held.texts}


def test_a_text_with_two_labels_stays_on_one_side() -> None:
    texts = [(f"text {row // 2}", "") for row in range(200)]
    rest, held = hold_out(Split(tuple(texts), tuple(row % 2 for row in range(200))), RTE, seed=0, purpose="dev")
    assert not set(rest.texts) & set(held.texts)
    assert len(held) == 20


def test_a_text_that_fills_its_class_is_passed_over() -> None:
    texts = [("the same", "") for _ in range(150)] + [(f"text {row}", "") for row in range(50)]
    _, held = hold_out(Split(tuple(texts), tuple([0] * 175 + [1] * 25)), RTE, seed=0, purpose="dev")
    assert ("the same", "") not in held.texts
    assert Counter(held.labels) == {0: 18, 1: 2}


def test_rows_decide_not_their_order() -> None:
    whole = split([0, 1] * 200)
    turned = whole.take(reversed(range(400)))
    held = {purpose: hold_out(whole, RTE, seed=0, purpose=purpose)[1] for purpose in ("dev", SELECT)}
    assert set(hold_out(turned, RTE, seed=0, purpose="dev")[1].texts) == set(held["dev"].texts)
    assert set(held["dev"].texts) != set(held[SELECT].texts)


def test_one_more_row_moves_few_others() -> None:
    whole, more = split([0, 1] * 200), split([0, 1] * 200 + [0])
    first, second = (set(hold_out(part, RTE, seed=0, purpose="dev")[1].texts) for part in (whole, more))
    assert len(first ^ second) <= 2
