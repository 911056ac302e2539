"""Saved students beside their teacher: small networks, every kind of answer, every way to be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from raykd import cli_analyse
from raykd.analyse import analyse, check_out, short_names
from raykd.answer import evaluate
from raykd.errors import UserError
from raykd.losses.cka import cka
from raykd.models.classifier import Head, load_classifier
from raykd.models.outputs import forward
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.report.analysis_page import Analysis, as_json, save
from raykd.report.relation_difference import relation_difference
from raykd.side_by_side import observe
from raykd.tasks.data import Split
from raykd.tasks.encode import Encoded, encode
from raykd.tasks.source import Source
from raykd.train.config import TaskSpec, Training

WORDS = [f"w{number}" for number in range(30)]
ROWS = 40
CLASSES = TaskSpec(name="custom", labels=("no", "yes"), metrics=("accuracy",), primary="accuracy")
NUMBER = TaskSpec(name="custom", labels=(), metrics=("pearson", "spearman"), primary="pearson")
SPAN = TaskSpec(name="squad", labels=(), metrics=("f1", "exact_match"), primary="f1", kind="span")


def sentences(seed: int) -> list[str]:
    chance = Random(seed)
    return [" ".join(chance.choices(WORDS, k=chance.randint(3, 20))) for _ in range(ROWS)]


def network(folder: Path, task: TaskSpec, *, layers: int, hidden: int, seed: int, **card: Any) -> Path:
    """A saved network of random weights; the words of its card's spec."""
    tokenizer = word_tokenizer(WORDS)
    sizes = {"hidden": hidden, "intermediate": 2 * hidden, "heads": 2}
    model = scratch_classifier(tokenizer, task.head, layers=layers, **sizes, seed=seed, max_length=64)
    with torch.no_grad():
        for weight in model.parameters():  # larger than BERT's start, so that answers differ
            weight.mul_(6.0 if weight.ndim > 1 else 1.0)
        if task.kind == "classes":  # each class is predicted about as often
            asked = tokenizer(sentences(5), padding=True, return_tensors="pt")
            model.get_submodule("classifier").bias -= model(**asked).logits.mean(dim=0)
    spec = {"task": task.model_dump(), "training": Training(max_length=24).model_dump(), **card}
    save_student(model, tokenizer, folder, card={"spec": spec})
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAYKD_HOME", str(tmp_path / "home"))
    return tmp_path


def family(place: Path, task: TaskSpec) -> tuple[Path, Path, Path]:
    """A teacher of 3 layers and 16, and two students that know it: one of 2 layers and 8, one of 1 layer and 16."""
    teacher = network(place / "teacher", task, layers=3, hidden=16, seed=1)
    return (
        teacher,
        network(place / "t0001" / "student", task, layers=2, hidden=8, seed=2, teacher=str(teacher)),
        network(place / "t0002" / "student", task, layers=1, hidden=16, seed=3, teacher=str(teacher)),
    )


def own(place: Path, labels: Callable[[int], object]) -> Source:
    """Rows of the user's own as a file."""
    lines = [json.dumps({"text": text, "label": labels(row)}) for row, text in enumerate(sentences(5))]
    for name in ("train", "dev"):
        (place / f"{name}.jsonl").write_text("\n".join(lines))
    return Source(str(place / "train.jsonl"), str(place / "dev.jsonl"), ("text",), "label")


def classes(place: Path) -> Source:
    return own(place, lambda row: ("no", "yes")[row % 3 == 0])


def coded(place: Path, *, regression: bool = False) -> Encoded:
    split = Split(tuple((text,) for text in sentences(5)), (0,) * ROWS)
    return encode(split, word_tokenizer(WORDS), max_length=24, regression=regression, cache=place / "coded")


