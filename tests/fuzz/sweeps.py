"""Folders of sweeps that were damaged before somebody goes on with them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.case import Case, Entry, Folder, Link, Pipe
from tests.fuzz.sound import sweep_files
from tests.fuzz.values import as_json, changed, damaged, odd_words

SOUND = sweep_files()
STRANGE: tuple[Entry, ...] = (Folder(), Link("nowhere"), Link("sweep.json"), Link("/dev/null"), Pipe())


@st.composite
def _file(draw: st.DrawFn, content: bytes) -> Entry | None:
    """One file: absent, something else, damaged, or with other values."""
    how = draw(st.integers(0, 9))
    if how == 0:
        return None
    if how == 1:
        return draw(st.sampled_from(STRANGE))
    if how <= 3:
        return draw(damaged(content))
    value: Any = json.loads(content)
    if how == 4:
        return content
    odd = st.sampled_from(
        [
            None,
            "",
            0,
            -1,
            1e400,
            "x",
            [],
            {},
            "../..",
            "\x00",
            "\ud800",
            "[/x]",
            True,
            10**30,
            "kdd",
            "span",
            ["a"],
            {"a": 1},
        ]
    )
    return as_json(draw(changed(value, most=3, odd=odd)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A sweep that is named, or the newest of a task among several."""
    files: dict[str, Entry] = {}
    for name in draw(st.sampled_from([["s"], ["s"], ["s", "t"]])):
        for file, content in SOUND.items():
            entry = draw(_file(content)) if name == "s" or draw(st.booleans()) else content
            if entry is not None:
                files[f"home/sweeps/{name}/{file}"] = entry
    if draw(st.integers(0, 20)) == 0:
        files = {"home/sweeps": b"", "home/x": b""} if draw(st.booleans()) else {"home": b""}
    words = [
        "tune",
        "--task",
        draw(st.sampled_from(["custom", "custom", "custom", "rte"])),
        draw(st.sampled_from(["--resume", "--resume", "--resume", "--continue"])),
    ]
    if draw(st.booleans()):
        words += ["--name", draw(st.sampled_from(["s", "s", "s", "t", "none", "..", ".", "s/", "S"]))]
    if draw(st.integers(0, 9)) == 0:
        words += ["--method", draw(odd_words())]
    if draw(st.integers(0, 9)) == 0:
        words += ["--time-budget", draw(st.sampled_from(["0", "-1", "nan", "x", "5"]))]
    return Case(tuple(words), files)
