"""The commands that put a saved student to work: its scores on other rows, and its answers."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from raykd import listing
from raykd.cli_data import (
    Data,
    DevFile,
    DropBadRows,
    Encoding,
    LabelColumn,
    Labels,
    MaxEval,
    Quoting,
    Separator,
    SplitSeed,
    TextColumns,
    columns_of,
    reading_of,
    source_of,
)
from raykd.errors import UserError, together
from raykd.paths import expand_home
from raykd.terminal import terminal


def evaluate(
    student: Annotated[Path, typer.Argument(help="folder of a saved student")],
    task: Annotated[str | None, typer.Option(help="default: the one it was made for")] = None,
    data: Data = "hub",
    split_seed: SplitSeed = 0,
    max_eval_samples: MaxEval = None,
    dev_file: DevFile = None,
    text_columns: TextColumns = None,
    label_column: LabelColumn = None,
    encoding: Encoding = None,
    separator: Separator = None,
    quoting: Quoting = "csv",
    labels: Labels = None,
    drop_bad_rows: DropBadRows = False,
) -> None:
    """Score a saved student on a task's dev split(s)."""
    from raykd.answer import evaluate as run

    reading = reading_of(encoding, separator, quoting, drop_bad_rows, labels)
    source = source_of(
        data, dev_file, text_columns, label_column, None, max_eval_samples, reading=reading, split_seed=split_seed
    )
    scores = run(expand_home(student), source, task=task, say=partial(terminal().print, markup=False))
    terminal().print(listing.scores_text(scores))


def predict(
    student: Annotated[Path, typer.Argument(help="folder of a saved student")],
    file: Annotated[
        Path | None,
        typer.Argument(
            help="a text a line, a pair (or question and context) tab-separated, or a table; default: stdin"
        ),
    ] = None,
    text_columns: TextColumns = None,
    encoding: Encoding = None,
    separator: Separator = None,
    quoting: Quoting = "csv",
) -> None:
    """Answer new texts, one JSON object a line."""
    from raykd.answer import predict as run
    from raykd.card import read_card

    folder, path = expand_home(student), None if file is None else expand_home(file)
    reading = reading_of(encoding, separator, quoting)
    together([lambda: read_card(folder), lambda: _check_file(path)])
    names = columns_of(text_columns) or read_card(folder).task.text_names
    for answer in run(folder, listing.read_rows(path, len(names) or None, names, reading)):
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")


def _check_file(path: Path | None) -> None:
    if path is not None and not path.is_file():
        raise UserError(f"no such file: {path}")


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    for command in (evaluate, predict):
        app.command()(command)
