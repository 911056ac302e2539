"""Tokenised data: equal to the tokenizer's own padding, kept on disk, found again, rebuilt when damaged."""

from __future__ import annotations

import pickle
import string
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from raykd.errors import UserError
from raykd.tasks.data import Split
from raykd.tasks.encode import Encoded, encode

from .conftest import make_tokenizer


def make_split(n: int = 40, pairs: bool = True) -> Split:
    chance = Random(0)

    def text() -> str:
        return " ".join(chance.choice(string.ascii_lowercase) for _ in range(chance.randint(1, 15)))

    texts = tuple((text(), text()) if pairs else (text(),) for _ in range(n))
    return Split(texts, tuple(i % 2 for i in range(n)))


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("pairs", [True, False])
def test_batch_equals_the_tokenizers_padding(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, pairs: bool, side: str
) -> None:
    tokenizer.padding_side = side
    split = make_split(pairs=pairs)
    coded = encode(split, tokenizer, max_length=12, regression=False, cache=tmp_path)
    rows = [7, 0, 39, 12]
    columns = [list(column) for column in zip(*(split.texts[row] for row in rows), strict=True)]
    wanted = tokenizer(*columns, truncation="longest_first", max_length=12, padding=True, return_tensors="pt")
    batch = coded.batch(rows)
    assert torch.equal(batch.input_ids, wanted["input_ids"])
    assert torch.equal(batch.attention_mask, wanted["attention_mask"])
    assert batch.token_type_ids is not None
    assert torch.equal(batch.token_type_ids, wanted["token_type_ids"])
    assert batch.labels.tolist() == [1, 0, 1, 0]
    assert batch.labels.dtype == torch.int64
    assert batch.rows.tolist() == rows


def test_truncation_is_counted(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    split = Split((("a b c d e",), ("a b",), ("a " * 10_000,)), (0, 1, 0))
    coded = encode(split, tokenizer, max_length=6, regression=False, cache=tmp_path)
    assert coded.truncated == 2
    assert coded.lengths.tolist() == [6, 4, 6]
    assert coded.lengths.dtype == np.int32
    assert coded.batch([1]).input_ids.shape == (1, 4)  # no wider than its own rows


def test_the_cache_is_used_and_the_key_covers_all_that_matters(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = make_split()

    def key(split: Split = split, tokenizer: PreTrainedTokenizerFast = tokenizer, length: int = 12) -> str:
        return encode(split, tokenizer, max_length=length, regression=False, cache=tmp_path).key

    first = key()
    relabelled = Split(split.texts, (1, *split.labels[1:]))
    other_words = make_tokenizer(list("zyxwvutsrqponmlkjihgfedcba"))
    keys = {first, key(relabelled), key(length=11), key(split.first(39)), key(tokenizer=other_words)}
    keys.add(encode(split, tokenizer, max_length=12, regression=True, cache=tmp_path).key)
    assert len(keys) == 6
    tokenizer(["a"], truncation=True, max_length=3, padding="max_length")  # leaves its mark on the backend
    monkeypatch.setattr("raykd.tasks.encode._write", lambda *_: pytest.fail("tokenised again"))
    assert key() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(keys)  # no scratch left behind


def test_damage_is_found_and_mended(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    coded = encode(make_split(), tokenizer, max_length=12, regression=False, cache=tmp_path)
    wanted = coded.batch([0, 1]).input_ids
    for name, content in (("ids.npy", b"short"), ("meta.json", b"{"), ("offsets.npy", b"")):
        (tmp_path / coded.key / name).write_bytes(content)
        with pytest.raises((OSError, ValueError)):
            Encoded.open(tmp_path / coded.key)
        again = encode(make_split(), tokenizer, max_length=12, regression=False, cache=tmp_path)
        assert torch.equal(again.batch([0, 1]).input_ids, wanted)


def test_losing_the_race_to_another_writer_is_fine(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coded = encode(make_split(), tokenizer, max_length=12, regression=False, cache=tmp_path)
    monkeypatch.setattr(Path, "exists", lambda self: False)  # as if the other finished while we tokenised
    again = encode(make_split(), tokenizer, max_length=12, regression=False, cache=tmp_path)
    assert again.key == coded.key
    assert [path.name for path in tmp_path.iterdir()] == [coded.key]


def test_pickles_as_a_path_and_reads_from_a_map(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    coded = encode(make_split(), tokenizer, max_length=12, regression=False, cache=Path("cache"))
    packed = pickle.dumps(coded)
    assert len(packed) < 1_000
    monkeypatch.chdir("/")
    copy: Encoded = pickle.loads(packed)
    assert isinstance(copy.labels, np.memmap)
    assert len(copy) == 40
    assert torch.equal(copy.batch([5, 6]).input_ids, coded.batch([5, 6]).input_ids)


def test_scores_are_floats_and_types_may_be_absent(tmp_path: Path) -> None:
    split = Split((("a", "b"), ("c", "d")), (2.5, 0.0))
    coded = encode(split, make_tokenizer(list("abcd"), types=False), max_length=12, regression=True, cache=tmp_path)
    batch = coded.batch(np.array([0, 1])).to("cpu")
    assert batch.labels.dtype == torch.float32
    assert batch.labels.tolist() == [2.5, 0.0]
    assert batch.token_type_ids is None


def test_impossible_settings_are_refused(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    tokenizer.model_max_length = 64
    tokenizer.pad_token = None
    for length in (4, 65):
        with pytest.raises(UserError) as caught:
            encode(make_split(), tokenizer, max_length=length, regression=False, cache=tmp_path)
        assert caught.value.problems == (
            "the tokenizer has no padding token",
            f"max_length is {length}: this tokenizer can do 5 to 64",
        )
