"""The files of ../shared/cases that speak of reading: each is read as it is written, or refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from raykd.tasks.data import Data
from tests.tasks.reading import read, refused, rows


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("csv_stray_quote/strayquote.csv", "line 52: malformed quoting: on line 153 text stands after the closing"),
        ("csv_backslash/spark.csv", "line 2: malformed quoting"),
        ("csv_backslash/spark.csv", 'It has backslash escapes (\\"), as Spark and MySQL write them'),
        ("nan_is_a_class/nan.parquet", "20 of 400 rows cannot be used: 20 with no label in column 'label' (rows 1, 21"),
        ("nan_is_a_class/nan.jsonl", "20 of 400 rows cannot be used: 20 with no label in column 'label' (lines 1, 21"),
        ("non_scalar_cells/tokens.jsonl", "400 of 400 rows have a list instead of a text in column 'text'"),
        ("non_scalar_cells/list.parquet", "column 'text' holds lists or objects"),
        ("non_scalar_cells/multi.jsonl", "400 of 400 rows have a list in column 'label': one label a row is wanted"),
        ("label_spellings/mixnum.csv", "'0' (100 rows: lines 2, 4, 6, 8, 10, ...) and '0.0' (100 rows: lines 202"),
        ("label_spellings/casemix.csv", "'negative' (160 rows: lines 4, 6, 8, 10, 14, ...) and 'Negative' (40 rows"),
        ("codes_as_scores/codes.csv", "'1.1' and '1.10'; '1.2' and '1.20'; '2.1' and '2.10' are one number each"),
        ("duplicate_columns/dup.parquet", "has the column 'label' more than once (columns 2 and 3)"),
        ("duplicate_columns/dupcols.csv", "has the column 'label' more than once (columns 2 and 3)"),
    ],
)
def test_refused(shared: Path, file: str, said: str) -> None:
    assert said in refused(shared / "cases" / file)


def _read(shared: Path, file: str) -> Data:
    return read(shared / "cases" / file)


def test_read(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYKD_HOME", str(tmp_path))
    wanted = rows(_read(shared, "base.csv"))
    assert len(wanted) == 400
    for file in ("upper.CSV", "array.json", "base.csv.gz", "saved"):
        assert rows(_read(shared, f"file_kinds/{file}")) == wanted
    binary = rows(_read(shared, "parquet_binary/binary.parquet"))
    assert [text for text, _ in binary] == [text for text, _ in wanted]
    tsv = rows(_read(shared, "tsv_quotes/pandas.tsv"))
    assert tsv[1] == ('He said "script actor funny warm superb story plot 1"', "positive")
    plain = read(shared / "cases" / "csv_stray_quote" / "strayquote.csv", quoting="none")
    assert [text.lstrip('"') for text, _ in rows(plain)] == [text for text, _ in wanted]
    assert [label for _, label in rows(plain)] == [label for _, label in wanted]
    codes = read(shared / "cases" / "codes_as_scores" / "codes.csv", labels="classes")
    assert set(codes.task.labels) >= {"1.1", "1.10", "1.2", "1.20"}
    for file in ("nan.parquet", "nan.jsonl"):
        data = read(shared / "cases" / "nan_is_a_class" / file, drop_bad_rows=True)
        assert (data.task.labels, len(data.train)) == (("0", "1"), 380)
