"""The flags about data files, and the values that they become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykd.errors import UserError

if TYPE_CHECKING:
    from raykd.tasks.read_options import ReadOptions

Data = Annotated[str, typer.Option(help="'hub', 'sample', a folder (GLUE, SQuAD, datasets), or your own file")]
DevFile = Annotated[str | None, typer.Option(help="dev file beside your own train file; default: a tenth of it")]
TextColumns = Annotated[str | None, typer.Option(help="text column(s) of your own files, e.g. premise,hypothesis")]
LabelColumn = Annotated[str | None, typer.Option(help="label column of your own files")]
MaxTrain = Annotated[int | None, typer.Option(min=1, help="so many training rows, drawn evenly")]
MaxEval = Annotated[int | None, typer.Option(min=1, help="so many dev rows, drawn evenly")]
Encoding = Annotated[str | None, typer.Option(help="of text files, e.g. latin-1, cp1252, utf-16; default: UTF-8")]
Separator = Annotated[
    str | None, typer.Option(help="between cells, e.g. ';' or tab; default: a comma in .csv, a tab in .tsv")
]
Quoting = Annotated[
    str, typer.Option(help="csv: cells within quotation marks, doubled ones inside; none: plain characters")
]
DropBadRows = Annotated[
    bool, typer.Option("--drop-bad-rows", help="leave out rows that cannot be used, count and list them")
]
Labels = Annotated[
    str | None, typer.Option(help="classes (every spelling is one) or number (a score); default: guessed, and said")
]
SplitSeed = Annotated[int, typer.Option(min=0, help="decides which rows are held out; the same for all runs")]
LabelMap = Annotated[
    str | None, typer.Option(help="class of each output of the teacher, if in another order, e.g. 0=world,1=sport")
]
TaskName = Annotated[str | None, typer.Option(help="name of your own task; default: its file and a hash of its rows")]


def columns_of(text: str | None) -> tuple[str, ...]:
    """Column names from ``a,b`` or ``a, b``."""
    return tuple(name.strip() for name in text.split(",")) if text else ()


def reading_of(
    encoding: str | None,
    separator: str | None,
    quoting: str = "csv",
    drop_bad_rows: bool = False,
    labels: str | None = None,
) -> ReadOptions:
    """The flags about how files are written as one value. UserError for one that is not allowed."""
    from raykd.tasks.read_options import ReadOptions

    options = ReadOptions(encoding, separator, quoting, drop_bad_rows, labels)
    if problems := options.problems():
        raise UserError(*problems)
    return options


def source_of(
    data: str,
    dev: str | None,
    texts: str | None,
    label: str | None,
    train: int | None,
    most: int | None,
    stride: int | None = None,
    reading: ReadOptions | None = None,
    split_seed: int = 0,
    task_name: str | None = None,
) -> Any:
    """The flags about data as one value."""
    from raykd.tasks.read_options import ReadOptions
    from raykd.tasks.source import Source

    label = label.strip() if label else label
    return Source(
        data, dev, columns_of(texts), label, train, most, stride, reading or ReadOptions(), split_seed, task_name
    )


def beside_of(
    corpus: str | None,
    unlabelled: str | None,
    attempts: int | None,
    model: str | None,
    vectors: str | None,
    reading: ReadOptions,
) -> Any:
    """The flags about texts beside the data as one value."""
    from raykd.augment.settings import Augmentation
    from raykd.beside import Beside

    if attempts is None and (model or vectors):
        raise UserError("augment-with and augment-vectors say how --augment N varies the rows: give it too")
    augmentation = None if attempts is None else Augmentation(masked_lm=model, vectors=vectors, attempts=attempts)
    return Beside(corpus, unlabelled, augmentation, reading)
