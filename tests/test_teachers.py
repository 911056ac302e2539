"""Teaching: steps enough for small data, the best evaluation kept, chosen by rows that the teacher does not learn."""

from __future__ import annotations

import io
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import raykd
from raykd.dry_run import FEW_TRAIN, dry_run_of
from raykd.errors import UserError
from raykd.interrupts import Interrupted
from raykd.models.classifier import Head, load_classifier, load_config
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.seen_rows import read_seen_rows
from raykd.prepare import prepare, training_of
from raykd.tasks.holdout import SELECT, with_selection
from raykd.tasks.row_hashes import row_hashes
from raykd.teachers import LEAST_STEPS, MOST_EVALUATIONS, find_teacher, long_enough
from raykd.train import teach
from raykd.train.config import Training
from raykd.workspace import here
from tests.test_scoring import CLASSES, WORDS, own, write


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAYKD_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An encoder that knows nothing."""
    tokenizer = word_tokenizer(WORDS)
    sizes = {"layers": 2, "hidden": 32, "heads": 2, "intermediate": 64, "max_length": 16}
    encoder: Any = scratch_classifier(tokenizer, Head(CLASSES), **sizes, seed=1).base_model
    encoder.save_pretrained(tmp_path / "bare")
    tokenizer.save_pretrained(tmp_path / "bare")
    return tmp_path / "bare"


def interrupted(rows: raykd.Source, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Interrupted:
    """What is said of teaching that somebody interrupts after its first evaluation."""
    offer = teach.Best.offer

    def interrupt(self: Any, model: Any, stage: str, score: float) -> None:
        offer(self, model, stage, score)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as first:
        first.setattr(teach.Best, "offer", interrupt)
        with pytest.raises(Interrupted) as caught:
            raykd.teach("custom", rows, console=Console(file=io.StringIO()), **settings)
    return caught.value


@pytest.mark.parametrize(("rows", "epochs"), [(40, 200.0), (900, 14.0), (4_000, 4.0), (67_349, 3.0)])
def test_small_data_are_taught_for_steps_enough(rows: int, epochs: float) -> None:
    settings = long_enough(Training(), rows)
    assert settings.epochs == epochs
    assert settings.epochs * -(-rows // settings.batch_size) >= LEAST_STEPS
    assert settings.evaluations == min(MOST_EVALUATIONS, epochs)


def test_the_best_evaluation_is_kept(home: Path, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A teacher that falls apart after its sixth evaluation is that of one before; dev has no say in it."""
    rows = own(write(home / "rows.csv", 600, 1))
    offered: list[float] = []
    offer = teach.Best.offer

    def spoil(self: Any, model: Any, stage: str, score: float) -> None:
        offered.append(score)
        offer(self, model, stage, score)
        if len(offered) == 6:
            model.classifier.weight.data.neg_()
            model.classifier.bias.data.neg_()

    monkeypatch.setattr(teach.Best, "offer", spoil)
    log = Console(file=io.StringIO(), width=200)
    folder, scores = raykd.teach(
        "custom", rows, teacher=str(bare), console=log, epochs=6, learning_rate=3e-3, max_length=16
    )
    assert max(offered) > 0.8 > offered[-1]
    assert scores[f"{SELECT}/accuracy"] == max(offered)
    assert isinstance(log.file, io.StringIO)
    said = log.file.getvalue()
    assert f"with accuracy {max(offered):.4f} on the rows held out to select is kept" in said
    assert "data: train: 540 rows: art 180" in said  # as every command does
    seen = read_seen_rows(folder)
    assert seen is not None
    chosen = with_selection(rows.load("custom"))
    for split, hashes in ((chosen.train, seen.learnt), (chosen.dev[SELECT], seen.selected)):
        assert np.array_equal(np.unique(row_hashes(split.texts)), hashes)
    again = raykd.evaluate(folder, rows)
    assert again["dev/accuracy"] == scores["dev/accuracy"]


