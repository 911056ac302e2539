"""Tokenizers and saving: what is saved reads back alike without raykd; vocabularies that differ are refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from tokenizers import normalizers
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig

from raykd.errors import UserError
from raykd.manifest import prove
from raykd.models.classifier import Head, check_vocabulary, has_head, load_classifier, load_tokenizer
from raykd.models.quiet import quiet
from raykd.models.save import disk_errors, save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.source import resolve
from raykd.models.student import make_student, parse_student, shape

HEAD = Head(("bad", "good"))
WORDS = ["the", "film", "is", "good", "Bad", ".", "don't"]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "student"
    tokenizer = word_tokenizer(WORDS)
    model = scratch_classifier(tokenizer, HEAD, layers=2, hidden=16, heads=2, intermediate=24, seed=0)
    save_student(model, tokenizer, folder, card={"method": "kd", "seed": 0})
    return folder


def test_words_become_ids_in_the_order_given() -> None:
    tokenizer = word_tokenizer(WORDS)
    assert tokenizer.get_vocab()["the"] == 5
    assert tokenizer.convert_ids_to_tokens([0, 1, 2, 3, 4]) == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    found = tokenizer("The film.", "DON'T bark")
    tokens = tokenizer.convert_ids_to_tokens(found["input_ids"])
    assert tokens == ["[CLS]", "the", "film", ".", "[SEP]", "don", "'", "t", "[UNK]", "[SEP]"]
    assert found["token_type_ids"] == [0] * 5 + [1] * 5
    batch = tokenizer(["the film is good", "the"], padding=True)
    assert batch["attention_mask"][1] == [1, 1, 1, 0, 0, 0]


def test_the_scratch_classifier_depends_on_its_seed_alone() -> None:
    tokenizer = word_tokenizer(WORDS)
    before = torch.get_rng_state()
    models = [scratch_classifier(tokenizer, HEAD, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    weights = [model.state_dict()["bert.embeddings.word_embeddings.weight"] for model in models]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    sizes = shape(models[0])
    assert (sizes.layers, sizes.hidden, sizes.heads, sizes.vocabulary) == (4, 128, 4, len(tokenizer))


def test_a_saved_student_reads_back_alike_without_raykd(saved: Path) -> None:
    text = ("The film is good.", "don't")
    tokenizer, other = word_tokenizer(WORDS), AutoTokenizer.from_pretrained(saved)
    batch = tokenizer(*text, return_tensors="pt")
    assert other(*text)["input_ids"] == batch["input_ids"][0].tolist()
    assert other(*text)["token_type_ids"] == batch["token_type_ids"][0].tolist()
    before = scratch_classifier(tokenizer, HEAD, layers=2, hidden=16, heads=2, intermediate=24, seed=0)
    with quiet():
        after = AutoModelForSequenceClassification.from_pretrained(saved)
    assert torch.equal(before(**batch).logits, after(**batch).logits)
    assert after.config.id2label == {0: "bad", 1: "good"}


def test_a_saved_student_is_a_teacher_again(saved: Path) -> None:
    assert resolve(str(saved), role="teacher") == saved.resolve()
    assert has_head(saved)
    tokenizer = load_tokenizer(saved)
    assert (tokenizer.padding_side, tokenizer.is_fast) == ("right", True)
    check_vocabulary(word_tokenizer(WORDS), tokenizer)
    student = make_student(parse_student("cut:1"), saved, HEAD, seed=0)
    assert shape(student).layers == 1
    save_student(student, tokenizer, saved.with_name("smaller"))
    assert has_head(saved.with_name("smaller"))
    assert load_classifier(saved.with_name("smaller"), HEAD).config.num_hidden_layers == 1


def test_the_folder_holds_what_belongs_there_and_no_machines_paths(saved: Path) -> None:
    names = {file.name for file in saved.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "raykd.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt"))]
    card = json.loads((saved / "raykd.json").read_text())
    assert {"method": "kd", "seed": 0, "format": 2}.items() <= card.items()
    assert set(card["files"]) == names - {"raykd.json"}
    assert prove(saved).seal == card["sha256"]
    for text, name in (("cut:1", "cut"), ("build:1/8/2", "built"), (str(saved), "given")):
        folder = saved.with_name(name)
        save_student(make_student(parse_student(text), saved, HEAD, seed=0), load_tokenizer(saved), folder)
        assert not (folder / "raykd.json").exists()
        for file in folder.glob("*.json"):
            assert str(saved.parent) not in file.read_text(), file.name


def test_saving_again_replaces_and_leaves_nothing_else(saved: Path) -> None:
    killed, running, mine = (saved.parent / name for name in (f".raykd-{'1' * 32}.new", f".raykd-{'2' * 32}.new", ".x"))
    for path in (killed, running, mine):
        path.mkdir()
        (path / "half").touch()
    os.utime(killed, (0, 0))  # what a killed run has left
    tokenizer = word_tokenizer(WORDS)
    model = scratch_classifier(tokenizer, HEAD, layers=1, hidden=16, heads=2, intermediate=24, seed=1)
    assert save_student(model, tokenizer, saved, card={}, extra={"rows.npz": b"rows"}) == saved
    assert load_classifier(saved, HEAD).config.num_hidden_layers == 1
    assert (saved / "rows.npz").read_bytes() == b"rows"
    assert prove(saved).seal
    assert {path.name for path in saved.parent.iterdir()} == {"student", running.name, ".x"}


def test_without_a_card_nothing_proves_who_made_it(saved: Path) -> None:
    tokenizer = word_tokenizer(WORDS)
    model = scratch_classifier(tokenizer, HEAD, layers=1, hidden=16, heads=2, intermediate=24, seed=1)
    save_student(model, tokenizer, saved.with_name("plain"))
    assert not (saved.with_name("plain") / "raykd.json").exists()
    with pytest.raises(UserError, match=r"holds .*, and no raykd\.json\. Nothing is removed"):
        save_student(model, tokenizer, saved.with_name("plain"), card={})


def test_a_disk_that_is_full_is_an_error_of_the_disk() -> None:
    with pytest.raises(OSError, match="No space left") as raised, disk_errors():
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert raised.value.errno == 28


def test_a_failed_save_leaves_the_old_student(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = word_tokenizer(WORDS)
    model = scratch_classifier(tokenizer, HEAD, layers=1, hidden=16, heads=2, intermediate=24, seed=1)

    def fail(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tokenizer, "save_pretrained", fail)
    with pytest.raises(OSError, match="No space left"):
        save_student(model, tokenizer, saved)
    assert load_classifier(saved, HEAD).config.num_hidden_layers == 2
    assert [path.name for path in saved.parent.iterdir()] == ["student"]


def test_a_folder_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    tokenizer = word_tokenizer(WORDS)
    model = scratch_classifier(tokenizer, HEAD, layers=1, hidden=16, heads=2, intermediate=24, seed=1)
    with pytest.raises(UserError, match=r"holds 'thesis.txt', and no raykd\.json"):
        save_student(model, tokenizer, tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_folder_without_tokenizer_is_named(folder_of: Callable[[str], Path]) -> None:
    # transformers itself would make one up that knows five words
    with pytest.raises(UserError, match="holds no tokenizer"):
        load_tokenizer(folder_of("bert"))


def test_more_tokens_than_embeddings_are_refused(saved: Path) -> None:
    BertConfig(vocab_size=7).save_pretrained(saved)
    with pytest.raises(UserError, match="gives ids up to 13, but the model has 7 embeddings"):
        load_tokenizer(saved)


def test_a_preset_length_is_taken_off(saved: Path) -> None:
    content = json.loads((saved / "tokenizer.json").read_text())
    content["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    (saved / "tokenizer.json").write_text(json.dumps(content))
    assert len(load_tokenizer(saved).backend_tokenizer.encode("the film is good").ids) == 6


def test_other_vocabularies_are_refused_with_sizes_and_tokens() -> None:
    teacher = word_tokenizer(["a", "b", "c"])
    check_vocabulary(teacher, word_tokenizer(["a", "b", "c"]))
    with pytest.raises(
        UserError, match=r"teacher's vocabulary has 8 tokens, the student's 9.*6: 'b' / 'x', 7: 'c' / 'b'"
    ):
        check_vocabulary(teacher, word_tokenizer(["a", "x", "b", "c"]))
    with pytest.raises(UserError, match=r"has 8 tokens, the student's 7.*7: 'c' / none"):
        check_vocabulary(teacher, word_tokenizer(["a", "b"]))
    with pytest.raises(UserError, match="student alone has 'd'"):
        check_vocabulary(teacher, word_tokenizer(["a", "b", "c", "d"]))


def test_the_same_words_split_otherwise_are_refused() -> None:
    teacher, student = word_tokenizer(["vu", "ok"]), word_tokenizer(["vu", "ok"])
    student.backend_tokenizer.normalizer = normalizers.NFC()  # keeps capitals
    with pytest.raises(UserError, match="share 7 tokens but split text differently"):
        check_vocabulary(teacher, student)
