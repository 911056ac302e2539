"""Nearest words: by hand, against a plain loop, and from files in good and bad form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from raykd.augment import vectors
from raykd.augment.masked_lm import load_masked_lm
from raykd.augment.vectors import WordVectors, from_glove, from_model, known_words, unit_rows
from raykd.errors import UserError

GLOVE = "east 1 0\nnorth 0 2\nnortheast 3 3\nwest -1 0\nzero 0 0\n"


@pytest.fixture
def glove(tmp_path: Path) -> Path:
    file = tmp_path / "glove.txt"
    file.write_text(GLOVE, encoding="utf-8")
    return file


def test_nearest_by_hand(glove: Path) -> None:
    near = from_glove(glove).nearest(["east", "north", "unknown", "east"], 1)
    assert near == {"east": ["northeast"], "north": ["northeast"]}
    everything = from_glove(glove).nearest(["east"], 99)["east"]
    assert (everything[0], set(everything[1:3]), everything[3]) == ("northeast", {"north", "zero"}, "west")


def test_against_a_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    words, matrix = [f"w{i}" for i in range(60)], torch.randn(60, 7)
    monkeypatch.setattr(vectors, "CELLS", 60 * 11)  # several batches, the last one smaller
    near = known_words(words, unit_rows(matrix)).nearest(words, 5)
    for i, word in enumerate(words):
        cosines = {
            other: float(matrix[i] @ matrix[j] / (matrix[i].norm() * matrix[j].norm()))
            for j, other in enumerate(words)
            if i != j
        }
        assert near[word] == sorted(cosines, key=cosines.__getitem__, reverse=True)[:5]


def test_length_does_not_matter() -> None:
    torch.manual_seed(1)
    words, matrix = [f"w{i}" for i in range(30)], torch.randn(30, 6)
    scaled = matrix * torch.rand(30, 1).add(0.1)
    assert known_words(words, unit_rows(matrix)).nearest(words, 3) == known_words(words, unit_rows(scaled)).nearest(
        words, 3
    )


def test_a_foreign_word_is_placed_by_its_vector() -> None:
    unit = unit_rows(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    placed = WordVectors(["east", "north"], unit, {"ene": torch.tensor([2.0, 1.0])}.get)
    assert placed.nearest(["ene", "other"], 2) == {"ene": ["east", "north"]}


def test_words_with_spaces_and_a_header(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("3 2\neast 1 0 \nat name 0 1\nodd\rword 1 1\n", encoding="utf-8", newline="\n")
    assert list(from_glove(file).words) == ["east", "at name", "odd\rword"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("east 1 0\nnorth 0\n", 2),
        ("east 1 0\nnorth 0 1 2 x\n", 2),
        ("east 1 0\nnorth a b\n", 2),
        ("east 1 0\n\nnorth 0 1\n", 2),
        ("east 1 0\nnorth 0 nan\n", 2),
        ("east 1 0\nnorth 0 1\nsouth 0 1e99\n", 3),
        ("east\n", 1),
        ("east one two\n", 1),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, line: int) -> None:
    file = tmp_path / "bad.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=f"bad.txt', line {line}: expected a word and"):
        from_glove(file)


def test_no_vectors_and_no_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.touch()
    with pytest.raises(UserError, match="holds no vectors"):
        from_glove(empty)
    with pytest.raises(UserError, match="cannot be read"):
        from_glove(tmp_path / "absent.txt")


def test_own_embeddings(lm_folder: Path) -> None:
    lm = load_masked_lm(lm_folder)
    own = from_model(lm)
    assert "film" in own.words
    assert not {"[MASK]", "##able", "able", ".", ","} & set(own.words)
    embeddings: Any = lm.model.get_input_embeddings()
    table = embeddings.weight.detach()
    ids = [lm.vocabulary.words.index(word) for word in own.words]
    pieces = [lm.tokenizer.convert_tokens_to_ids(piece) for piece in ("un", "##believ", "##able")]
    cosines = torch.nn.functional.cosine_similarity(table[ids], table[pieces].mean(dim=0), dim=1)
    expected = [own.words[i] for i in cosines.argsort(descending=True)[:4]]
    assert own.nearest(["unbelievable"], 4) == {"unbelievable": expected}
    assert own.nearest(["xyz"], 4) == {}  # the tokenizer knows no pieces of it
    assert "film" not in own.nearest(["film"], 50)["film"]