def test_a_changed_tokenizer_is_another_teacher(home: Path, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CASES 32."""
    monkeypatch.setattr("raykd.teachers.LEAST_STEPS", 1)
    data = own(write(home / "rows.csv", 60, 1)).load("custom")
    training = training_of({"max_length": 16})

    def found() -> Path:
        return find_teacher(data, str(bare), training, here(), lambda line: None).folder

    first = found()
    assert found() == first
    file = bare / "tokenizer.json"
    file.write_text(file.read_text() + "\n")
    assert found() != first


def test_a_dry_run_teaches_nothing_and_leaves_nothing(home: Path, bare: Path) -> None:
    data = own(write(home / "rows.csv", 3 * FEW_TRAIN, 1)).load("custom")
    training = training_of({"max_length": 16})
    with dry_run_of(data, here()) as dry:
        assert len(dry.data.train) == FEW_TRAIN
        assert dry.whole("train", FEW_TRAIN) == len(data.train)
        assert dry.whole(SELECT, 400) == round(400 * len(data.train) / FEW_TRAIN)
        said: list[str] = []
        ready = prepare(dry.data, str(bare), training, here(), said.append, hold_out=True, dry=dry)
        assert ready.lesson is not None
        assert ready.lesson_rows == len(with_selection(data).train)
        assert ready.teacher == bare
        assert any("is not fine-tuned in a dry run" in line for line in said)
        assert ready.train.is_relative_to(dry.folder)
    assert [path for path in (home / "home").rglob("*") if path.is_file()] == []


def test_classes_in_another_order_and_the_map_that_mends_it(home: Path, bare: Path) -> None:
    """CASES 21 and 34, from the command's side."""
    rows = own(write(home / "rows.csv", 400, 1))
    taught, _ = raykd.teach("custom", rows, teacher=str(bare), epochs=6, learning_rate=3e-3, max_length=16)
    model = load_classifier(taught, Head(CLASSES))
    for name in ("weight", "bias"):
        weight = model.get_parameter(f"classifier.{name}")
        weight.data = weight.data[[1, 0, 2]].clone()
    model.config.id2label = {index: f"LABEL_{index}" for index in range(3)}
    model.config.label2id = {f"LABEL_{index}": index for index in range(3)}
    model.save_pretrained(home / "swapped")
    word_tokenizer(WORDS).save_pretrained(home / "swapped")
    settings: dict[str, Any] = {"student": "cut:1", "epochs": 1, "max_length": 16}
    with pytest.raises(UserError, match="another order") as caught:
        raykd.distill("custom", rows, teacher=str(home / "swapped"), **settings)
    assert "--label-map 0=sport,1=art,2=world if" in str(caught.value)
    folder, _ = raykd.distill(
        "custom", rows, teacher=str(home / "swapped"), label_map="0=sport,1=art,2=world", **settings
    )
    assert load_config(folder).id2label == dict(enumerate(CLASSES))


def test_names_in_another_order_say_the_map(home: Path, bare: Path) -> None:
    """CASES 65: it is refused, with the map that takes it as it names its classes."""
    names = ("sport", "world", "art")
    encoder = load_classifier(bare, Head(names))
    encoder.save_pretrained(home / "named")
    word_tokenizer(WORDS).save_pretrained(home / "named")
    rows = own(write(home / "rows.csv", 60, 1))
    with pytest.raises(UserError, match=r"in another order: .* --label-map 0=sport,1=world,2=art"):
        raykd.distill("custom", rows, teacher=str(home / "named"), student="cut:1", max_length=16)


def test_a_teacher_of_several_labels_is_said(home: Path, bare: Path) -> None:
    """CASES 51, under a map too."""
    model = load_classifier(bare, Head(CLASSES))
    model.config.problem_type = "multi_label_classification"
    model.save_pretrained(home / "several")
    word_tokenizer(WORDS).save_pretrained(home / "several")
    data = own(write(home / "rows.csv", 60, 1)).load("custom")
    for label_map in (None, "0=art,1=sport,2=world"):
        said: list[str] = []
        with suppress(UserError):  # it knows nothing
            prepare(
                data, str(home / "several"), training_of({"max_length": 16}), here(), said.append, label_map=label_map
            )
        assert any("any number of labels a row" in line for line in said)


def test_a_searched_student_with_few_positions_is_left_out(home: Path, bare: Path) -> None:
    config = load_config(bare)
    config.max_position_embeddings = 8
    short: Any = type(load_classifier(bare, Head(CLASSES)))(config).base_model
    short.save_pretrained(home / "short")
    word_tokenizer(WORDS).save_pretrained(home / "short")
    data = own(write(home / "rows.csv", 60, 1)).load("custom")
    said: list[str] = []
    with dry_run_of(data, here()) as dry:
        students = ["cut:1", str(home / "short")]
        training = training_of({"max_length": 16})
        ready = prepare(dry.data, str(bare), training, here(), said.append, students, spare=True, dry=dry)
        assert [*ready.sizes] == ["cut:1"]
        assert any("is left out: max-length is 16" in line for line in said)
        with pytest.raises(UserError, match="1 to 8"):
            prepare(dry.data, str(bare), training, here(), said.append, students, dry=dry)


def test_students_that_are_not_smaller(home: Path, bare: Path) -> None:
    """CASES 52."""
    data = own(write(home / "rows.csv", 100, 1)).load("custom")
    said: list[str] = []
    with dry_run_of(data, here()) as dry:
        students = ["cut:1", "cut:2", "build:4/32/2"]
        prepare(dry.data, str(bare), training_of({"max_length": 16}), here(), said.append, students, dry=dry)
    warned = [line for line in said if line.startswith("warning: student")]
    assert [line.split()[2] for line in warned] == ["cut:2", "build:4/32/2"]
    assert "has the teacher's depth and width" in warned[0]
    assert "is larger than its teacher" in warned[1]


def test_interrupted_teaching_goes_on_and_progress_is_of_what_is_left(
    home: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = own(write(home / "rows.csv", 600, 1))
    followed: list[tuple[float, list[float]]] = []

    @contextmanager
    def record(what: str, total: float | None, unit: str = "rows") -> Iterator[Callable[[float], object]]:
        assert total is not None
        counts: list[float] = []
        followed.append((total, counts))
        yield counts.append

    monkeypatch.setattr(teach, "track", record)
    settings: dict[str, Any] = {"teacher": str(bare), "epochs": 4, "max_length": 16, "evaluations": 4}
    interruption = interrupted(rows, settings, monkeypatch)
    learnt = len(with_selection(rows.load("custom")).train)
    step = -(-learnt // 32)  # of the first evaluation, after an epoch
    assert interruption.kept == f"what was trained up to step {step} is kept"
    log = Console(file=io.StringIO(), width=200)
    raykd.teach("custom", rows, console=log, **settings)
    assert isinstance(log.file, io.StringIO)
    assert f"teacher: going on from step {step} of an earlier run" in log.file.getvalue()
    (whole, _), (rest, counts) = followed
    assert whole == 4 * learnt
    assert rest == whole - step * 32
    assert abs(rest - sum(counts)) < 4 * 32  # the last batch of an epoch is smaller


def test_interrupted_teaching_of_an_encoder_that_has_changed_starts_anew(
    home: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = own(write(home / "rows.csv", 600, 1))
    settings: dict[str, Any] = {"teacher": str(bare), "epochs": 2, "max_length": 16, "evaluations": 2}
    interrupted(rows, settings, monkeypatch)
    sizes = {"layers": 2, "hidden": 32, "heads": 2, "intermediate": 64, "max_length": 16}
    other: Any = scratch_classifier(word_tokenizer(WORDS), Head(CLASSES), **sizes, seed=2).base_model
    other.save_pretrained(bare)
    log = Console(file=io.StringIO(), width=200)
    raykd.teach("custom", rows, console=log, **settings)
    assert isinstance(log.file, io.StringIO)
    assert "going on from step" not in log.file.getvalue()


def encoder_with(length: int, folder: Path) -> Path:
    """An encoder with so many positions, whose tokenizer says nothing of a limit."""
    tokenizer = word_tokenizer(WORDS)
    sizes = {"layers": 1, "hidden": 32, "heads": 2, "intermediate": 64, "max_length": length}
    encoder: Any = scratch_classifier(tokenizer, Head(CLASSES), **sizes, seed=2).base_model
    encoder.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_too_few_positions_are_said_before_anything_is_taught(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CASES 22, for teach and for a student with positions of its own."""

    def taught(*_: object, **__: object) -> None:
        raise AssertionError("the teacher was taught first")

    monkeypatch.setattr("raykd.teachers.teach", taught)
    rows = own(write(home / "rows.csv", 40, 1))
    short, long = encoder_with(8, home / "short"), encoder_with(64, home / "long")
    settings = training_of({"max_length": 12})
    with pytest.raises(UserError, match=r"max-length is 12: student .*short' has positions for 8 tokens.* 1 to 8"):
        prepare(rows.load("custom"), str(long), settings, here(), lambda line: None, str(short))
    with pytest.raises(UserError, match=r"max-length is 12: teacher .*short' has positions for 8 tokens.* 1 to 8"):
        raykd.teach("custom", rows, teacher=str(short), out=home / "t", max_length=12)
    assert not (home / "t").exists()