def test_classes(tmp_path: Path) -> None:
    teacher, *students = family(tmp_path, CLASSES)
    source = classes(tmp_path)
    first, second = analyse(students, source)
    assert (first.name, second.name) == ("t0001", "t0002")
    assert (first.teacher, first.split, first.rows, first.task) == (str(teacher), "dev", ROWS, "custom")
    assert {f"dev/{name}": value for name, value in first.scores.items()} == evaluate(students[0], source)
    assert {f"dev/{name}": value for name, value in first.teacher_scores.items()} == evaluate(teacher, source)

    models = [load_classifier(folder, CLASSES.head) for folder in (teacher, students[0])]
    batch = coded(tmp_path).batch(range(ROWS))
    with torch.no_grad():
        outs = [
            forward(
                model,
                input_ids=batch.input_ids,
                attention_mask=batch.attention_mask,
                token_type_ids=batch.token_type_ids,
                hidden_states=True,
            )
            for model in models
        ]
    chosen = [out.logits.argmax(dim=1) for out in outs]
    same = (chosen[0] == chosen[1]).double().mean().item()
    assert 0 < same < 1
    assert first.loyalty["label"] == pytest.approx(same)
    chances = [out.logits.double().softmax(dim=1) for out in outs]
    middle = (chances[0] + chances[1]) / 2
    divergence = sum((one * (one / middle).log()).sum(dim=1) / 2 for one in chances)
    assert isinstance(divergence, torch.Tensor)
    assert first.loyalty["probability"] == pytest.approx((1 - divergence.sqrt()).mean().item(), abs=1e-5)
    both = ((chosen[0] == 1) & (chosen[1] == 1)).sum().item()
    assert first.restoration["precision_positive"] == pytest.approx(both / (chosen[1] == 1).sum().item())
    assert first.restoration["recall_positive"] == pytest.approx(both / (chosen[0] == 1).sum().item())

    states = [out.hidden_states or () for out in outs]
    mask = batch.attention_mask.bool().unsqueeze(-1)
    assert first.cka["[CLS]"].shape == first.cka["mean of tokens"].shape == (4, 3)
    assert second.cka["[CLS]"].shape == (4, 2)
    for row in range(4):
        for column in range(3):
            x, y = states[0][row].double(), states[1][column].double()
            means = [torch.where(mask, one, 0.0).sum(dim=1) / mask.sum(dim=1) for one in (x, y)]
            assert first.cka["mean of tokens"][row, column] == pytest.approx(cka(*means).item(), abs=1e-5)
            if row and column:
                assert first.cka["[CLS]"][row, column] == pytest.approx(cka(x[:, 0], y[:, 0]).item(), abs=1e-5)
    # Every row begins with the same token in the same place.
    assert np.isnan(first.cka["[CLS]"][0]).all()
    assert np.isnan(first.cka["[CLS]"][:, 0]).all()

    parts = [relation_difference(states[1][-2][r], states[0][-2][r], batch.attention_mask[r]) for r in
             (slice(0, 32), slice(32, 40))]  # fmt: skip
    for name in ("inter_dist", "inter_cos", "intra_dist", "intra_cos"):
        expected = sum(getattr(part, name).difference * rows for part, rows in zip(parts, (32, 8), strict=True)) / ROWS
        assert first.differences[name] == pytest.approx(expected, rel=1e-4)


def test_a_student_that_is_its_teacher_restores_all(tmp_path: Path) -> None:
    teacher = network(tmp_path / "teacher", CLASSES, layers=2, hidden=8, seed=1)
    [found] = analyse([teacher], classes(tmp_path), teacher=str(teacher))
    assert set(found.restoration.values()) == {1.0}
    assert found.loyalty == pytest.approx({"label": 1.0, "probability": 1.0})
    assert set(found.differences.values()) == {0.0}
    assert np.diag(found.cka["mean of tokens"]) == pytest.approx(np.ones(3))


def test_numbers(tmp_path: Path) -> None:
    teacher, student, _ = family(tmp_path, NUMBER)
    [found] = analyse([student], own(tmp_path, lambda row: row / 7))
    device = torch.device("cpu")
    models = [load_classifier(folder, Head(())) for folder in (teacher, student)]
    seen = observe(models[0], models[1], coded(tmp_path, regression=True), device=device, layer=-2)
    expected = np.corrcoef(seen.teacher[:, 0], seen.student[:, 0])[0, 1]
    assert found.restoration["pearson"] == pytest.approx(expected, abs=1e-6)
    assert set(found.restoration) == {"pearson", "spearman"}
    assert found.loyalty == {}


def test_spans(tmp_path: Path) -> None:
    paragraphs = []
    for row, text in enumerate(sentences(5)[:6]):
        context = " ".join([text] * 4)  # several windows
        answer = {"text": text.split()[0], "answer_start": 0}
        paragraphs.append({"context": context, "qas": [{"id": str(row), "question": "w1", "answers": [answer]}]})
    document = json.dumps({"version": "1.1", "data": [{"title": "x", "paragraphs": paragraphs}]})
    for name in ("train-v1.1.json", "dev-v1.1.json"):
        (tmp_path / name).write_text(document)
    _, student, _ = family(tmp_path, SPAN)
    [found] = analyse([student], Source(str(tmp_path)))
    assert found.rows == 6
    assert set(found.restoration) == {"f1", "exact_match"}
    assert set(found.loyalty) == {"label"}
    [own_teacher] = analyse([student], Source(str(tmp_path)), teacher=str(student))
    assert own_teacher.restoration == {"f1": 1.0, "exact_match": 1.0}
    assert found.restoration["f1"] < 1.0


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    teacher, student, _ = family(tmp_path, CLASSES)
    with pytest.raises(UserError) as caught:
        analyse([student, tmp_path / "nothing", student], Source(), teacher=str(tmp_path / "nobody"))
    text = str(caught.value)
    assert "given twice" in text
    assert "nothing" in text
    assert "nobody" in text
    with pytest.raises(UserError, match=r"names no teacher(.|\n)*--teacher"):
        analyse([teacher], classes(tmp_path))
    with pytest.raises(UserError, match="no student"):
        analyse([], Source())
    odd = network(
        tmp_path / "odd", NUMBER.model_copy(update={"name": "stsb"}), layers=1, hidden=8, seed=1, teacher="gone"
    )
    with pytest.raises(UserError, match=r"several tasks \(custom, stsb\)(.|\n)*'.*gone' is not there"):
        analyse([student, odd], Source())
    with pytest.raises(UserError, match="layer 3: teacher and student both have -3 to 2"):
        analyse([student], classes(tmp_path), layer=3)


