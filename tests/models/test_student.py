"""Students cut, built and given: right weights, right sizes, the same for the same seed, nothing shared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AlbertConfig, AlbertForSequenceClassification, PreTrainedModel

from raykd.errors import UserError
from raykd.models.classifier import Head, load_classifier, load_config
from raykd.models.outputs import forward
from raykd.models.shape import Shape, shape, size_of
from raykd.models.student import make_student, parse_student

Folders = Callable[[str], Path]
KINDS = ["bert", "bert-bare", "roberta", "distilbert", "electra", "mobilebert", "deberta-v2"]
BUILT = ["bert", "roberta", "distilbert", "electra"]
HEAD = Head(("no", "yes", "maybe"))


def make(text: str, folder: Path, *, seed: int = 1, head: Head = HEAD) -> PreTrainedModel:
    return make_student(parse_student(text), folder, head, seed=seed)


def same(first: PreTrainedModel, second: PreTrainedModel) -> bool:
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_student_holds_the_teachers_embeddings_and_layers(kind: str, folder_of: Folders) -> None:
    folder = folder_of(kind)
    stored = load_file(folder / "model.safetensors")
    student = make("cut:2,4,6", folder)
    prefix = student.base_model_prefix + "."
    compared = layers_seen = 0
    for name, weight in student.state_dict().items():
        if not name.startswith(prefix):
            continue
        parts = name.split(".")
        if "layer" in parts:
            place = parts.index("layer") + 1
            parts[place] = str((1, 3, 5)[int(parts[place])])
            layers_seen += 1
        origin = ".".join(parts)
        expected = stored[origin] if origin in stored else stored[origin.removeprefix(prefix)]
        assert torch.equal(weight, expected), name
        compared += 1
    assert layers_seen
    assert compared > layers_seen
    assert student.config.num_hidden_layers == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_student_runs_and_shows_its_layers(kind: str, folder_of: Folders) -> None:
    folder = folder_of(kind)
    student = make_student(parse_student("cut:3"), folder, HEAD, seed=1, attention="eager")
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    found = forward(
        student,
        input_ids=torch.tensor([[5, 6, 7, 8], [5, 6, 1, 1]]),
        attention_mask=mask,
        hidden_states=True,
        attentions=True,
    )
    assert found.logits.shape == (2, 3)
    assert found.logits.isfinite().all()
    assert found.hidden_states is not None
    assert [tuple(states.shape) for states in found.hidden_states] == [(2, 4, 16)] * 4
    assert found.attentions is not None
    assert [tuple(maps.shape) for maps in found.attentions] == [(2, 2, 4, 4)] * 3
    assert not student.training
    assert all(weight.requires_grad for weight in student.parameters())
    assert {weight.dtype for weight in student.parameters()} == {torch.float32}
    assert all(weight.device.type == "cpu" for weight in (*student.parameters(), *student.buffers()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_keeping_every_layer_gives_the_teachers_hidden_states(kind: str, folder_of: Folders) -> None:
    # buffers (position ids, token types) are not stored: were they not filled again, this would show it
    folder = folder_of(kind)
    head = Head(("a", "b"))
    whole, student = load_classifier(folder, head), make("cut:6", folder, head=head)
    ids = torch.randint(3, 40, (2, 9), generator=torch.Generator().manual_seed(0))
    pair = [
        forward(model, input_ids=ids, attention_mask=torch.ones_like(ids), hidden_states=True).hidden_states
        for model in (whole, student)
    ]
    assert pair[0] is not None
    assert pair[1] is not None
    assert all(torch.equal(one, other) for one, other in zip(*pair, strict=True))


@pytest.mark.parametrize("kind", BUILT)
def test_a_built_student_has_the_sizes_asked_for(kind: str, folder_of: Folders) -> None:
    folder = folder_of(kind)
    student = make("build:2/24/3/30", folder)
    assert shape(student) == Shape(2, 24, 3, vocabulary=40, parameters=size_of(student), projected=24)
    assert shape(student.config).parameters is None
    assert student.num_parameters() == size_of(student)
    assert any(30 in weight.shape for weight in student.parameters())
    ids = torch.tensor([[5, 6, 7]])
    found = forward(student, input_ids=ids, attention_mask=torch.ones_like(ids), hidden_states=True)
    assert found.hidden_states is not None
    assert [tuple(states.shape) for states in found.hidden_states] == [(1, 3, 24)] * 3
    assert not student.training


@pytest.mark.parametrize("text", ["cut:3", "build:2/24/3"])
def test_the_same_seed_gives_the_same_student_also_the_first_time(
    text: str, folder_of: Folders, tmp_path: Path
) -> None:
    # a copy: its teacher is in no cache yet, so the first student is made on the slow way
    folder = shutil.copytree(folder_of("bert-bare"), tmp_path / "fresh")
    first, second, third = make(text, folder), make(text, folder), make(text, folder, seed=2)
    assert same(first, second)
    assert not torch.equal(first.state_dict()["classifier.weight"], third.state_dict()["classifier.weight"])


def test_the_same_seed_gives_the_same_head_on_a_given_encoder(folder_of: Folders) -> None:
    name = str(folder_of("bert-bare"))
    first, second, third = (make(name, folder_of("bert"), seed=seed) for seed in (1, 1, 2))
    assert same(first, second)
    assert not torch.equal(first.state_dict()["classifier.weight"], third.state_dict()["classifier.weight"])
    assert torch.equal(first.state_dict()["bert.pooler.dense.weight"], third.state_dict()["bert.pooler.dense.weight"])


def test_the_fresh_head_starts_small_and_does_not_copy_the_teachers(folder_of: Folders) -> None:
    folder = folder_of("bert")
    head = Head(("a", "b"))
    student = make("cut:6", folder, head=head)
    stored = load_file(folder / "model.safetensors")
    assert not torch.equal(student.state_dict()["classifier.weight"], stored["classifier.weight"])
    assert torch.equal(student.state_dict()["bert.pooler.dense.weight"], stored["bert.pooler.dense.weight"])
    assert 0 < student.state_dict()["classifier.weight"].std() < 0.05  # initializer_range is 0.02
    assert not student.state_dict()["classifier.bias"].any()


@pytest.mark.parametrize("text", ["cut:3", "build:2/24/3", "given"])
def test_the_callers_random_numbers_are_untouched(text: str, folder_of: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(folder_of("bert-bare"), tmp_path / "fresh")
    torch.manual_seed(7)
    before = torch.get_rng_state()
    for _ in range(2):
        make(str(folder) if text == "given" else text, folder)
        assert torch.equal(torch.get_rng_state(), before)


def test_two_students_share_no_memory_and_leave_the_cache_alone(folder_of: Folders) -> None:
    folder = folder_of("bert")
    first, second = make("cut:3", folder), make("cut:3", folder)
    places = {weight.data_ptr() for weight in first.state_dict().values()}
    assert places.isdisjoint(weight.data_ptr() for weight in second.state_dict().values())
    with torch.no_grad():
        for weight in first.parameters():
            weight.fill_(9.0)
    assert same(second, make("cut:3", folder))


def test_a_changed_teacher_is_read_again(folder_of: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(folder_of("bert"), tmp_path / "teacher")
    before = make("cut:1:last", folder)
    stored = load_file(folder / "model.safetensors")
    changed = {name: weight + 1 for name, weight in stored.items()}
    save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
    after = make("cut:1:last", folder)
    weight = "bert.encoder.layer.0.output.dense.weight"
    assert torch.equal(after.state_dict()[weight], before.state_dict()[weight] + 1)


def test_a_teacher_stored_in_half_precision_gives_a_float32_student(folder_of: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(folder_of("bert"), tmp_path / "half")
    stored = {name: weight.half() for name, weight in load_file(folder / "model.safetensors").items()}
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text()) | {"dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(config))
    for text in ("cut:3", "build:2/24/3", str(folder)):
        student = make(text, folder, head=Head(("a", "b")))
        assert {weight.dtype for weight in student.parameters()} == {torch.float32}, text


def test_the_student_names_its_labels(folder_of: Folders) -> None:
    for text in ("cut:3", "build:2/24/3"):
        config = make(text, folder_of("bert")).config
        assert config.id2label == {0: "no", 1: "yes", 2: "maybe"}
        assert config.label2id == {"no": 0, "yes": 1, "maybe": 2}
        assert config.name_or_path == str(parse_student(text))
        assert config.problem_type == "single_label_classification"
        number = make(text, folder_of("bert"), head=Head(())).config
        assert (number.num_labels, number.problem_type) == (1, "regression")


def test_an_architecture_without_one_list_of_layers_is_refused(tmp_path: Path) -> None:
    # ALBERT repeats one layer: there is nothing to choose from
    config = AlbertConfig(
        vocab_size=40,
        embedding_size=8,
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=24,
    )
    AlbertForSequenceClassification(config).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="a albert model cannot be cut, as it keeps no lists of 4 layers: name"):
        make("cut:2", tmp_path)


def test_missing_weights_are_named(folder_of: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(folder_of("bert"), tmp_path / "torn")
    stored = load_file(folder / "model.safetensors")
    del stored["bert.encoder.layer.3.output.dense.weight"]
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"1 weights of the encoder are not stored, e\.g\. bert\.encoder.layer.3"):
        make("cut:2,4,6", folder)


@pytest.mark.parametrize("kind", KINDS)
def test_the_configuration_alone_is_left_as_it_was(kind: str, folder_of: Folders) -> None:
    folder = folder_of(kind)
    make("cut:2", folder)
    assert load_config(folder).num_hidden_layers == 6
