"""Task data that cannot be learned from: own files, GLUE folders, SQuAD's JSON, texts beside the rows."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from tests.fuzz.base import LABELS, ROWS, TEACHER, squad
from tests.fuzz.case import Case, Entry, Folder, Link, Pipe
from tests.fuzz.values import as_json, changed, damaged, odd_words

ROW = {"text": "w1 w2", "label": "no"}
TABLE = [{"text": f"w{i % 5} w{i % 7}", "label": LABELS[i % 2]} for i in range(12)]
CELLS: tuple[Any, ...] = (
    *(
        "",
        " ",
        "no",
        "maybe",
        "1",
        "0",
        "-1",
        "nan",
        "inf",
        "1e999",
        0,
        1,
        7,
        1.5,
        True,
        None,
        [],
        ["no"],
        {"a": 1},
        10**400,
    ),
    *("\x00", "a\tb", "a\nb", 'a"b', "a,b", "\u2028", "\u202e", "🦜", "[/x]", "\ufeff", "x" * 200_000, "\ud800"),
)
NAMES = ("label", "text", "", " ", "LABEL", "text ", "[/x]", "é", "0", "text,label", "\x00", "x" * 500)
SUFFIXES = ("csv", "tsv", "jsonl", "parquet")
STRANGE: tuple[Entry, ...] = (
    Folder(),
    Link("nowhere"),
    Link("/dev/null"),
    Link("/proc/self/mem"),
    Link("loop"),
    Pipe(),
    b"",
)
LIES: tuple[bytes, ...] = (
    *(b"text,label\n", b"text,label", b"label\nno\nyes\n", b"text,label\n,no\n,yes\n", b"text,label\nw1,no\nw2,no\n",
        b"text,text,label\na,b,no\na,b,yes\n"),
    *(b"text,label\nw1,no\n", b"text,label\nw1,no,3\nw2,yes,4\n", b'text,label\n"w1,no\nw2,yes\n',
        b"text;label\nw1;no\n", b"\xef\xbb\xbf\n", b"\n\n\n"),
    *(b"PAR1", b"PAR1\x00\x00\x00\x00PAR1", b"PAR1" + b"\xff" * 40 + b"PAR1", b"{}", b"[]", b"null\n",
        b'{"text": 1}\n', b'{"text": "a", "label": {}}\n', b"[" * 100_000),
    *(b'{"text": "w1", "label": NaN}\n{"text": "w2", "label": "yes"}\n',
        b'{"text": "\\ud800", "label": "no"}\n{"text": "w2", "label": "yes"}\n' * 2),
    *(b'{"text": "w1", "label": ' + b"9" * 5000 + b"}\n", b'{"a":' * 100_000, b"text\tlabel\n" + b"\t\n" * 50,
        b"text,label\n" + b"w1 w2,no\nw3,yes\n" * 3 + b"w\x00,no\n"),
)  # fmt: skip


def written(table: list[Any], kind: str) -> bytes:
    """The rows as a file of that kind, as faithfully as it can."""
    rows = [row if isinstance(row, dict) else {"text": row} for row in table]
    if kind == "jsonl":
        return b"\n".join(map(as_json, table))
    names = list(dict.fromkeys(name for row in rows for name in row))
    if kind == "parquet":
        return _parquet(rows, names)
    joint = "," if kind == "csv" else "\t"
    lines = [names, *([row.get(name) for name in row] for row in rows)]
    return "\n".join(joint.join(str(cell) for cell in line) for line in lines).encode("utf-8", "surrogatepass")


def _parquet(rows: list[dict[str, Any]], names: list[str]) -> bytes:
    """Columns of whatever type they have; of texts where they have none in common."""
    columns = {}
    for name in names:
        cells = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(cells)
        except (pa.ArrowException, OverflowError, UnicodeError):
            columns[name] = pa.array([ascii(cell) for cell in cells])
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


@st.composite
def _own(draw: st.DrawFn, kind: str) -> Entry:
    """The train or dev file of a user."""
    how = draw(st.integers(0, 9))
    if how == 0:
        return draw(st.sampled_from(STRANGE))
    if how == 1:
        return draw(st.sampled_from(LIES))
    if how <= 3:
        return draw(damaged(written(TABLE, kind)))
    odd = st.sampled_from(CELLS)
    table: list[Any] = draw(changed(TABLE, most=3, odd=odd))
    if not isinstance(table, list):
        return as_json(table)
    if draw(st.booleans()):
        old, new = draw(st.sampled_from(["text", "label"])), draw(st.sampled_from(NAMES))
        table = [
            {new if name == old else name: cell for name, cell in row.items()} if isinstance(row, dict) else row
            for row in table
        ]
    if draw(st.integers(0, 5)) == 0:
        same = draw(odd)
        table = [
            {**row, draw(st.sampled_from(["text", "label"])): same} if isinstance(row, dict) else row for row in table
        ]
    return written(table, kind)


@st.composite
def _questions(draw: st.DrawFn) -> Entry:
    how = draw(st.integers(0, 5))
    if how == 0:
        return draw(st.sampled_from(STRANGE))
    if how == 1:
        return draw(damaged(as_json(squad())))
    return as_json(draw(changed(squad(), most=3, odd=st.sampled_from([*CELLS, -5, 10**20, "w2"]))))


@st.composite
def _texts(draw: st.DrawFn) -> Entry:
    """A file of lines."""
    if draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(STRANGE))
    sound = draw(
        st.sampled_from(
            [
                b"w1 w2\nw3\n",
                b"w1\tw2\n",
                b"\t\n\t",
                b"\n \n",
                b"w1\x00w2\n",
                b"w1 0.1 0.2\nw2 0.3 x\n",
                b"5 2\nw1 nan 1\n",
            ]
        )
    )
    return draw(damaged(sound))


@st.composite
def _glue(draw: st.DrawFn) -> tuple[list[str], dict[str, Entry]]:
    """A folder in the GLUE layout, of which something is amiss."""
    task = draw(st.sampled_from(["rte", "cola", "mnli", "stsb", "mrpc"]))
    folder = {"rte": "RTE", "cola": "CoLA", "mnli": "MNLI", "stsb": "STS-B", "mrpc": "MRPC"}[task]
    heads = {
        "rte": "index\tsentence1\tsentence2\tlabel",
        "mnli": "sentence1\tsentence2\tgold_label",
        "cola": "",
        "mrpc": "Quality\t#1 String\t#2 String",
        "stsb": "sentence1\tsentence2\tscore",
    }
    line = {
        "rte": "{n}\ta\tb\t{l}",
        "mnli": "a\tb\t{l}",
        "cola": "s\t{n}\t\tw",
        "mrpc": "{n}\ta\tb",
        "stsb": "a\tb\t{n}.5",
    }[task]
    names = ["not_entailment", "entailment"]
    body = "\n".join([heads[task], *(line.format(n=n % 2, l=names[n % 2]) for n in range(8))]).strip("\n") + "\n"
    files: dict[str, Entry] = {}
    for name in ("train", "dev", "dev_matched", "dev_mismatched"):
        how = draw(st.integers(0, 6))
        if how == 0:
            files[f"{folder}/{name}.tsv"] = draw(st.sampled_from(STRANGE))
        elif how < 4:
            files[f"{folder}/{name}.tsv"] = draw(damaged(body.encode()))
        elif how < 6:
            files[f"{folder}/{name}.tsv"] = body.encode()
    at = draw(st.sampled_from([".", ".", folder, "..", "nowhere"]))
    return ["--task", task, "--data", at], files


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Data, and a command that would learn from it or be judged by it."""
    kind = draw(st.sampled_from([*SUFFIXES, *SUFFIXES, "squad", "squad", "glue", "texts"]))
    files: dict[str, Entry] = {}
    words: list[str]
    if kind == "glue":
        words, files = draw(_glue())
    elif kind == "squad":
        files = {"q.json": draw(_questions())}
        words = [
            "--task",
            draw(st.sampled_from(["squad", "squad_v2"])),
            "--data",
            draw(st.sampled_from(["q.json", ".", "q.json"])),
        ]
        if draw(st.booleans()):
            files["dev-v1.json"] = draw(_questions())
            words += ["--dev-file", "dev-v1.json"] if words[-1] == "q.json" else []
    elif kind == "texts":
        files = {"t.txt": draw(_texts()), "d/u.txt": draw(_texts())}
        words = [*ROWS, "--method", draw(st.sampled_from(["kd", "minimax_knn"]))]
        for flag in ("--corpus", "--unlabelled", "--augment-vectors", "--augment-with"):
            if draw(st.booleans()):
                words += [flag, draw(st.sampled_from(["t.txt", "d", "d/u.txt", ".", "nowhere", "../base/teacher"]))]
        words += draw(st.sampled_from([[], ["--augment", "2"]]))
        if draw(st.integers(0, 3)) == 0:
            flags = ["--teacher", "../base/teacher", "--student", "cut:1"]
            return Case(("pretrain", draw(st.sampled_from(["t.txt", "d", "."])), *flags), files)
        return Case((draw(st.sampled_from(["tune", "distill"])), *words, *TEACHER), files)
    else:
        stem = draw(st.sampled_from(["train"] * 8 + ["[/x]", "é", "\udcff", "a b"]))
        files = {f"{stem}.{kind}": draw(_own(kind))}
        data = draw(st.sampled_from([f"{stem}.{kind}", f"{stem}.{kind}", "."]))
        words = ["--task", "custom", "--data", data]
        words += [
            "--text-columns",
            draw(st.sampled_from(["text"] * 6 + ["text,text", "text,label", ",", "[/x]", "é", "a,b,c"])),
        ]
        words += ["--label-column", draw(st.sampled_from(["label"] * 6 + ["text", "[/x]", "", "é"]))]
        if data == "." or draw(st.booleans()):
            other = draw(st.sampled_from([kind, kind, *SUFFIXES]))
            files[f"dev.{other}"] = draw(_own(other))
            words += [] if data == "." else ["--dev-file", f"dev.{other}"]
    if draw(st.integers(0, 20)) == 0:
        words[draw(st.integers(0, len(words) - 1))] = draw(odd_words())
    command = draw(st.sampled_from(["teach", "teach", "tune", "distill", "evaluate"]))
    if command == "evaluate":
        words = ["../base/teacher", *words]
    else:  # mostly a teacher that is not there: what is looked at here comes before it
        words += draw(st.sampled_from([["--teacher", "absent"], ["--teacher", "absent"], [*TEACHER]]))
    return Case((command, *words), files)