def test_a_teacher_of_other_tokens_or_labels_is_refused(tmp_path: Path) -> None:
    _, student, _ = family(tmp_path, CLASSES)
    tokenizer = word_tokenizer(WORDS[:-1])
    other = scratch_classifier(tokenizer, CLASSES.head, layers=1, hidden=8, heads=2, intermediate=8, seed=0)
    save_student(other, tokenizer, tmp_path / "other")
    with pytest.raises(UserError, match="read different tokens"):
        analyse([student], classes(tmp_path), teacher=str(tmp_path / "other"))
    with pytest.raises(UserError, match="no classifier"):
        analyse([student], classes(tmp_path), teacher=str(network(tmp_path / "span", SPAN, layers=1, hidden=8, seed=1)))
    turned = CLASSES.model_copy(update={"labels": ("yes", "no")})
    with pytest.raises(UserError, match="another order"):
        analyse(
            [student], classes(tmp_path), teacher=str(network(tmp_path / "turned", turned, layers=1, hidden=8, seed=1))
        )


def test_the_command(tmp_path: Path) -> None:
    app = typer.Typer()
    cli_analyse.register(app)
    _, *students = family(tmp_path, CLASSES)
    source = classes(tmp_path)
    line = [*map(str, students), "--data", source.data, "--dev-file", str(source.dev_file)]
    line += ["--text-columns", "text", "--label-column", "label"]
    done = CliRunner().invoke(app, [*line, "--out", str(tmp_path / "out")], catch_exceptions=False)
    assert done.exit_code == 0
    for word in ("t0001", "t0002", "restored", "label", "loyalty", "intra", "mean"):
        assert word in done.output
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"analysis.json", "cka-t0001.png", "cka-t0002.png"}
    written = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert [one["name"] for one in written["students"]] == ["t0001", "t0002"]
    assert written["students"][0]["cka"]["[CLS]"][0] == [None] * 3
    assert set(written["ranks of relation differences"]["t0001"]) > {"inter_dist", "mean rank"}
    CliRunner().invoke(app, line[1:], catch_exceptions=False)
    assert (tmp_path / "home" / "analyses" / "custom" / "analysis.json").is_file()


def test_what_is_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "page.html").write_text("<head>my own</head>")
    with pytest.raises(UserError, match="is a file"):
        check_out(tmp_path / "file", {})
    with pytest.raises(UserError, match="is a folder"):
        check_out(tmp_path / "folder.html", {})
    with pytest.raises(UserError, match="no page that raykd wrote"):
        check_out(tmp_path / "page.html", {})
    assert check_out(tmp_path / "new.html", {}).path == tmp_path / "new.html"


def test_names_tell_students_apart() -> None:
    def names(*folders: str) -> list[str]:
        return short_names([Path(folder) for folder in folders])

    assert names("/runs/trials/t1/student", "/runs/trials/t2/student") == ["t1", "t2"]
    assert names("/a/t1/student", "/b/t1/student", "/c/x") == ["a/t1", "b/t1", "c/x"]
    assert names("/a/kd") == ["kd"]


def test_a_page_escapes_names(tmp_path: Path) -> None:
    relations = {"inter_dist": {"difference": 1.0}}
    one = Analysis("<b>", "s", "<t>", "rte", "dev", 3, {"accuracy": 0.5}, {"accuracy": 0.6}, {"f1": 0.5}, {}, relations,
                   {"[CLS]": np.array([[0.5, np.nan]])})  # fmt: skip
    [page] = save([one], tmp_path / "page.html")
    text = page.read_text()
    assert "<b>" not in text
    assert "&lt;b&gt;" in text
    assert text.count("data:image/png;base64,") == 1
    assert "http" not in text
    assert as_json([one])["students"][0]["cka"] == {"[CLS]": [[0.5, None]]}
