"""SQuAD's JSON: the real files, both versions, small broken ones, and rows of the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from raykd.errors import UserError
from raykd.tasks import remote
from raykd.tasks.asked import place
from raykd.tasks.load import Columns, load
from raykd.tasks.task import find


def question(text: str, *answers: tuple[int, str], **more: Any) -> dict[str, Any]:
    found = [{"answer_start": start, "text": answer} for start, answer in answers]
    return {"question": text, "id": text, "answers": found, **more}


def paragraph(context: str, *questions: dict[str, Any]) -> dict[str, Any]:
    return {"context": context, "qas": list(questions)}


def write(path: Path, *paragraphs: dict[str, Any]) -> str:
    """Each paragraph in an article of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"version": "1.1", "data": [{"title": "t", "paragraphs": [one]} for one in paragraphs]}
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def some(n: int = 30) -> list[dict[str, Any]]:
    return [
        paragraph(f"context {i} ends", question("q1", (0, "context")), question("q2", (8, str(i)))) for i in range(n)
    ]


def test_the_real_halves(shared: Path) -> None:
    folder = shared / "data" / "squad"
    data = load("squad", str(folder))
    assert (len(data.train), len(data.dev["dev"])) == (4961, 5609)
    assert data.notes[:3] == (
        f"{folder} holds no train*.json and no dev*.json: part-a.json and part-b.json taken as train and dev",
        "train: 4,961 questions",
        "dev: 5,609 questions",
    )
    assert data.source == f"files {folder}/part-a.json and {folder}/part-b.json"
    assert data.train.texts[0][0] == "Which NFL team represented the AFC at Super Bowl 50?"
    assert data.train.answers[0][0] == (177, "Denver Broncos")
    assert set(data.train.labels) == {1}
    swapped = load(
        "squad", str(folder / "part-b.json"), dev_file=str(folder / "part-a.json"), max_train=100, max_dev=50
    )
    assert (len(swapped.train), len(swapped.dev["dev"])) == (100, 50)
    assert swapped.notes[:2] == ("100 of 5,609 rows of train drawn", "50 of 4,961 rows of dev drawn")
    assert swapped.fingerprint != data.fingerprint


def test_whole_contexts_are_held_out(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.json", *some())
    data = load("squad", file)
    assert (len(data.train), len(data.dev["dev"])) == (54, 6)
    assert not {context for _, context in data.train.texts} & {context for _, context in data.dev["dev"].texts}
    assert data.notes[0] == f"6 of 60 questions of {file} held out as dev, by context (split seed 0)"
    assert load("squad", file).fingerprint == data.fingerprint
    assert load("squad", file, split_seed=2).dev != data.dev
    assert load("squad", str(tmp_path)).dev == data.dev  # the only file of its folder
    with pytest.raises(UserError, match="a single context cannot be divided"):
        load("squad", write(tmp_path / "one.json", *some(1)))


def test_a_folder_may_hold_both_versions(tmp_path: Path) -> None:
    for name, n in (("train-v1.1", 3), ("dev-v1.1", 2), ("train-v2.0", 5), ("dev-v2.0", 4)):
        write(tmp_path / f"{name}.json", *some(n))
    assert [len(load("squad", str(tmp_path)).train), len(load("squad_v2", str(tmp_path)).train)] == [6, 10]
    assert load("squad_v2", str(tmp_path)).notes[0] == "train: 10 questions"
    write(tmp_path / "train-v1.1-more.json", *some(2))
    with pytest.raises(UserError, match=r"has 2 train\*\.json, which one\?"):
        load("squad", str(tmp_path))


def test_folders_without_the_files_say_what_is_there(tmp_path: Path) -> None:
    write(tmp_path / "train.json", *some(2))
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"has no dev\*\.json or validation\*\.json \(there: notes.txt, train.json\)"):
        load("squad", str(tmp_path))
    write(tmp_path / "validation.json", *some(2))
    assert len(load("squad", str(tmp_path)).dev["dev"]) == 4
    with pytest.raises(UserError) as caught:
        load("squad", str(tmp_path / ".."))
    assert len(caught.value.problems) == 2


def test_questions_without_an_answer(tmp_path: Path) -> None:
    rows = [
        paragraph("a b c", question("q", (0, "a"), is_impossible=False)),
        paragraph("d e f", question("q", is_impossible=True, plausible_answers=[{"answer_start": 0, "text": "d"}])),
        paragraph("g h i", question("q", (0, "g"), is_impossible=True)),
        paragraph("j k l", question("q")),
    ]
    file = write(tmp_path / "train.json", *rows)
    data = load("squad_v2", file, dev_file=file)
    assert data.train.labels == (1, 0, 0, 0)
    assert data.train.answers == (((0, "a"),), (), (), ())
    with pytest.raises(UserError, match=r"3 of 4 questions have no answer: take --task squad_v2"):
        load("squad", file, dev_file=file)
    none = write(tmp_path / "none.json", *rows[1:])
    with pytest.raises(UserError, match="none of the 3 questions has an answer"):
        load("squad_v2", none, dev_file=none)


