"""Every method, by the list itself, through the training loop: it learns, and a resumed run is the same bit for bit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from raykd.methods import METHODS
from raykd.methods.method import Answers
from raykd.models.quiet import quiet
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.tasks import sample
from raykd.tasks.data import Split
from raykd.tasks.encode import Encoded, encode
from raykd.tasks.load import load
from raykd.teachers import task_spec
from raykd.train.config import Training, TrialSpec
from raykd.train.leave import Preempted
from raykd.train.loop import Report
from raykd.train.trial import run_trial

TASKS: dict[Answers, str] = {"classes": "rte", "number": "stsb", "span": "squad"}
# One method a mechanism of runs: stages, extras, facts, memories, an opponent, chains, live networks.
MECHANISMS = (
    "none", "kd", "ckd", "tinybert", "annealing_kd", "lrc_bert", "fsd_g", "crd", "minilm", "tkd", "mate_kd",
    "combined_kd", "minimax_knn", "takd", "born_again", "self_kd", "mix",
)  # fmt: skip


def every(names: Collection[str]) -> pytest.MarkDecorator:
    """Every method with each kind of answers that it learns; all but `names` with classes are for `make test-long`."""
    cases = []
    for name, method in METHODS.items():
        for answers in (answers for answers in TASKS if answers in method.answers):
            marks = [] if answers == "classes" and name in names else [pytest.mark.long]
            cases.append(pytest.param(name, answers, id=f"{name}-{answers}", marks=marks))
    return pytest.mark.parametrize(("name", "answers"), cases)


# A target that moves by itself would hide whether the student learns.
STILL: dict[str, dict[str, Any]] = {"annealing_kd": {"tau_max": 1}, "combined_kd": {"tau_max": 1}}


class Died(Exception):
    """A simulated crash."""


def one_in_seven() -> Callable[[], bool]:
    """Asks a run to leave before its 7th step of each start: in the middle of an epoch and between two evaluations."""
    asked = iter(range(1, 10_000))
    return lambda: next(asked) % 7 == 0


@pytest.fixture(scope="session")
def specs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrialSpec]:
    """A trial of each kind of task on the built-in sample, with a small random teacher that says something."""
    root = tmp_path_factory.mktemp("every")
    return {answers: _spec(root / task, task) for answers, task in TASKS.items()}


def _spec(root: Path, task: str) -> TrialSpec:
    data = load(task, "sample", max_train=32, max_dev=16)
    spec, tokenizer = task_spec(data), word_tokenizer(sample.vocabulary(data.task))
    teacher = scratch_classifier(tokenizer, spec.head, layers=4, hidden=32, heads=4, intermediate=64, seed=1)
    with torch.no_grad():
        for weight in teacher.parameters():
            weight.mul_(1.5)
    with quiet():
        save_student(teacher, tokenizer, root / "teacher")

    def coded(split: Split) -> Encoded:
        return encode(split, tokenizer, max_length=48, regression=spec.regression, cache=root / "cache")

    corpus = Split(tuple(reversed(data.dev["dev"].texts)), (0,) * len(data.dev["dev"]))
    if spec.kind != "span":
        corpus = Split(data.train.texts[::2] + data.dev["dev"].texts, (0,) * (16 + len(data.dev["dev"])))
    return TrialSpec(
        label="t",
        folder="",
        task=spec,
        train=str(coded(data.train).folder),
        dev={"dev": str(coded(data.dev["dev"]).folder)},
        teacher=str(root / "teacher"),
        student="cut:2",
        origin=str(root / "teacher"),
        corpus=None if spec.kind == "span" else str(coded(corpus).folder),
        method="none",
    )


def run(
    spec: TrialSpec,
    folder: Path,
    name: str,
    report: Callable[[Report], bool] = lambda _: True,
    leave: Callable[[], bool] = lambda: False,
    every: float = 0.0,
    **training: Any,
) -> Report | None:
    settings = {"learning_rate": 2e-3, "epochs": 5, "batch_size": 8, "evaluations": 4, "max_length": 48, **training}
    given = {"folder": str(folder), "method": name, "parameters": STILL.get(name, {}), "training": Training(**settings)}
    return run_trial(spec.model_copy(update=given), report, checkpoint_every=every, leave=leave)


@every(METHODS)
def test_twenty_steps_teach_something(
    specs: dict[str, TrialSpec], tmp_path: Path, name: str, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raykd.train.loop.plan_epoch", lambda lengths, size, **_: [torch.arange(len(lengths)).numpy()])
    reports: list[Report] = []

    def keep(report: Report) -> bool:
        reports.append(report)
        return True

    run(specs[answers], tmp_path, name, keep, every=1e9, epochs=20, batch_size=64, evaluations=20, warmup=0.0)
    assert [report.step for report in reports] == list(range(1, 21))  # one batch, the same at each step
    stages: dict[frozenset[str], list[float]] = {}
    for report in reports:
        terms = frozenset(key for key in report.metrics if key.startswith("train/"))
        stages.setdefault(terms, []).append(report.metrics["train/loss"])
    for terms, losses in stages.items():
        if len(losses) >= 4:
            assert sum(losses[-2:]) < sum(losses[:2]), (terms, losses)


@every(MECHANISMS)
def test_a_resumed_trial_is_the_same_bit_for_bit(
    specs: dict[str, TrialSpec], tmp_path: Path, name: str, answers: Answers
) -> None:
    if answers == "span" and name not in ("kd", "tinybert"):
        pytest.skip("what resumes for classes resumes for spans")
    whole = run(specs[answers], tmp_path / "whole", name, every=1e9)

    def die(report: Report) -> bool:
        if report.evaluation == 3:
            raise Died
        return True

    with pytest.raises(Died):
        run(specs[answers], tmp_path / "twice", name, die)
    again, leave = None, one_in_seven()
    for _ in range(40):  # each link of a chain has 20 steps
        torch.manual_seed(1234)  # another process would be elsewhere
        with contextlib.suppress(Preempted):
            again = run(specs[answers], tmp_path / "twice", name, leave=leave, every=1e9)
        if again is not None:
            break
    assert whole is not None
    assert again is not None
    assert again.metrics == whole.metrics
    one, other = (load_file(tmp_path / place / "student" / "model.safetensors") for place in ("whole", "twice"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
