"""The standard GLUE layout: the real files, and small broken ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from raykd.errors import UserError
from raykd.tasks.load import Columns, ReadOptions, load

SIZES = {  # rows of train and dev
    "cola": (8551, 1043),
    "sst2": (67349, 872),
    "mrpc": (3667, 408),
    "stsb": (5749, 1500),
    "rte": (2490, 277),
    "wnli": (635, 71),
}


@pytest.mark.parametrize(("name", "sizes"), SIZES.items())
def test_sizes_of_the_real_files(shared: Path, name: str, sizes: tuple[int, int]) -> None:
    data = load(name, str(shared / "data" / "glue"))
    assert (len(data.train), len(data.dev["dev"])) == sizes
    assert [note for note in data.notes if "train" not in note and "dev" not in note] == []
    assert f"train: {sizes[0]:,} rows" in data.notes[0]
    assert len(data.train.texts[0]) == len(data.task.texts)
    assert data.source == f"glue folder {shared / 'data' / 'glue' / data.task.folder}"


def test_real_rows_are_read_to_the_letter(shared: Path) -> None:
    root = shared / "data" / "glue"
    mrpc = load("mrpc", str(root))  # begins with a byte-order mark, holds unbalanced quotation marks
    assert mrpc.train.labels[:2] == (1, 0)
    assert mrpc.train.texts[0][0].startswith('Amrozi accused his brother , whom he called " the witness " ,')
    assert sum(text.count('"') % 2 for pair in mrpc.train.texts for text in pair) > 0
    cola = load("cola", str(root))  # has no header
    assert cola.train.texts[0] == ("Our friends won't buy this analysis, let alone the next one we propose.",)
    rte = load("rte", str(root / "RTE"))  # the task's own folder
    assert rte.train.labels[:2] == (1, 0)  # not_entailment, entailment
    assert rte.fingerprint == load("rte", str(root)).fingerprint
    stsb = load("stsb", str(root))
    assert stsb.train.labels[:2] == (5.0, 3.8)
    assert all(0 <= label <= 5 for label in stsb.train.labels)


def test_some_rows_only(shared: Path) -> None:
    whole = load("sst2", str(shared / "data" / "glue"))
    some = load("sst2", str(shared / "data" / "glue"), max_train=8000, max_dev=100)
    assert (len(some.train), len(some.dev["dev"])) == (8000, 100)
    assert set(some.train.texts) <= set(whole.train.texts)
    assert abs(sum(some.train.labels) / 8000 - sum(whole.train.labels) / 67_349) < 1e-4
    assert some.notes[:2] == (
        "8,000 of 67,349 rows of train drawn, every class in proportion",
        "100 of 872 rows of dev drawn, every class in proportion",
    )
    assert some.fingerprint != whole.fingerprint


def test_absent_files_and_folders_are_named_with_what_is_there(shared: Path, tmp_path: Path) -> None:
    root = shared / "data" / "glue"
    with pytest.raises(UserError, match=r"QNLI has no train.tsv \(there: dev.tsv\)"):
        load("qnli", str(root))
    with pytest.raises(UserError, match=r"no folder MNLI \(there: CoLA/, MRPC/"):
        load("mnli", str(root))
    with pytest.raises(UserError, match=r"no such file or folder: .*/nowhere"):
        load("rte", str(tmp_path / "nowhere"))


def _rte(folder: Path, rows: list[str], dev: list[str] | None = None) -> str:
    folder.mkdir(exist_ok=True)
    header = "index\tsentence1\tsentence2\tlabel\n"
    (folder / "train.tsv").write_text(header + "".join(row + "\n" for row in rows), encoding="utf-8")
    good = ["0\ta\tb\tentailment", "1\ta\tc\tnot_entailment"]
    (folder / "dev.tsv").write_text(header + "".join(row + "\n" for row in dev or good), encoding="utf-8")
    return str(folder)


GOOD = [f"{i}\ta {i}\tb\t{'not_' * (i % 2)}entailment" for i in range(200)]


def test_unicode_line_separators_and_carriage_returns_do_not_split_rows(tmp_path: Path) -> None:
    data = load("rte", _rte(tmp_path / "RTE", ["0\ta\u2028b\x85c\td\tentailment\r", *GOOD]))
    assert data.train.texts[0] == ("a\u2028b\x85c", "d")
    assert len(data.train) == 201


def test_rows_with_another_number_of_cells_are_refused_or_dropped_and_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYKD_HOME", str(tmp_path / "home"))
    folder = _rte(tmp_path / "RTE", [*GOOD, "200\tonly"])
    with pytest.raises(UserError, match=r"1 of 201 rows cannot be used: 1 with 2 cells instead of 4 \(line 202\)"):
        load("rte", folder)
    data = load("rte", folder, options=ReadOptions(drop_bad_rows=True))
    assert len(data.train) == 200
    assert "1 of 201 rows" in data.notes[0]
    assert "dropped: 1 with 2 cells instead of 4 (line 202); listed in" in data.notes[0]


def test_empty_texts_are_dropped_and_counted(tmp_path: Path) -> None:
    data = load("rte", _rte(tmp_path / "RTE", [*GOOD, "200\t \tb\tentailment"]))
    assert len(data.train) == 200
    assert data.notes[0] == f"1 row of {tmp_path}/RTE/train.tsv with an empty text dropped (line 202)"
    with pytest.raises(UserError, match="no row is left, all 2 have an empty text"):
        load("rte", _rte(tmp_path / "RTE", ["0\t\tb\tentailment", "1\ta\t\tentailment"]))


def test_quotation_marks_are_characters_in_a_glue_folder_alone(tmp_path: Path) -> None:
    folder = _rte(tmp_path / "RTE", [*GOOD, '200\t"he said ""hi"" to me"\t"b\tentailment'])
    data = load("rte", folder)
    assert data.train.texts[-1] == ('"he said ""hi"" to me"', '"b')
    assert any("1 cells of" in note and "look quoted, as pandas writes them" in note for note in data.notes)
    own = Columns(("sentence1", "sentence2"), "label")
    with pytest.raises(UserError, match="line 202: malformed quoting"):
        load("rte", folder, columns=own)
    folder = _rte(tmp_path / "RTE", [*GOOD, '200\t"he said ""hi"" to me"\tb\tentailment'])
    assert load("rte", folder, columns=own).train.texts[-1] == ('he said "hi" to me', "b")


def test_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    bad = [*GOOD, "1\ta\tb\tmaybe"]
    with pytest.raises(UserError) as caught:
        load("rte", _rte(tmp_path / "RTE", bad, ["0\ta\tb\t7"]))
    assert len(caught.value.problems) == 2
    allowed = "an unknown value in column 'label' (allowed: entailment, not_entailment, 0, 1): 'maybe' (line 202)"
    assert allowed in str(caught.value)
    assert "'7'" in caught.value.problems[1]


def test_one_class_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="all 1 rows have the same label, class 'entailment'"):
        load("rte", _rte(tmp_path / "RTE", GOOD[:1]))
    with pytest.raises(UserError, match=r"train\.tsv holds no rows"):
        load("rte", _rte(tmp_path / "RTE", []))
    (tmp_path / "RTE" / "train.tsv").write_text("")
    with pytest.raises(UserError, match=r"train\.tsv is empty"):
        load("rte", str(tmp_path))
