"""Loading a masked language model: what is refused, and in which words."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, MobileBertConfig, MobileBertForMaskedLM

from raykd.augment.candidates import masked_inputs
from raykd.augment.masked_lm import load_masked_lm, masked_ids, padded
from raykd.augment.words import basic_tokens
from raykd.errors import UserError
from raykd.models.quiet import quiet
from tests.augment.toys import VOCABULARY, wordpiece

SIZES: dict[str, Any] = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
}


def test_loads_in_eval_mode_and_says_nothing(lm_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lm = load_masked_lm(lm_folder)
    assert not lm.model.training
    assert lm.longest == 64
    assert capfd.readouterr() == ("", "")


def test_a_classifier_without_the_head_is_refused(tmp_path: Path) -> None:
    with quiet():
        BertForSequenceClassification(BertConfig(**SIZES)).save_pretrained(tmp_path)
    wordpiece(VOCABULARY).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"no complete masked language model: cls\.predictions.*name the pretrained"):
        load_masked_lm(tmp_path)


def test_a_tokenizer_without_mask_is_refused(lm_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(lm_folder, folder)
    tokenizer = wordpiece(VOCABULARY)
    tokenizer.mask_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(UserError, match="the tokenizer has no mask token"):
        load_masked_lm(folder)


def test_damaged_weights_are_refused(lm_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(lm_folder, folder)
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="weights cannot be loaded"):
        load_masked_lm(folder)


def test_a_head_that_multiplies_by_itself(tmp_path: Path) -> None:
    """MobileBERT's output embeddings are never called: the scores come from the full logits then."""
    config = MobileBertConfig(**SIZES, embedding_size=8, intra_bottleneck_size=8)
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        MobileBertForMaskedLM(config).save_pretrained(tmp_path)
    wordpiece(VOCABULARY).save_pretrained(tmp_path)
    lm = load_masked_lm(tmp_path)
    sentences = ["the movie was great", "a garden"]
    inputs = masked_inputs(lm.tokenizer, sentences, [basic_tokens(sentence) for sentence in sentences], 64)
    batch = [each for row in inputs for each in row.values()]
    with torch.no_grad():
        logits = lm.model(
            input_ids=masked_ids(batch, lm.tokenizer),
            attention_mask=padded([[1] * len(each.ids) for each in batch], 0),
            token_type_ids=padded([each.segments or [] for each in batch], 0),
        ).logits
    expected = logits[range(len(batch)), [each.position for each in batch]]
    torch.testing.assert_close(lm.scores(batch), expected, rtol=0, atol=1e-6)
