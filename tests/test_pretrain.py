"""The general stage: an encoder learns from texts, and becomes a student of a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from transformers import BertConfig, BertForMaskedLM

from raykd.errors import UserError
from raykd.models.classifier import Head
from raykd.models.quiet import quiet
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.student import make_student, parse_student
from raykd.pretrain import pretrain
from raykd.train.loop import distill

WORDS = [f"w{i}" for i in range(30)]
SETTINGS: dict[str, Any] = {"epochs": 6, "batch_size": 8, "learning_rate": 2e-3, "max_length": 16}


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A teacher of three classes, and texts."""
    monkeypatch.setenv("RAYKD_HOME", str(tmp_path / "home"))
    tokenizer = word_tokenizer(WORDS)
    model = scratch_classifier(tokenizer, Head(("a", "b", "c")), layers=4, hidden=32, heads=4, intermediate=64, seed=1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.5)
    with quiet():
        save_student(model, tokenizer, tmp_path / "teacher")
    lines = [" ".join(f"w{(i * 7 + j) % 30}" for j in range(3 + i % 9)) for i in range(40)]
    (tmp_path / "texts.txt").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.parametrize("method", ["ckd", "lrc_bert", "minilmv2", "tinybert"])
def test_the_student_comes_nearer_and_is_one_for_a_task(given: Path, method: str) -> None:
    losses = []
    console = Console(quiet=True)
    for epochs in (1, 6):
        settings = SETTINGS | {"epochs": epochs}
        folder, last = pretrain(
            str(given / "texts.txt"),
            method=method,
            teacher=str(given / "teacher"),
            student="cut:2",
            out=given / f"general-{epochs}",
            console=console,
            **settings,
        )
        losses.append(last.metrics["train/loss"])
    assert losses[1] < losses[0]
    assert not any("classifier" in name for name in load_file(folder / "model.safetensors"))
    student = make_student(parse_student(str(folder)), given / "teacher", Head(("yes", "no")), seed=1)
    stored = load_file(folder / "model.safetensors")
    own = student.base_model.state_dict()
    assert all(torch.equal(own[name], weight) for name, weight in stored.items())
    assert student.config.num_labels == 2


def test_the_same_settings_give_the_same_student(given: Path) -> None:
    weights = []
    for name in ("one", "two"):
        options: dict[str, Any] = {"teacher": str(given / "teacher"), "student": "cut:2", "out": given / name}
        folder, _ = pretrain(str(given / "texts.txt"), console=Console(quiet=True), **options, **SETTINGS)
        weights.append(load_file(folder / "model.safetensors"))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.fixture
def language(given: Path) -> Path:
    """The same texts, and a masked language model."""
    tokenizer = word_tokenizer(WORDS)
    sizes: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(tokenizer), num_hidden_layers=4, max_position_embeddings=64, **sizes)
    torch.manual_seed(3)
    model = BertForMaskedLM(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4)  # so that it says something
    with quiet():
        save_student(model, tokenizer, given / "language")
    return given


def learn(folder: Path, out: str, **more: Any) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """The weights of DistilBERT's student, and what was measured last."""
    options: dict[str, Any] = {"method": "distilbert", "teacher": str(folder / "language"), "student": "cut:2"}
    settings = options | SETTINGS | {"epochs": 4} | more  # 20 steps
    place, last = pretrain(str(folder / "texts.txt"), out=folder / out, console=Console(quiet=True), **settings)
    return load_file(place / "model.safetensors"), last.metrics


@pytest.mark.parametrize("positions", ["all", "masked"])
def test_distilbert_is_its_own_pretraining(language: Path, positions: str) -> None:
    # A random teacher says nothing of words, so that a student far from it shows best what is learned.
    more: dict[str, Any] = {
        "student": "build:2/32/4/64",
        "learning_rate": 5e-3,
        "parameters": {"positions": positions, "mask_probability": 0.4},
    }
    _, few = learn(language, "few", epochs=1, **more)
    weights, many = learn(language, "many", **more)
    for name in ("loss", "soft", "cosine"):
        assert many[f"train/{name}"] < 0.95 * few[f"train/{name}"]
    total = 5 * many["train/soft"] + 2 * many["train/mlm"] + many["train/cosine"]
    assert many["train/loss"] == pytest.approx(total, rel=1e-4)
    assert not any("predictions" in name or name.startswith("cls") for name in weights)  # an encoder without a head


def test_distilbert_is_the_same_for_a_seed(language: Path) -> None:
    (one, _), (two, _) = (learn(language, name) for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    other, _ = learn(language, "other", seed=2)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_distilbert_goes_on_after_a_crash(language: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Died(Exception):
        pass

    crash = [True]

    def checkpointed(*given: Any, **named: Any) -> Any:
        def report(done: Any) -> bool:
            if crash and done.evaluation == 3:
                raise Died
            return bool(given[-1](done))

        run: Any = distill
        return run(*given[:-1], report, checkpoint_every=0.0, **named)

    monkeypatch.setattr("raykd.pretrain.distill", checkpointed)
    with pytest.raises(Died):
        learn(language, "broken", evaluations=4)
    crash.clear()
    assert list(language.glob(".broken*.run/checkpoint-*"))
    torch.manual_seed(99)  # another process would be elsewhere
    resumed, _ = learn(language, "broken", evaluations=4)
    whole, _ = learn(language, "whole", evaluations=4)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_a_teacher_without_a_head_is_refused(given: Path) -> None:
    with pytest.raises(UserError, match=r"no complete masked language model: cls\.predictions"):
        pretrain(
            str(given / "texts.txt"),
            method="distilbert",
            teacher=str(given / "teacher"),
            student="cut:2",
            out=given / "out",
            console=Console(quiet=True),
            **SETTINGS,
        )
