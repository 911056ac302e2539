"""Every random thing has a seed of its own: no student's fresh head is the one that its teacher began with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import raykd
from raykd.methods import find
from raykd.models.classifier import Head, load_classifier
from raykd.models.quiet import quiet
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.student import make_student, parse_student
from raykd.search.finals import fresh
from raykd.seeds import derive_seed
from raykd.train.config import TrialSpec
from raykd.train.trial import pair_of

WORDS = ["good", "bad", *(f"word{index}" for index in range(40))]
HEAD = Head(("no", "yes"))
QUICK: dict[str, Any] = {"epochs": 2, "learning_rate": 1e-3, "max_length": 16, "evaluations": 1, "seed": 1}
WIDTH = 256  # the cosine of two independent heads of this width lies within 0.2, but for one in a million


def similarity(first: torch.Tensor, second: torch.Tensor) -> float:
    """The cosine of two classifiers, whatever its sign."""
    return abs(float(torch.nn.functional.cosine_similarity(first.detach().flatten(), second.detach().flatten(), dim=0)))


def head_of(folder: Path) -> torch.Tensor:
    return weight_of(load_classifier(folder, HEAD))


def weight_of(model: nn.Module) -> torch.Tensor:
    """Of its classifier."""
    return model.get_parameter("classifier.weight").detach()


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare encoder of three layers."""
    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = word_tokenizer(WORDS)
    model = scratch_classifier(tokenizer, HEAD, layers=3, hidden=WIDTH, heads=4, intermediate=64, seed=3)
    with quiet():
        bare: Any = model.base_model
        bare.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def rows(home: Path) -> raykd.Source:
    """A task that a few steps teach."""
    lines = [
        f"word{index % 40} {('bad', 'good')[index % 2]} word{index % 37},{('no', 'yes')[index % 2]}"
        for index in range(200)
    ]
    (home / "rows.csv").write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    return raykd.Source(str(home / "rows.csv"), text_columns=("text",), label_column="label")


@pytest.fixture(autouse=True)
def _in_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYKD_HOME", str(home / "runs"))


@pytest.fixture(scope="module")
def teacher(encoder: Path, home: Path, rows: raykd.Source) -> Path:
    """Taught on the task at seed 1, as --teacher would take it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAYKD_HOME", str(home / "runs"))
        return raykd.teach("custom", rows, teacher=str(encoder), out=home / "teacher", **QUICK)[0]


def test_purposes_have_seeds_of_their_own() -> None:
    purposes = ["extras", "dropout", "order", "teacher", "proposals", "student", "link", "split", "final"]
    seeds = {derive_seed(seed, purpose) for seed in range(50) for purpose in purposes}
    assert len(seeds) == 50 * len(purposes)
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert derive_seed(1, "order") == 237332370  # the same on every machine, for good
    assert derive_seed(1, "a", "b") != derive_seed(1, "ab")


def test_finals_have_other_seeds_than_the_search() -> None:
    for seed in (0, 1, 2**31, 2**32 - 1):
        seeds = [fresh(seed, number) for number in range(1, 9)]
        assert len({seed, *seeds}) == 9
        assert max(seeds) < 2**32


@pytest.mark.parametrize("student", ["cut:2", "cut:3", "cut:1:first", f"build:2/{WIDTH}/4", "the encoder"])
def test_a_taught_teacher_and_a_student_of_one_seed(encoder: Path, teacher: Path, student: str) -> None:
    spec = parse_student(str(encoder) if student == "the encoder" else student)
    for origin in (teacher, encoder):
        assert similarity(weight_of(make_student(spec, origin, HEAD, seed=1)), head_of(teacher)) < 0.2


def test_a_student_that_teaches_the_next(teacher: Path, home: Path, rows: raykd.Source) -> None:
    common: dict[str, Any] = {"method": "none", **QUICK}
    first, _ = raykd.distill("custom", rows, teacher=str(teacher), student="cut:2", out=home / "first", **common)
    again, _ = raykd.distill("custom", rows, teacher=str(first), student="cut:2", out=home / "again", **common)
    assert similarity(head_of(teacher), head_of(first)) < 0.2
    assert similarity(head_of(first), head_of(again)) < 0.2


@pytest.mark.parametrize("method", ["takd", "born_again", "self_kd", "reversed_kd", "defective_kd"])
def test_the_runs_of_a_chain(
    teacher: Path, method: str, home: Path, rows: raykd.Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None begins with the head of another, nor with the teacher's."""
    heads = [head_of(teacher)]

    def watch(make: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        def made(*arguments: object, **options: object) -> nn.Module:
            model = make(*arguments, **options)
            heads.append(weight_of(model).clone())
            return model

        return made

    monkeypatch.setattr("raykd.train.trial.make_student", watch(make_student))
    raykd.distill(
        "custom",
        rows,
        method=method,
        teacher=str(teacher),
        student="cut:1",
        out=home / method,
        **QUICK | {"epochs": 0.2},
    )
    links = find(method).links(find(method).parameters(), pair_of(TrialSpec.model_validate(spec_of(home / method))))
    assert len(heads) == 1 + len(links)
    for index, head in enumerate(heads):
        for other in heads[:index]:
            assert similarity(head, other) < 0.2


def spec_of(folder: Path) -> dict[str, object]:

    spec: dict[str, object] = json.loads((folder / "raykd.json").read_text())["spec"]
    return spec


def test_the_teachers_head_is_there_for_those_who_ask(teacher: Path, encoder: Path) -> None:
    fresh_one = make_student(parse_student("cut:2"), teacher, HEAD, seed=1)
    taken = make_student(parse_student("cut:2"), teacher, HEAD, seed=1, head_from=teacher)
    known = load_classifier(teacher, HEAD)
    assert torch.equal(weight_of(taken), weight_of(known))
    assert not torch.equal(weight_of(fresh_one), weight_of(known))
    taken.get_parameter("classifier.weight").data.zero_()  # what one student does to it is nothing to the next
    again = make_student(parse_student("cut:2"), encoder, HEAD, seed=1, head_from=teacher)
    assert torch.equal(weight_of(again), weight_of(known))
    with pytest.raises(raykd.UserError, match="only a cut student"):
        make_student(parse_student(f"build:2/{WIDTH}/4"), teacher, HEAD, seed=1, head_from=teacher)
    with pytest.raises(raykd.UserError, match="has no head"):
        make_student(parse_student("cut:2"), encoder, HEAD, seed=1, head_from=encoder)


def test_the_head_of_a_run(teacher: Path, home: Path, rows: raykd.Source) -> None:
    """Before its first step a student under the teacher's head knows what the teacher knows of its layers."""
    options: dict[str, Any] = {"method": "none", "student": "cut:3", "teacher": str(teacher), **QUICK, "epochs": 1e-6}
    whole, _ = raykd.distill("custom", rows, head="teacher", out=home / "whole", **options)
    assert similarity(head_of(whole), head_of(teacher)) > 0.99
    with pytest.raises(raykd.UserError, match="unknown head 'teach': did you mean 'teacher'"):
        raykd.distill("custom", rows, head="teach", out=home / "none", **options)
