"""A resume says whether the file that the sweep was started with still holds the same rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from raykd.search.changed_rows import warn_of_changed_rows
from raykd.search.request import SweepRequest
from raykd.search.spec import SweepSpec
from raykd.tasks.source import Source

ROWS = "text,label\n" + "".join(f"w{n} w{n % 7},{'no' if n % 2 else 'yes'}\n" for n in range(60))


@pytest.fixture
def started(spec: SweepSpec, tmp_path: Path) -> SweepSpec:
    """A sweep on a file."""
    file = tmp_path / "rows.csv"
    file.write_text(ROWS)
    data = Source(str(file), None, ("text",), "label").load("custom")
    request = SweepRequest.of_arguments(
        task="custom", data=str(file), text_columns=("text",), label_column="label", student=()
    )
    return spec.model_copy(update={"request": request, "fingerprint": data.fingerprint})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (ROWS, ""),
        (ROWS + "w1 w2,no\n", "rows.csv' has changed since: sweep"),
        (ROWS.replace("w3 w3,no", "w3 w3,yes"), "has changed since"),
        ("text\n", "cannot be read any more"),
        (None, ""),
    ],
)
def test_it_is_compared(started: SweepSpec, tmp_path: Path, content: str | None, words: str) -> None:
    file = tmp_path / "rows.csv"
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    said: list[str] = []
    warn_of_changed_rows(started, said.append)
    assert len(said) == bool(words)
    assert all(words in line and "goes on with the rows that it was started with" in line for line in said)


def test_an_earlier_version_does_not_say(spec: SweepSpec) -> None:
    said: list[str] = []
    warn_of_changed_rows(spec.model_copy(update={"request": None}), said.append)
    assert said == []