def test_answers_elsewhere_are_moved_or_dropped_and_counted(tmp_path: Path) -> None:
    rows = [
        *some(3),
        paragraph("the cat saw the cat", question("near", (14, "cat")), question("none", (0, "dog"))),
        paragraph("the cat saw the cat", question("spaces", (3, " cat ")), question("  ", (0, "the"))),
        paragraph("the cat saw the cat", question("one of two", (0, "dog"), (0, "the"))),
    ]
    file = write(tmp_path / "train.json", *rows)
    data = load("squad", file, dev_file=file)
    assert data.train.answers[6:] == (((16, "cat"),), ((4, "cat"),), ((0, "the"),))
    assert data.notes[:3] == (
        f"1 questions of {file} without text: dropped",
        f"1 questions of {file} with answers that do not stand in the context: dropped",
        f"1 answers of {file} do not stand where they say: taken where they stand",
    )


@pytest.mark.parametrize(("start", "found"), [(0, 0), (1, 0), (5, 8), (4, 0), (8, 8), (99, 8), (-3, 0)])
def test_the_nearest_place(start: int, found: int) -> None:
    assert place("cat and cat", (start, "cat")) == (found, "cat")


def test_places_count_characters_beyond_16_bits(tmp_path: Path) -> None:
    context = "\U0001f600 met Zoe\u0308 \u4eac"
    file = write(tmp_path / "train.json", *some(2), paragraph(context, question("who", (6, "Zoe\u0308"))))
    data = load("squad", file, dev_file=file)
    assert data.train.answers[-1] == ((6, "Zoe\u0308"),)
    in_utf16 = write(tmp_path / "utf16.json", *some(2), paragraph(context, question("who", (7, "Zoe\u0308"))))
    assert load("squad", in_utf16, dev_file=file).train == data.train


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no rows"),
        ("3", "is no JSON object: it should hold 'data', as SQuAD does"),
        ('{"version": 1}', r"has no 'data' \(present: version\)"),
        ('{"data": {}}', "'data' is a dict, not a list"),
        ('{"data": [{"title": "t"}]}', r"x.json: data\[0\] has no 'paragraphs'"),
        ('{"data": [{"paragraphs": [{"context": "c"}]}]}', r"data\[0\]\.paragraphs\[0\] has no 'qas'"),
        ('{"data": [{"paragraphs": [{"context": "c", "qas": [3]}]}]}', r"qas\[0\] is no JSON object"),
        ('{"data": [{"paragraphs": [{"context": "c", "qas": [{"question": "q"}]}]}]}', "has no 'answers'"),
        (
            '{"data": [{"paragraphs": [{"context": "c", "qas": [{"question": "q", "answers": [{"text": "c"}]}]}]}]}',
            r"answers\[0\] has no 'answer_start'",
        ),
        ('{"data": []}', "no question is left of 0"),
    ],
)
def test_broken_files_are_named_to_the_place(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UserError, match=message):
        load("squad", str(tmp_path / "x.json"))


def test_impossible_requests(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n")
    with pytest.raises(UserError, match=r"reads SQuAD's JSON, not '.csv'"):
        load("squad", str(tmp_path / "rows.csv"))
    with pytest.raises(UserError, match="has no columns to name"):
        load("squad", str(tmp_path / "rows.csv"), columns=Columns(("question",)))
    with pytest.raises(UserError) as caught:
        load("squad", str(write(tmp_path / "bad.json")), dev_file="none.json")
    assert len(caught.value.problems) == 2
    (tmp_path / "latin.json").write_bytes(b'{"data": "caf\xe9"}')
    with pytest.raises(UserError, match="is not UTF-8"):
        load("squad", str(tmp_path / "latin.json"))


def test_rows_of_the_hub() -> None:
    from datasets import Dataset

    rows = [
        {"question": "who", "context": "a b", "answers": {"text": ["b", "a b"], "answer_start": [2, 0]}},
        {"question": "what", "context": "a b", "answers": {"text": [], "answer_start": []}},
    ]
    notes: list[str] = []
    split = remote._split(find("squad_v2"), {"validation": Dataset.from_list(rows)}, "validation", notes)
    assert split.texts == (("who", "a b"), ("what", "a b"))
    assert split.answers == (((2, "b"), (0, "a b")), ())
    assert split.labels == (1, 0)
    assert notes == []
    with pytest.raises(UserError, match="rajpurkar/squad:plain_text train has no column 'answers'"):
        remote._split(find("squad"), {"train": Dataset.from_list([{"question": "", "context": ""}])}, "train", notes)
