"""SQuAD as the hub has it: rows with question, context and answers, in every form."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raykd.errors import UserError
from raykd.tasks.load import ReadOptions, load
from tests.tasks.reading import write

ROWS: list[dict[str, Any]] = [
    {
        "id": str(i),
        "question": f"who is {i}?",
        "context": f"Zoë {i} met Köln",
        "answers": {"text": ["Köln", "met Köln"][: 1 + i % 2]},
    }
    for i in range(12)
]
for row in ROWS:
    row["answers"]["answer_start"] = [row["context"].index(text) for text in row["answers"]["text"]]


def _saved(path: Path) -> None:
    import datasets

    datasets.Dataset.from_list(ROWS).save_to_disk(str(path))


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


FORMS: dict[str, Callable[[Path], object]] = {
    "a.jsonl": lambda path: path.write_text(_lines(ROWS)),
    "a.json": lambda path: path.write_text(json.dumps(ROWS)),
    "pretty.JSON": lambda path: path.write_text(json.dumps(ROWS, indent=1)),
    "lines.json": lambda path: path.write_text(_lines(ROWS)),
    "a.jsonl.gz": lambda path: path.write_bytes(gzip.compress(_lines(ROWS).encode())),
    "a.parquet": lambda path: pq.write_table(pa.Table.from_pylist(ROWS), path),
    "saved": _saved,
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("task", ["squad", "squad_v2"])
def test_every_form(tmp_path: Path, name: str, task: str) -> None:
    FORMS[name](tmp_path / name)
    data = load(task, str(tmp_path / name), dev_file=str(tmp_path / name))
    assert data.train.texts == tuple((row["question"], row["context"]) for row in ROWS)
    wanted = [list(zip(row["answers"]["answer_start"], row["answers"]["text"], strict=True)) for row in ROWS]
    assert [list(answers) for answers in data.train.answers] == wanted
    assert "train: 12 questions" in data.notes
    assert data.train == data.dev["dev"]
    held = load(task, str(tmp_path / name))
    assert (len(held.train), len(held.dev["dev"])) == (10, 2)


def test_a_folder_of_rows(tmp_path: Path) -> None:
    import datasets

    FORMS["a.jsonl"](tmp_path / "train.jsonl")
    FORMS["a.parquet"](tmp_path / "validation.parquet")
    assert len(load("squad", str(tmp_path)).dev["dev"]) == 12
    parts = {"train": datasets.Dataset.from_list(ROWS), "validation": datasets.Dataset.from_list(ROWS[:3])}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "both"))
    assert len(load("squad", str(tmp_path / "both")).dev["dev"]) == 3


def test_other_ways_of_writing_answers(tmp_path: Path) -> None:
    pairs = [{**row, "answers": [{"text": "Köln", "answer_start": row["context"].index("Köln")}]} for row in ROWS]
    file = str(write(tmp_path / "a.jsonl", _lines(pairs)))
    assert load("squad", file, dev_file=file).train.answers[3][0][1] == "Köln"
    none = [{**row, "answers": {"text": [], "answer_start": []}} for row in ROWS[:5]] + [{**ROWS[5], "answers": None}]
    file = str(write(tmp_path / "b.jsonl", _lines([*none, *ROWS])))
    assert sum(load("squad_v2", file, dev_file=file).train.labels) == 12
    with pytest.raises(UserError, match="6 of 18 questions have no answer: take --task squad_v2"):
        load("squad", file, dev_file=file)


@pytest.mark.parametrize(
    "answers",
    [
        "Köln",
        ["Köln"],
        {"text": ["Köln"]},
        {"text": "Köln", "answer_start": 3},
        {"text": ["Köln"], "answer_start": ["3"]},
        {"text": ["Köln"], "answer_start": [3, 4]},
        {"text": [None], "answer_start": [3]},
        {"text": ["Köln"], "answer_start": [True]},
        5,
    ],
)
def test_answers_that_are_none(tmp_path: Path, answers: object) -> None:
    file = str(write(tmp_path / "a.jsonl", _lines([*ROWS, {**ROWS[0], "answers": answers}])))
    with pytest.raises(UserError, match=r"1 of 13 rows cannot be used: 1 with answers that are no texts .*\(line 13\)"):
        load("squad", file, dev_file=file)


def test_rows_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYKD_HOME", str(tmp_path / "home"))
    odd = [{**ROWS[0], "question": 5}, {**ROWS[0], "context": ["a"]}, {"question": "q", "context": "c"}]
    file = str(write(tmp_path / "a.jsonl", _lines([*ROWS, *odd])))
    with pytest.raises(UserError) as caught:
        load("squad", file, dev_file=file)
    said = str(caught.value)
    assert "1 with a number instead of a text in column 'question' (line 13)" in said
    assert "1 with a list instead of a text in column 'context' (line 14)" in said
    assert "1 with no 'answers' (line 15)" in said
    assert len(load("squad", file, dev_file=file, options=ReadOptions(drop_bad_rows=True)).train) == 12


def test_what_holds_no_answers(tmp_path: Path) -> None:
    for name, said in (("a.csv", "reads SQuAD's JSON, not '.csv'"), ("a.xlsx", "a spreadsheet")):
        (tmp_path / name).write_text("question,context,answers\n")
        with pytest.raises(UserError, match=said):
            load("squad", str(tmp_path / name))
    write(tmp_path / "a.jsonl", '{"question": "q", "text": "c"}\n' * 3)
    with pytest.raises(UserError, match="has no column 'context'"):
        load("squad", str(tmp_path / "a.jsonl"))


def test_the_case(shared: Path) -> None:
    file = str(shared / "cases" / "squad_flat" / "sq_hf.jsonl")
    data = load("squad", file, dev_file=file)
    assert data.train.texts[0] == ("q?", "Zoë lives in Köln near the café. She was born in 1984.")
    assert data.train.answers == (((49, "1984"),),) * len(data.train)
