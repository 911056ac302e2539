"""Columns by name: spaces around names, names that stand twice, near names, columns of no use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raykd.tasks.data import Columns
from tests.tasks.reading import read, refused, rows, write

Make = Callable[[list[str], list[list[str]]], Path]
BODY = [[f"row number {i}", ("neg", "pos")[i % 2]] for i in range(6)]


@pytest.fixture(params=["csv", "tsv", "jsonl", "json", "parquet", "arrow"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Writes a file of each form with these columns, one name perhaps more than once."""

    def written(names: list[str], body: list[list[str]]) -> Path:
        kind = request.param
        if kind in ("csv", "tsv"):
            joint = "," if kind == "csv" else "\t"
            content = "\n".join(joint.join(row) for row in [names, *body])
        elif kind in ("jsonl", "json"):
            lines = ["{" + ", ".join(f"{json.dumps(n)}: {json.dumps(c)}" for n, c in zip(names, row, strict=True)) + "}"
                     for row in body]  # fmt: skip
            content = "\n".join(lines) if kind == "jsonl" else "[" + ",\n".join(lines) + "]"
        else:
            table = pa.Table.from_arrays([pa.array(column) for column in zip(*body, strict=True)], names=names)
            if kind == "parquet":
                pq.write_table(table, tmp_path / "a.parquet")
            else:
                with pa.ipc.new_file(str(tmp_path / "a.arrow"), table.schema) as file:
                    file.write_table(table)
            return tmp_path / f"a.{kind}"
        return write(tmp_path / f"a.{kind}", content)

    return written


@pytest.mark.parametrize(
    "names", [["text", " label"], [" text ", "label"], ["text", "label\u00a0"], ["text", "\tlabel"]]
)
def test_spaces_around_a_name_are_no_part_of_it(make: Make, names: list[str]) -> None:
    file = make(names, BODY)
    if file.suffix == ".tsv" and "\t" in "".join(names):
        pytest.skip("a tab is a separator there")
    data = read(file)
    assert rows(data)[1] == ("row number 1", "pos")
    assert any("the space is left out" in note for note in data.notes)
    assert rows(read(file, columns=Columns((" text",), "label "))) == rows(data)


def test_a_name_that_fits_exactly_wins(make: Make) -> None:
    data = read(make(["text", " text", "label"], [[a, "other", b] for a, b in BODY]))
    assert rows(data)[0] == ("row number 0", "neg")


@pytest.mark.parametrize(
    "names",
    [["text", "label", "label"], ["text", "text", "label"], ["label", "text", "label"], ["text", " label", "label "]],
)
def test_a_wanted_name_that_stands_twice_is_refused(make: Make, names: list[str]) -> None:
    body = [[*row, "x"] if names[0] == "text" else ["x", *row] for row in BODY]
    file = make(names, body)
    said = refused(file)
    assert "more than once" in said
    assert ("'text'" if names.count("text") > 1 else "'label'") in said


def test_another_name_that_stands_twice_is_said(make: Make) -> None:
    data = read(make(["id", "text", "label", "id"], [["1", *row, "2"] for row in BODY]))
    assert rows(data)[1] == ("row number 1", "pos")
    if not str(data.source).endswith((".parquet", ".arrow")):
        assert any("more than one column 'id'" in note or "with a key more than once" in note for note in data.notes)


@pytest.mark.parametrize(
    ("present", "wanted", "near"),
    [
        (["Text", "label"], Columns(("text",), "label"), "did you mean 'Text'"),
        (["text", "LABEL"], Columns(("text",), "label"), "did you mean 'LABEL'"),
        (["text", "label"], Columns(("texts",), "label"), "did you mean 'text'"),
        (["a", "b"], Columns(("text",), "label"), "(present: a, b)"),
    ],
)
def test_absent_columns_are_named_with_the_nearest(make: Make, present: list[str], wanted: Columns, near: str) -> None:
    assert near in refused(make(present, BODY), columns=wanted)


def test_columns_of_no_use_and_an_index_do_no_harm(make: Make) -> None:
    body = [[str(i), a, b, "x"] for i, (a, b) in enumerate(BODY)]
    assert rows(read(make(["", "text", "label", "more"], body)))[1] == ("row number 1", "pos")


def test_flags_may_hold_spaces() -> None:
    from raykd.cli_data import columns_of, source_of

    assert columns_of("a, b") == columns_of(" a ,b ") == ("a", "b")
    assert columns_of(None) == ()
    assert source_of("x.csv", None, "a, b", " c ", None, None).label_column == "c"


def test_rows_of_json_that_lack_a_key_or_have_one_twice(tmp_path: Path) -> None:
    sound = [json.dumps({"text": a, "label": b}) for a, b in BODY]
    odd = ['{"text": "w"}', '{"label": "pos"}', '{"text": "w", "label": "pos", "label": "neg"}', '{"x": 1}']
    file = write(tmp_path / "a.jsonl", "\n".join([*sound, *odd]))
    said = refused(file)
    assert "2 with no 'label' (line 7)" not in said
    assert "1 with no 'label' (line 7)" in said
    assert "2 with no 'text' (lines 8, 10)" in said
    assert "1 with 'label' more than once (line 9)" in said
    many = write(tmp_path / "b.jsonl", '{"x": 1, "Label": 2}\n' * 3000)
    assert "has no column 'label': did you mean 'Label'" in refused(many)
