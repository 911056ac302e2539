"""Outputs over inputs, over a person's files, over raykd's own and what was raykd's once: all commands that write."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from raykd.manifest import stamp_page, write_manifest
from tests.fuzz.base import OWN
from tests.fuzz.case import Case, Entry, Folder, Link
from tests.fuzz.sound import sweep_files, teacher_files

QUICK = ("--batch-size", "8")
DATA = ("../base/rows.csv", "../base/rows.csv", "data/rows.csv", "data", "link/rows.csv")
TEACHERS = ("../base/teacher", "../base/teacher", "T", "T", "link/T", "T/../T", "./T")
TEXTS = ("../base/texts.txt", "texts/texts.txt", "texts", "link/texts")
OUTS = (
    *("T", "./T", "T/", "T/x", "T/x/y", "a/../T", "link", "link/T", "link/new", "to-T", "to-nowhere", "to-file"),
    *("made", "made", "made", "./made", "made/x", "link/made", "to-made", "made-2", "proj", "proj/new", "proj/src"),
    *("data", "data/rows.csv", "data/new", "texts", "texts/x", "texts/texts.txt", "empty", "empty", "new", "new/deep"),
    *("home", "home/teachers", "home/teachers/x", "home/students", "home/students/made", "home/cache", "home/cache/x"),
    *("home/sweeps", "home/sweeps/s", "home/sweeps/s/champion", "home/mlflow.db", "home/models", "home/analyses"),
    *("..", ".", "/", "~", "~/made", "~nobody-at-all", "../base", "../base/teacher", "../base/teacher/x", "../case"),
    *("../base/sweep/x", "", "x" * 250, "x\n", "é", "page.html", "made.html", "to-page.html", "new.html", "T/p.html"),
    *("home/sweeps/s/report.html", "data/rows.csv/x", ".raykd-x", "-x"),
)
PERSONS: tuple[Entry, ...] = (b"years of work", b"", Folder(), Link("nowhere"), Link("../T"))
PLACES = ("made", "made/src", "made/notes.txt", "new", "new/x", "empty/notes.txt", "proj/more", "T/notes.txt", "é")


@cache
def made_files(command: str) -> dict[str, bytes]:
    """A folder that raykd has made, by file name."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "made")
        folder.mkdir()
        for name in ("config.json", "model.safetensors"):
            (folder / name).write_text(f"former {command}")
        name = "analysis.json" if command == "analyse" else "raykd.json"
        write_manifest(folder, {"command": command}, name)
        return {file.name: file.read_bytes() for file in folder.iterdir()}


@st.composite
def _changes(draw: st.DrawFn) -> dict[str, Entry]:
    """What a person did to the folder that raykd made."""
    how = draw(st.sampled_from(["none", "none", "none", "add", "edit", "card", "folder", "link", "deep"]))
    added: dict[str, dict[str, Entry]] = {
        "none": {},
        "add": {"made/notes.txt": b"years"},
        "edit": {"made/config.json": b"edited"},
        "card": {"made/raykd.json": draw(st.sampled_from([b"{}", b"", b"[]", b'{"spec": {}}', b'{"files": {}}']))},
        "folder": {"made/src": Folder()},
        "link": {"made/link": Link("../T")},
        "deep": {"made/a/b/c": b"years"},
    }
    return added[how]


@st.composite
def _files(draw: st.DrawFn, kind: str) -> dict[str, Entry]:
    command = draw(st.sampled_from([kind, kind, "teach", "distill", "pretrain", "analyse"]))
    rows = b"text,label\n" + b"".join(f"w{n % 7} w{n % 5},{('no', 'yes')[n % 2]}\n".encode() for n in range(40))
    files: dict[str, Entry] = {f"T/{name}": content for name, content in teacher_files().items()}
    if draw(st.booleans()):
        del files["T/raykd.json"]
    files |= {f"made/{name}": content for name, content in made_files(command).items()}
    files |= draw(_changes())
    files |= {"data/rows.csv": rows, "texts/texts.txt": b"w1 w2\nw3 w4\n", "empty": Folder()}
    files |= {"proj/config.json": b'{"name": "my app"}', "proj/src/thesis.txt": b"years"}
    files |= {"link": Link("."), "to-T": Link("T"), "to-made": Link("made"), "to-nowhere": Link("nowhere")}
    files |= {"to-file": Link("data/rows.csv"), "page.html": b"<head></head>mine", "to-page.html": Link("page.html")}
    files["made.html"] = stamp_page("<head></head>raykd's") + draw(st.sampled_from([b"", b"", b"edited"]))
    files |= {f"home/sweeps/s/{name}": content for name, content in sweep_files().items()}
    for name in draw(
        st.lists(st.sampled_from(["home/students/custom-kd", "home/teachers/custom", "made-2"]), max_size=2)
    ):
        files[f"{name}/thesis.txt"] = b"years"
    if draw(st.booleans()):
        files |= {f"home/students/general-minilmv2/{name}": content for name, content in made_files("pretrain").items()}
    return files


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A line that would end well, to somewhere; and what somebody does while it trains."""
    data = ("--data", draw(st.sampled_from(DATA)), *OWN)
    teacher = ("--teacher", draw(st.sampled_from(TEACHERS)))
    texts = draw(st.sampled_from(TEXTS))
    lines: dict[str, tuple[str, ...]] = {
        "teach": ("teach", *data, *teacher, *QUICK),
        "distill": ("distill", *data, *teacher, "--student", draw(st.sampled_from(["cut:1", "T", "to-T"])), *QUICK),
        "texts": ("distill", *data, *teacher, "--student", "cut:1", "--unlabelled", texts, *QUICK),
        "dev": ("teach", *data, *teacher, "--dev-file", draw(st.sampled_from(DATA)), *QUICK),
        "pretrain": ("pretrain", texts, *teacher, "--student", "cut:1", *QUICK),
        "report": ("report", "s"),
        "fetch": ("submit", "--address", "127.0.0.1:9"),
    }
    kind = draw(
        st.sampled_from(["teach"] * 4 + ["distill"] * 4 + ["pretrain"] * 3 + ["report", "fetch", "texts", "dev"])
    )
    words = lines[kind]
    if draw(st.integers(0, 9)):
        words = (*words, "--fetch" if kind == "fetch" else "--out", draw(st.sampled_from(OUTS)))
    if kind == "fetch":
        words = (*words, "--", "tune", "--task", "custom", *data[:2])
    happens = st.dictionaries(st.sampled_from(PLACES), st.sampled_from(PERSONS), max_size=2)
    case = Case(words, draw(_files(kind)), trains=True)
    return replace(case, meanwhile=draw(happens) if draw(st.booleans()) else {})
