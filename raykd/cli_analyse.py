"""The command that looks at saved students beside their teacher."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from raykd.cli_data import DropBadRows, Encoding, LabelMap, Labels, Quoting, Separator, SplitSeed, reading_of, source_of
from raykd.terminal import terminal


def analyse(
    students: Annotated[list[Path], typer.Argument(help="folders of saved students of one task and one teacher")],
    teacher: Annotated[str | None, typer.Option(help="folder or hub name; default: the one they learned from")] = None,
    label_map: LabelMap = None,
    task: Annotated[str | None, typer.Option(help="default: the one they were made for")] = None,
    data: Annotated[str, typer.Option(help="'hub', 'sample', a GLUE or SQuAD folder, or your own file")] = "hub",
    out: Annotated[
        Path | None, typer.Option(help="folder for numbers and pictures, or one page FILE.html; default: in raykd-runs")
    ] = None,
    split_seed: SplitSeed = 0,
    max_eval_samples: Annotated[int | None, typer.Option(min=1, help="so many dev rows, drawn evenly")] = None,
    dev_file: Annotated[str | None, typer.Option(help="dev file beside your own train file")] = None,
    text_columns: Annotated[str | None, typer.Option(help="text column(s) of your own files")] = None,
    label_column: Annotated[str | None, typer.Option(help="label column of your own files")] = None,
    encoding: Encoding = None,
    separator: Separator = None,
    quoting: Quoting = "csv",
    labels: Labels = None,
    drop_bad_rows: DropBadRows = False,
) -> None:
    """Compare saved students with their teacher: restoration, loyalty, CKA of all layers, relations."""
    from raykd.analyse import analyse as run
    from raykd.analyse import check_out
    from raykd.report import analysis_page
    from raykd.workspace import here

    console = terminal()
    reading = reading_of(encoding, separator, quoting, drop_bad_rows, labels)
    source = source_of(
        data, dev_file, text_columns, label_column, None, max_eval_samples, reading=reading, split_seed=split_seed
    )
    inputs: dict[str, str | Path | None] = {"teacher": teacher, **source.paths}
    inputs |= {f"student {number}": student for number, student in enumerate(students, start=1)}
    target = None if out is None else check_out(out, inputs)

    def check(used: Path) -> None:
        if out is not None:
            check_out(out, {"teacher": used})

    found = run(
        students,
        source,
        task=task,
        teacher=teacher,
        label_map=label_map,
        say=partial(console.print, markup=False),
        check=check,
    )
    console.print(*analysis_page.tables(found), sep="\n")
    for file in analysis_page.save(found, target or here().root / "analyses" / found[0].task):
        console.print(f"written: {file}", markup=False)


def register(app: typer.Typer) -> None:
    """Add the command of this file to `app`."""
    app.command()(analyse)
