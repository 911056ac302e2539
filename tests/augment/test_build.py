"""A split with its new rows: what they are, what they depend on, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from raykd.augment.build import Augmentation
from raykd.errors import UserError
from raykd.tasks.data import Split
from tests.augment.conftest import Loads
from tests.augment.runs import PAIRS, SETTINGS, SINGLE, build, files


def test_originals_first_then_variants_with_their_labels(lm_folder: Path, tmp_path: Path, loads: Loads) -> None:
    made = build(SINGLE, lm_folder, tmp_path)
    assert made.first(5) == SINGLE
    assert len(made) > 10
    assert len(made.texts) == len(made.labels)
    for (text,), label in zip(made.texts[5:], made.labels[5:], strict=True):
        number = int(text[-1])  # "river3" is no eligible word, so it tells the original
        assert label == SINGLE.labels[number]
        assert text == text.lower()
        assert text.split()[0] == "the"
        assert text not in {row[0] for row in SINGLE.texts}


def test_pairs(lm_folder: Path, tmp_path: Path, loads: Loads) -> None:
    original = build(PAIRS, lm_folder, tmp_path)
    assert original.first(2) == PAIRS
    for (first, second), label in zip(original.texts[2:], original.labels[2:], strict=True):
        source = PAIRS.texts[PAIRS.labels.index(label)]
        assert (first == source[0]) != (second == source[1])
    published = build(PAIRS, lm_folder, tmp_path, SETTINGS.model_copy(update={"pairs": "published"}))
    assert len(loads) == 1  # the same sentences
    assert len(published) == len(original) + 2
    assert any(first != "a great film" and second not in PAIRS.texts[0] for first, second in published.texts)


def test_draws_depend_on_seed_and_place_alone(lm_folder: Path, tmp_path: Path, loads: Loads) -> None:
    whole, part = build(SINGLE, lm_folder, tmp_path), build(SINGLE.first(3), lm_folder, tmp_path)
    assert set(part.texts) == {row for row in whole.texts if int(row[0][-1]) < 3}
    other = build(SINGLE, lm_folder, tmp_path, SETTINGS.model_copy(update={"seed": 2}))
    assert other.texts != whole.texts


def test_glove_is_used_for_words_of_several_pieces(lm_folder: Path, tmp_path: Path, loads: Loads) -> None:
    file = tmp_path / "glove.txt"
    file.write_text("unbelievable 1 0\nplausible 1 0.1\n", encoding="utf-8")
    settings = SETTINGS.model_copy(update={"vectors": str(file), "probability": 1.0})
    split = Split((("unbelievable",), ("remarkably",)), (0, 1))
    made = build(split, lm_folder, tmp_path / "cache", settings)
    assert made.texts == (("unbelievable",), ("remarkably",), ("plausible",))  # the other word has no vector
    assert made.labels == (0, 1, 0)


def test_bad_vectors_leave_no_shard(lm_folder: Path, tmp_path: Path, loads: Loads) -> None:
    split = Split((("an unbelievable film",),), (1,))
    absent = SETTINGS.model_copy(update={"vectors": str(tmp_path / "absent.txt")})
    with pytest.raises(UserError, match="no such file"):
        build(split, lm_folder, tmp_path / "cache", absent)
    assert not loads
    (tmp_path / "bad.txt").write_text("one 1 2\ntwo 1\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 2"):
        build(split, lm_folder, tmp_path / "cache", SETTINGS.model_copy(update={"vectors": str(tmp_path / "bad.txt")}))
    assert not files(tmp_path / "cache")


def test_answers_in_the_text_are_refused(lm_folder: Path, tmp_path: Path) -> None:
    split = Split((("what film", "a great film"),), (1,), (((2, "great"),),))
    with pytest.raises(UserError, match="would lose where answers are"):
        build(split, lm_folder, tmp_path)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="masked language model"):
        build(SINGLE, tmp_path / "absent", tmp_path)


@pytest.mark.parametrize(
    "bad",
    [{"candidates": 0}, {"probability": 1.1}, {"attempts": 0}, {"pairs": "other"}, {"seed": -1}, {"number": 1}],
)
def test_bad_settings(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Augmentation(**bad)
