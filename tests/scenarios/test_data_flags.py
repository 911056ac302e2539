"""The flags about data files on the command line, and texts beside the data, as each command takes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raykd.beside import Beside
from raykd.cli_data import beside_of, reading_of
from raykd.errors import UserError
from raykd.listing import read_rows
from raykd.pretrain import pretrain
from raykd.tasks.read_options import ReadOptions
from raykd.tasks.task import Task, find
from tests.test_bad_input import Tell, own

OWN = Task("custom", "", ("premise", "claim"), ("no", "yes"), ("accuracy",), "accuracy", label_column="label")


@pytest.mark.parametrize("command", ["tune", "teach", "distill"])
def test_each_command_that_learns_has_the_flags(tell: Tell, rows: Path, command: str) -> None:
    content = rows.read_text().replace(",", ";").replace("w1", "wé")
    rows.write_bytes(content.encode("latin-1"))
    line = [command, *own(rows), "--teacher", "absent"]
    assert "line 3: byte 0xe9 is not UTF-8" in tell(*line)
    assert "separated by ';', not by ','" in tell(*line, "--encoding", "latin-1")
    read = [*line, "--encoding", "latin-1", "--separator", ";"]
    assert "teacher 'absent'" in tell(*read)
    assert "60 distinct" not in tell(*read, "--labels", "classes")
    assert "60 with a label that is no finite number" in tell(*read, "--labels", "number")
    rows.write_bytes(content.encode("latin-1") + b"odd\n")
    assert "1 of 61 rows cannot be used: 1 with 1 cell instead of 2 (line 62)" in tell(*read)
    assert "teacher 'absent'" in tell(*read, "--drop-bad-rows")
    rows.write_bytes(content.encode("latin-1") + b'"odd" one;no\n')
    assert "--quoting none" in tell(*read)
    assert "teacher 'absent'" in tell(*read, "--quoting", "none")


def test_what_flags_may_hold(tell: Tell, rows: Path, teacher: Path) -> None:
    words = ["--encoding", "latin-99", "--separator", ";;", "--quoting", "cvs", "--labels", "class"]
    for line in (["tune", *own(rows)], ["evaluate", str(teacher), *own(rows)], ["analyse", str(teacher), *own(rows)]):
        said = tell(*line, *words)
        assert len(said.splitlines()) == 4
        assert "unknown encoding 'latin-99'" in said
        assert "unknown quoting 'cvs': did you mean 'csv'?" in said
        assert "unknown kind of labels 'class': did you mean 'classes'?" in said
    assert "unknown encoding" in tell("predict", str(teacher), str(rows), "--encoding", "latin-99")
    assert "are of your own files, not of 'sample'" in tell(
        "tune", "--task", "rte", "--data", "sample", "--labels", "number"
    )


def test_predict_reads_tables(rows: Path) -> None:
    rows.write_text("a;b\n1;2\n")
    with pytest.raises(UserError, match="separated by ';'"):
        read_rows(rows, 2, ("a", "b"))
    assert read_rows(rows, 2, ("a", "b"), reading_of(None, ";")) == [["1", "2"]]


def test_texts_beside_the_data_may_be_tables(tmp_path: Path) -> None:
    lines = [{"id": i, "claim": f"c {i}", "premise": f"p {i}"} for i in range(3)]
    (tmp_path / "u.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "c.csv").write_text("premise;claim\np;c\n;\n")
    found = Beside(str(tmp_path / "c.csv"), str(tmp_path / "u.jsonl"), reading=ReadOptions(separator=";")).read(OWN)
    assert found.unlabelled is not None
    assert found.corpus is not None
    assert found.unlabelled.texts == (("p 0", "c 0"), ("p 1", "c 1"), ("p 2", "c 2"))
    assert set(found.unlabelled.labels) == {-100}
    assert found.corpus.texts == (("p", "c"),)
    assert found.notes == (f"1 row of {tmp_path / 'c.csv'} with an empty text left out",)
    with pytest.raises(UserError) as caught:
        Beside(str(tmp_path / "c.csv"), str(tmp_path / "none")).read(OWN)
    assert len(caught.value.problems) == 2
    with pytest.raises(UserError, match="takes no corpus: answers lie in its texts"):
        Beside(str(tmp_path / "c.csv")).read(find("squad"))
    assert beside_of("a", None, None, None, None, reading_of("latin-1", None)).reading.encoding == "latin-1"


def test_the_general_stage_reads_tables(tmp_path: Path, home: Path) -> None:
    (tmp_path / "t.csv").write_text("id,body\n1,w1\n")
    with pytest.raises(UserError) as caught:
        pretrain(str(tmp_path / "t.csv"), teacher="absent", student="cut:1")
    assert "has 2 columns (id, body), none of them called text" in str(caught.value)
    with pytest.raises(UserError) as caught:
        pretrain(str(tmp_path / "t.csv"), teacher="absent", student="cut:1", text_column="body")
    assert "teacher 'absent'" in str(caught.value)
    with pytest.raises(UserError, match="unknown encoding 'x'"):
        pretrain(str(tmp_path / "t.csv"), teacher="absent", student="cut:1", reading=ReadOptions(encoding="x"))
