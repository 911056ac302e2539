"""Every form that rows come in reads to the same rows; a form that is not read is named with what to do."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sqlite3
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from raykd.errors import UserError
from raykd.tasks.load import load
from tests.tasks.reading import OWN, read, refused, rows, write

packed = partial(gzip.compress, mtime=0)  # the same bytes at every call: they are part of tests' names
ROWS = [{"text": f"row {i}, größe 💀", "label": ("neg", "pos")[i % 2]} for i in range(12)]
CSV = "text,label\n" + "".join(f'"{row["text"]}",{row["label"]}\n' for row in ROWS)
TSV = CSV.replace('",', '"\t').replace("text,label", "text\tlabel")
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
HALVES = LINES[:99].encode(), LINES[99:].encode()
TABLE = pa.Table.from_pylist(ROWS)


def _arrow(path: Path) -> None:
    with pa.ipc.new_file(str(path), TABLE.schema) as file:
        file.write_table(TABLE)


def _stream(path: Path) -> None:
    with pa.ipc.new_stream(str(path), TABLE.schema) as file:
        file.write_table(TABLE)


def _saved(path: Path) -> None:
    import datasets

    datasets.Dataset.from_list(ROWS).save_to_disk(str(path))


def _shuffled(path: Path) -> None:
    """Saved with rows chosen and in another order, which is kept beside them until it is saved."""
    import datasets

    more = datasets.Dataset.from_list([*ROWS, *ROWS][::-1])
    more.select(range(11, -1, -1)).save_to_disk(str(path), num_shards=3)


FORMS: dict[str, Callable[[Path], object]] = {
    "a.csv": lambda path: path.write_text(CSV),
    "a.CSV": lambda path: path.write_text(CSV),
    "a.tsv": lambda path: path.write_text(TSV),
    "a.TSV": lambda path: path.write_text(TSV),
    "a.jsonl": lambda path: path.write_text(LINES),
    "a.JSONL": lambda path: path.write_text(LINES),
    "a.ndjson": lambda path: path.write_text(LINES),
    "a.json": lambda path: path.write_text(json.dumps(ROWS)),
    "a.v2.json": lambda path: path.write_text(json.dumps(ROWS, indent=2)),
    "lines.json": lambda path: path.write_text(LINES),
    "array.jsonl": lambda path: path.write_text(json.dumps(ROWS)),
    "a.csv.gz": lambda path: path.write_bytes(packed(CSV.encode())),
    "a.Csv.GZ": lambda path: path.write_bytes(packed(CSV.encode())),
    "a.tsv.gz": lambda path: path.write_bytes(packed(TSV.encode())),
    "a.jsonl.gz": lambda path: path.write_bytes(packed(LINES.encode())),
    "two.jsonl.gz": lambda path: path.write_bytes(packed(HALVES[0]) + packed(HALVES[1])),
    "a.json.gz": lambda path: path.write_bytes(packed(json.dumps(ROWS).encode())),
    "a.parquet": lambda path: pq.write_table(TABLE, path),
    "a.PARQUET": lambda path: pq.write_table(TABLE, path, compression="zstd"),
    "a.arrow": _arrow,
    "stream.arrow": _stream,
    "a.feather": lambda path: feather.write_feather(TABLE, str(path)),
    "saved": _saved,
    "shuffled": _shuffled,
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_reads_to_the_same_rows(tmp_path: Path, name: str) -> None:
    FORMS[name](tmp_path / name)
    data = read(tmp_path / name)
    assert rows(data) == [(row["text"], row["label"]) for row in ROWS]
    as_such = [note for note in data.notes if "read as such" in note]
    assert bool(as_such) == (name in ("lines.json", "array.jsonl"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.xlsx", b"PK\x03\x04", "a.xlsx is a spreadsheet: save it as CSV (UTF-8) there"),
        ("a.XLS", b"", "a spreadsheet"),
        ("a.zip", b"PK\x03\x04", "an archive: unpack it"),
        ("a.csv.bz2", bz2.compress(CSV.encode()), "packed in a way that is not read: unpack it, or use gzip"),
        ("a.csv.xz", lzma.compress(CSV.encode()), "packed in a way that is not read"),
        ("a.csv.zst", b"", "packed in a way that is not read"),
        ("a.pkl", b"", "Python's own form: write it as Parquet or JSONL"),
        ("a.db", b"", "a database: export the table as CSV"),
        ("a.parquet.gz", packed(b"PAR1"), "unpack it first (gunzip)"),
        ("a.gz", packed(CSV.encode()), "unknown kind of file '.gz' (allowed: .csv, .tsv"),
        ("a.yaml", b"", "unknown kind of file '.yaml'"),
        ("a", b"", "unknown kind of file ''"),
        ("a.txt", b"text\n", "holds lines of text: a table is wanted. If it is one, call it .tsv or .csv"),
        ("a.csv", packed(CSV.encode()), "a.csv is a gzip file: call it a.csv.gz"),
        ("a.jsonl", bz2.compress(CSV.encode()), "a.jsonl is packed by bzip2"),
        ("a.tsv", lzma.compress(CSV.encode()), "a.tsv is packed by xz"),
        ("b.csv", b"PK\x03\x04...", "a zip archive or a spreadsheet"),
        ("b.jsonl", b"PAR1....", "a Parquet file: call it .parquet"),
        ("c.csv", b"ARROW1..", "an Arrow file: call it .arrow"),
        ("a.arrow", b"PAR1....", "a Parquet file: call it .parquet"),
        ("b.csv.gz", CSV.encode(), "b.csv.gz is called .gz, but is no gzip file"),
        ("c.csv.gz", packed(CSV.encode())[:60], "damaged or cut short"),
        ("d.csv.gz", packed(CSV.encode())[:40] + b"\x00" * 80, "damaged or cut short"),
        ("d.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a pointer of Git LFS"),
        ("e.csv", b"<!DOCTYPE html><html>", "an HTML page"),
        ("f.csv", b"SQLite format 3\x00", "a SQLite database"),
        ("b.parquet", CSV.encode(), "is not a Parquet file"),
        ("b.arrow", CSV.encode(), "is not an Arrow file"),
        ("c.json", b'{"text": ["a", "b"], "label": [0, 1]}', "have a list instead of a text in column 'text'"),
        ("d.json", b'{\n "text": ["a"],\n "label": [0]\n}', "is one JSON object (text, label): an object a line"),
        ("e.json", b'{\n"data": [{"text": "a"}]\n}', "is one JSON object (data)"),
        ("f.json", b'[{"text": "a"}, 3]', "row 2 is not a JSON object"),
        ("g.json", b'[{"text": "a"}', "begins as a JSON array, but is not JSON"),
        ("h.json", b"", "holds no rows"),
        ("i.json", b" \n ", "holds no rows"),
        ("j.json", b"[]", "holds no rows"),
        ("k.jsonl", b'{"text": "a", "label": 1}\n{"text": "b"', "line 2 is not JSON"),
        ("l.jsonl", b'{"text": "a", "label": 1} {"text": "b", "label": 1}\n', "line 1 is not JSON"),
        ("m.jsonl", b"text,label\n", "line 1 is not JSON"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named_with_what_to_do(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    assert said in refused(write(tmp_path / name, content))


def test_a_database_is_told_by_its_bytes(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.csv") as database:
        database.execute("create table t (a)")
    database.close()
    assert "a SQLite database: export the table as CSV" in refused(tmp_path / "a.csv")


def test_an_archive_is_told_by_its_bytes(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.csv", "w") as archive:
        archive.writestr("a.csv", CSV)
    assert "a zip archive or a spreadsheet: unpack it" in refused(tmp_path / "a.csv")


def test_splits_that_datasets_saved(tmp_path: Path) -> None:
    import datasets

    def saved(name: str, **sizes: int) -> Path:
        parts = {split: datasets.Dataset.from_list(ROWS[:count]) for split, count in sizes.items()}
        datasets.DatasetDict(parts).save_to_disk(str(tmp_path / name))
        return tmp_path / name

    def sizes(path: Path) -> tuple[int, int]:
        data = load("custom", str(path), columns=OWN)
        return len(data.train), len(data.dev["dev"])

    assert sizes(saved("a", train=12, validation=4)) == (12, 4)
    assert sizes(saved("b", train=12, dev=6)) == (12, 6)
    both = saved("c", train=12, validation=4, test=8)
    assert sizes(both) == (12, 4)
    assert f"{both}: split 'validation' taken as dev; left aside: test" in load("custom", str(both), columns=OWN).notes
    only = saved("d", train=12, test=8)
    assert sizes(only) == (12, 8)
    assert f"{only}: split 'test' taken as dev" in load("custom", str(only), columns=OWN).notes
    assert sizes(saved("e", train=12)) == (10, 2)
    with pytest.raises(UserError, match=r"has no split 'train' \(there: test\)"):
        sizes(saved("f", test=8))
    parts = load("custom", str(both / "train"), columns=OWN, dev_file=str(both / "test"))
    assert (len(parts.train), len(parts.dev["dev"])) == (12, 8)
    with pytest.raises(UserError, match=r"is no data set of one split: give the folder of one \(there: train, val"):
        load("custom", str(both / "train"), columns=OWN, dev_file=str(both))
    next((both / "train").glob("*.arrow")).write_bytes(b"")
    with pytest.raises(UserError, match="cannot be read as a data set that datasets saved"):
        sizes(both)
    (both / "dataset_dict.json").write_text("{")
    with pytest.raises(UserError, match=r"dataset_dict\.json is damaged"):
        sizes(both)


def test_a_folder_may_hold_any_of_them(tmp_path: Path) -> None:
    FORMS["a.csv.gz"](tmp_path / "Train.csv.gz")
    FORMS["saved"](tmp_path / "validation")
    data = load("custom", str(tmp_path), columns=OWN)
    assert (len(data.train), len(data.dev["dev"])) == (12, 12)
    FORMS["a.json"](tmp_path / "dev.json")
    with pytest.raises(UserError, match="more than one dev or validation file"):
        load("custom", str(tmp_path), columns=OWN)
