"""Heads for spans: found or made, cut and built, the same answers for every architecture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForQuestionAnswering,
    BertConfig,
    BertForMaskedLM,
    BertForQuestionAnswering,
    PerceiverConfig,
)

from raykd.errors import UserError
from raykd.models.classifier import Head, auto_class, has_head, load_classifier, load_config
from raykd.models.outputs import forward
from raykd.models.quiet import quiet
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.student import make_student, parse_student

Folders = Callable[[str], Path]
SPAN = Head((), span=True)
KINDS = ["bert", "bert-bare", "roberta", "distilbert", "electra", "mobilebert", "deberta-v2"]
IDS = torch.tensor([[5, 6, 7, 8], [5, 6, 1, 1]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])


@pytest.fixture
def finder(tmp_path: Path) -> Path:
    """A fine-tuned model for spans, and of six layers."""
    config = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=6, num_attention_heads=2, intermediate_size=24)
    with quiet():
        BertForQuestionAnswering(config).save_pretrained(tmp_path / "finder")
    return tmp_path / "finder"


def test_a_head_for_spans_has_no_labels() -> None:
    assert (SPAN.size, str(SPAN)) == (2, "the start and end of an answer")
    assert Head(()).size == 1
    with pytest.raises(UserError, match="a span of the text has none"):
        Head(("a", "b"), span=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("described", ["given", "cut:3", "build:2/24/3"])
def test_every_student_gives_start_and_end_of_every_token(kind: str, described: str, folder_of: Folders) -> None:
    if described.startswith("build") and kind in ("mobilebert", "deberta-v2"):
        pytest.skip("not built from sizes")
    folder = folder_of(kind)
    assert not has_head(folder, span=True)  # a classifier at most
    described = str(folder) if described == "given" else described
    model = make_student(parse_student(described), folder, SPAN, seed=1)
    found = forward(model, input_ids=IDS, attention_mask=MASK, hidden_states=True)
    assert found.logits.shape == (2, 4, 2)
    assert found.logits.isfinite().all()
    direct = model(input_ids=IDS, attention_mask=MASK)
    assert torch.equal(found.logits[..., 0], direct.start_logits)
    assert torch.equal(found.logits[..., 1], direct.end_logits)
    assert found.hidden_states is not None
    assert not model.training
    assert model.config.num_labels == 2
    assert model.config.problem_type is None


def test_a_stored_head_is_found_and_kept(finder: Path) -> None:
    assert has_head(finder, span=True)
    assert not has_head(finder)
    model = load_classifier(finder, SPAN)
    stored = load_file(finder / "model.safetensors")
    assert all(torch.equal(weight, stored[name]) for name, weight in model.state_dict().items())


def test_a_cut_takes_the_layers_and_a_fresh_head(finder: Path) -> None:
    student = make_student(parse_student("cut:2,5"), finder, SPAN, seed=1)
    stored, weights = load_file(finder / "model.safetensors"), student.state_dict()
    name = "bert.encoder.layer.{}.output.dense.weight"
    assert torch.equal(weights[name.format(0)], stored[name.format(1)])
    assert torch.equal(weights[name.format(1)], stored[name.format(4)])
    assert not torch.equal(weights["qa_outputs.weight"], stored["qa_outputs.weight"])
    again = make_student(parse_student("cut:2,5"), finder, SPAN, seed=1).state_dict()
    assert torch.equal(weights["qa_outputs.weight"], again["qa_outputs.weight"])
    # the same teacher cut for classes meanwhile: the two do not mix
    assert make_student(parse_student("cut:2"), finder, Head(("a", "b")), seed=1).config.num_labels == 2


def test_a_language_model_and_many_classes_give_an_encoder(tmp_path: Path) -> None:
    config = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
    config.num_labels = 5
    with quiet():
        BertForMaskedLM(config).save_pretrained(tmp_path)
    for described in (str(tmp_path), "cut:1"):
        model = make_student(parse_student(described), tmp_path, SPAN, seed=1)
        assert forward(model, input_ids=IDS, attention_mask=MASK).logits.shape == (2, 4, 2)


def test_an_architecture_without_such_a_head_is_refused() -> None:
    auto_class(PerceiverConfig(), span=False)
    with pytest.raises(UserError, match="a perceiver model has no head for spans"):
        auto_class(PerceiverConfig(), span=True)


def test_what_is_saved_reads_back_without_raykd(tmp_path: Path) -> None:
    tokenizer = word_tokenizer(["who", "is", "there"])
    model = scratch_classifier(tokenizer, SPAN, layers=1, hidden=16, heads=2, intermediate=24, seed=0)
    save_student(model, tokenizer, tmp_path / "student")
    assert json.loads((tmp_path / "student" / "config.json").read_text())["architectures"] == [
        "BertForQuestionAnswering"
    ]
    assert has_head(tmp_path / "student", span=True)
    assert load_config(tmp_path / "student").num_labels == 2
    with quiet():
        other = AutoModelForQuestionAnswering.from_pretrained(tmp_path / "student").eval()
    given = tokenizer("who", "is there", return_tensors="pt")
    found = forward(model, **given).logits
    assert torch.equal(torch.stack([*other(**given).values()], dim=-1), found)
