"""The general stage: an encoder learns from texts, and becomes a student of a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from raykd.models.classifier import Head
from raykd.models.quiet import quiet
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.student import make_student, parse_student
from raykd.pretrain import pretrain

WORDS = [f"w{i}" for i in range(30)]
SETTINGS: dict[str, Any] = {"epochs": 6, "batch_size": 8, "learning_rate": 2e-3, "max_length": 16}


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A teacher of three classes, and texts."""
    monkeypatch.setenv("RAYKD_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # tiny matrices gain nothing from threads
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
