"""Rows without padding: their sizes, their names, and the way there and back for every kind of need."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raykd.knowledge.forms import (
    FORMAT,
    Facts,
    Form,
    Precision,
    bytes_of,
    described,
    form,
    from_description,
    name,
    readable,
)
from raykd.knowledge.packing import Places, Unstorable, pack, unpack
from raykd.methods.seen import LOGITS, Need
from tests.knowledge.made import FACTS, NEEDS, OF_SPANS, answer

FORMS = [(need, FACTS) for need in NEEDS] + [(LOGITS, OF_SPANS)]
every_form = pytest.mark.parametrize(
    ("need", "facts"), FORMS, ids=[readable(need) for need, _ in FORMS[:-1]] + ["span"]
)


def mask_of(lengths: list[int], width: int, pad_left: bool) -> torch.Tensor:
    position = torch.arange(width)
    first = width - torch.tensor(lengths) if pad_left else torch.zeros(len(lengths), dtype=torch.long)
    end = first + torch.tensor(lengths)
    return ((position >= first[:, None]) & (position < end[:, None])).long()


def close(found: torch.Tensor, wanted: torch.Tensor, of: Form) -> None:
    """To half a unit of the last place on disk; twice as much for what is kept as a root."""
    assert found.dtype == torch.float32
    assert found.shape == wanted.shape
    unit = (2.0**-11 if of.precision == "float16" else 2.0**-23) * (2.01 if of.rooted else 1)
    torch.testing.assert_close(found, wanted, rtol=unit, atol=1e-7)


@every_form
@pytest.mark.parametrize("precision", ["float16", "float32"])
@pytest.mark.parametrize("pad_left", [False, True])
@settings(max_examples=12, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    more=st.integers(0, 3),
    seed=st.integers(0, 2**16),
)
def test_there_and_back(
    need: Need, facts: Facts, precision: Precision, pad_left: bool, lengths: list[int], more: int, seed: int
) -> None:
    of = form(need, facts, precision)
    mask = mask_of(lengths, max(lengths) + more, pad_left)
    given_, wanted = answer(of, mask, seed)
    rows = pack(of, given_, Places.of(mask), range(len(lengths)))
    assert [len(row) for row in rows] == of.numbers(np.array(lengths)).tolist()
    assert {row.dtype for row in rows} == {of.dtype}
    close(unpack(of, rows, Places.of(mask)), wanted, of)


@every_form
def test_a_row_is_the_same_in_any_batch(need: Need, facts: Facts) -> None:
    of = form(need, facts)
    narrow, wide = mask_of([5], 5, False), mask_of([5, 8], 9, True)
    alone = pack(of, answer(of, narrow)[0], Places.of(narrow), [0])[0]
    beside = unpack(of, [alone, np.ones(of.numbers(np.array([8]))[0], of.dtype)], Places.of(wide))
    again = pack(of, beside, Places.of(wide), [0, 1])[0]
    assert (alone == again).all()


@given(stored=st.integers(1, 12), reach=st.integers(1, 12), lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4))
@settings(deadline=None)
def test_a_band_serves_a_shorter_reach(stored: int, reach: int, lengths: list[int]) -> None:
    reach = min(reach, stored)
    of = form(Need("word_distances", 1, reach=stored), FACTS)
    mask = mask_of(lengths, max(lengths), False)
    given_, wanted = answer(of, mask)
    found = unpack(of, pack(of, given_, Places.of(mask), range(len(lengths))), Places.of(mask), reach=reach)
    close(found, wanted[..., :reach], of)


def test_an_answer_may_reach_further_than_what_is_kept() -> None:
    of, more = (form(Need("word_distances", 1, reach=reach), FACTS) for reach in (2, 5))
    mask = mask_of([4, 7], 7, False)
    given_, wanted = answer(more, mask)
    close(unpack(of, pack(of, given_, Places.of(mask), [0, 1]), Places.of(mask)), wanted[..., :2], of)


@pytest.mark.parametrize("bad", [7e4, -7e4, float("inf"), float("nan")])
def test_what_float16_cannot_hold_is_refused_by_name(bad: float) -> None:
    of = form(Need("hidden", 7), FACTS)
    mask = mask_of([3, 2], 3, False)
    values, _ = answer(of, mask)
    values[1, 1, 4] = bad
    with pytest.raises(Unstorable, match=r"hidden-7: row 41 has .*float16 reaches to 65504") as refused:
        pack(of, values, Places.of(mask), [40, 41])
    assert (refused.value.need, refused.value.row) == (of.need, 41)
    np.testing.assert_equal(refused.value.value, np.float32(bad))
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
    if np.isfinite(bad):
        assert len(pack(form(of.need, FACTS, "float32"), values, Places.of(mask), [40, 41])) == 2


def test_distances_reach_further_than_float16() -> None:
    of = form(Need("layer_distances", layers=(0, 1)), FACTS)
    mask = mask_of([1], 1, False)
    values = torch.full((1, 1, 1), 65504.0**2)
    close(unpack(of, pack(of, values, Places.of(mask), [0]), Places.of(mask)), values, of)
    with pytest.raises(Unstorable, match="a root of"):
        pack(of, values * 1.01, Places.of(mask), [0])


def test_an_answer_of_another_shape_is_refused() -> None:
    mask = mask_of([3], 3, False)
    for need in NEEDS:
        with pytest.raises(ValueError, match="the answer should be"):
            pack(form(need, FACTS), torch.zeros(1, 1, 1, 1, 1), Places.of(mask), [0])


def test_a_mask_with_holes_is_refused() -> None:
    with pytest.raises(ValueError, match="holes"):
        Places.of(torch.tensor([[1, 0, 1]]))


def test_sizes() -> None:
    lengths = np.array([1, 3, 10])
    sizes = {f"{of.kind}{of.letters}": bytes_of(of, FACTS, lengths) for of in NEEDS}
    assert sizes == {
        "logits": 3 * 3 * 4,  # float32 always
        "hidden": 14 * 6 * 2,
        "cls": 3 * 6 * 2,
        "query": 14 * 6 * 2,
        "key": 14 * 6 * 2,
        "value": 14 * 6 * 2,
        "scores": (1 + 9 + 100) * 2 * 2,
        "attention": (1 + 9 + 100) * 2 * 2,
        "word_distances": (0 + 3 * 2 + 10 * 4) * 2,
        "layer_distances": 14 * 3 * 2,
        "word_gram": (1 + 6 + 55) * 2,
        "relationqk": (1 + 9 + 100) * 3 * 2,
        "relationvv": (1 + 6 + 55) * 3 * 2,
    }
    assert bytes_of(LOGITS, OF_SPANS, lengths) == 14 * 2 * 4
    assert bytes_of(NEEDS[1], FACTS, lengths, "float32") == 14 * 6 * 4
    assert bytes_of(NEEDS[3], replace(FACTS, projected=2), lengths) == 14 * 2 * 2


@pytest.mark.parametrize(
    "need",
    [Need("hidden", 1, padding=True), Need("word_distances", 1), Need("layer_distances", layers=(3,))],
)
def test_what_cannot_be_stored(need: Need) -> None:
    with pytest.raises(ValueError, match=readable(need)):
        form(need, FACTS)


def test_names_differ_with_all_that_the_content_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    band = Need("word_distances", 6, reach=20)
    names = {
        name(band, "teacher", "data", "float16"),
        name(band, "another", "data", "float16"),
        name(band, "teacher", "another", "float16"),
        name(band, "teacher", "data", "float32"),
        name(replace(band, reach=21), "teacher", "data", "float16"),
        name(replace(band, layer=7), "teacher", "data", "float16"),
        *(
            name(Need("layer_distances", layers=of), "teacher", "data", "float16")
            for of in [(0, 1, 2), (0, 12), (1, 2)]
        ),
    }
    monkeypatch.setattr("raykd.knowledge.forms.FORMAT", FORMAT + 1)
    names.add(name(band, "teacher", "data", "float16"))
    assert len(names) == 10
    assert sum(of.startswith("word_distances-6-r20-") for of in names) == 5
    assert name(LOGITS, "t", "d", "float16") == name(LOGITS, "t", "d", "float32")


def test_a_name_of_many_layers_is_short_enough_for_a_file() -> None:
    names = {name(Need("layer_distances", layers=tuple(range(many))), "t", "d", "float16") for many in (98, 99)}
    assert len(names) == 2
    assert all(len(of) < 120 for of in names)


@pytest.mark.parametrize("need", NEEDS)
def test_descriptions(need: Need) -> None:
    assert from_description(described(need)) == need
    assert described(LOGITS) == {"kind": "logits"}
