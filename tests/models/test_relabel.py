"""A teacher's outputs put in the order of the data's classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from raykd.errors import UserError
from raykd.models.classifier import Head, load_classifier
from raykd.models.relabel import label_map_text, parse_label_map, relabelled
from raykd.models.scratch import word_tokenizer

LABELS = ("art", "sport", "world")
SIZES = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
KINDS: dict[str, dict[str, Any]] = {
    "bert": {}, "roberta": {"pad_token_id": 1}, "electra": {"embedding_size": 16}, "albert": {"embedding_size": 16},
    "distilbert": {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}, "mpnet": {"pad_token_id": 1},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_output_moves_to_its_class(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    sizes = {"vocab_size": 40} if kind == "distilbert" else SIZES
    config = AutoConfig.for_model(kind, **{**sizes, **KINDS[kind]}, num_labels=3)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    for name, weight in model.named_parameters():
        if "bias" in name:
            torch.nn.init.normal_(weight)
    model.save_pretrained(tmp_path / "t")
    word_tokenizer([f"w{number}" for number in range(30)]).save_pretrained(tmp_path / "t")
    order = parse_label_map("0=world, 1=art,2=sport", LABELS)
    assert order == (2, 0, 1)
    assert parse_label_map(label_map_text(order, LABELS), LABELS) == order
    copy = relabelled(tmp_path / "t", order, Head(LABELS), tmp_path / "copies")
    assert relabelled(tmp_path / "t", order, Head(LABELS), tmp_path / "copies") == copy
    again = load_classifier(copy, Head(LABELS))
    ids = torch.tensor([[2, 7, 9, 3]])
    with torch.no_grad():
        before, after = model(input_ids=ids).logits[0], again(input_ids=ids).logits[0]
    torch.testing.assert_close(after, before[[1, 2, 0]])  # art is its output 1, sport 2, world 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0=art,1=sport", "leaves out 2"),
        ("0=art,1=sport,2=sport", "every class must be named once"),
        ("0=art,1=sport,3=world", "the outputs are 0 to 2"),
        ("0=art,1=spotr,2=world", "did you mean 'sport'"),
        ("art,sport,world", "write number=class"),
        ("0=art,0=sport,1=world", "names output 0 twice"),
        ("0=art,1=sport,2=", "unknown class ''"),
    ],
)
def test_maps_that_are_none(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse_label_map(text, LABELS)


def test_names_with_commas_and_equal_signs() -> None:
    """The map in the refusal can be copied whatever the classes are called."""
    labels = ("a, b", "x=1", "c,d")
    assert parse_label_map(label_map_text((2, 0, 1), labels), labels) == (2, 0, 1)


def test_a_task_without_classes() -> None:
    with pytest.raises(UserError, match="this one has none"):
        parse_label_map("0=art", ())


def test_an_encoder_without_a_classifier(tmp_path: Path) -> None:
    AutoModel.from_config(AutoConfig.for_model("bert", **SIZES)).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="has none"):
        relabelled(tmp_path, (0, 1, 2), Head(LABELS), tmp_path / "copies")
