"""The command line: one function a command; reads, calls, prints; no logic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from raykd import cli_analyse, cli_answer, cli_cluster, cli_report, cli_repro, listing
from raykd.cli_data import (
    Data,
    DevFile,
    DropBadRows,
    Encoding,
    LabelColumn,
    LabelMap,
    Labels,
    MaxEval,
    MaxTrain,
    Quoting,
    Separator,
    SplitSeed,
    TaskName,
    TextColumns,
    beside_of,
    reading_of,
    source_of,
)
from raykd.endings import Commands, end_by
from raykd.errors import UserError
from raykd.progress import show_progress
from raykd.resume_line import remember
from raykd.start import begin
from raykd.terminal import terminal

app = typer.Typer(
    cls=Commands, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=listing.ABOUT
)
console = terminal()

TaskOption = Annotated[str, typer.Option("--task", help="a GLUE task, squad, squad_v2, or 'custom' for your own data")]
Teacher = Annotated[
    str | None, typer.Option(help="folder or hub name; an encoder without a classifier is taught first")
]
Student = Annotated[
    str | None, typer.Option(help="cut:3, cut:3:first, cut:2,4,6, build:4/312/12, a folder, a hub name")
]
HeadOption = Annotated[str, typer.Option("--head", help="head of a cut student: fresh, or its teacher's")]
Epochs = Annotated[float | None, typer.Option(help="passes over the training data; fixes it where a space searches it")]
Seed = Annotated[int, typer.Option(help="of everything random")]
MaxLength = Annotated[int | None, typer.Option(help="tokens a row is cut to, or of a window of a context")]
DocStride = Annotated[int | None, typer.Option(help="tokens that windows of a context share; default: a third")]
Corpus = Annotated[str | None, typer.Option(help="texts to retrieve neighbours from: lines, a table, or a folder")]
Unlabelled = Annotated[str | None, typer.Option(help="more texts to learn from, by the teacher's answers alone")]
Augment = Annotated[int | None, typer.Option(min=1, help="vary the training rows: attempts a text, e.g. 20")]
AugmentWith = Annotated[str | None, typer.Option(help="masked language model for it; default: the encoder")]
AugmentVectors = Annotated[str | None, typer.Option(help="GloVe file for it; default: the model's embeddings")]
Set = Annotated[list[str] | None, typer.Option("--set", help="name=value of the method, e.g. alpha=0.7; repeat")]


@app.command()
def tune(
    task: TaskOption,
    data: Data = "hub",
    teacher: Teacher = None,
    student: Annotated[
        list[str] | None, typer.Option(help="as for distill; repeat it, and the students are searched")
    ] = None,
    head: HeadOption = "fresh",
    label_map: LabelMap = None,
    method: Annotated[str | None, typer.Option(help="search this method's space; see raykd methods")] = None,
    space: Annotated[str | None, typer.Option(help="a shipped space or a YAML file; see raykd spaces")] = None,
    trials: Annotated[int, typer.Option(help="trials, the baseline not counted")] = 20,
    sampler: Annotated[str, typer.Option(help="tpe, random, grid, qmc, gp or cmaes")] = "tpe",
    select_on: Annotated[
        str, typer.Option(help="held-out (a tenth of train; dev reports) or dev, as in the papers")
    ] = "held-out",
    pruner: Annotated[str, typer.Option(help="halving (ASHA), paired (tests example by example) or none")] = "halving",
    grace: Annotated[int | None, typer.Option(help="evaluations before a trial may be stopped")] = None,
    reduction: Annotated[int | None, typer.Option(help="of so many trials one goes on at each rung")] = None,
    max_epochs_total: Annotated[
        float | None, typer.Option(help="epochs of all trials together after which the search starts no other")
    ] = None,
    finalists: Annotated[int, typer.Option(help="configurations that run again on fresh seeds; 0: none")] = 3,
    final_seeds: Annotated[int, typer.Option(help="fresh seeds of each")] = 3,
    extend: Annotated[int | None, typer.Option(help="with --resume: so many trials more")] = None,
    warm_start: Annotated[
        bool, typer.Option("--warm-start", help="try first what was best in earlier sweeps, as MLflow has them")
    ] = False,
    aim: Annotated[
        str | None, typer.Option(help="what is best, e.g. 'accuracy>=0.9*teacher, min latency'; default: max metric")
    ] = None,
    time_budget: Annotated[
        float | None,
        typer.Option(help="seconds for all, the search ending early enough for finals; --resume goes on"),
    ] = None,
    cache_budget: Annotated[
        str | None, typer.Option(help="disk for what the teacher says, e.g. 20GB; default: half of what is free")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Ray cluster: auto or HOST:PORT; default: this machine")] = None,
    wait_for_nodes: Annotated[float, typer.Option(help="seconds for a cluster to grow until a trial fits")] = 0.0,
    concurrency: Annotated[int | None, typer.Option(help="trials at once; default: what the hardware holds")] = None,
    workers_per_trial: Annotated[int, typer.Option(help="training workers of a trial (DDP)")] = 1,
    gpus_per_worker: Annotated[
        float | None, typer.Option(help="GPUs of a worker; default: 1 where there are any")
    ] = None,
    epochs: Epochs = None,
    seed: Seed = 1,
    split_seed: SplitSeed = 0,
    task_name: TaskName = None,
    max_train_samples: MaxTrain = None,
    max_eval_samples: MaxEval = None,
    dev_file: DevFile = None,
    text_columns: TextColumns = None,
    label_column: LabelColumn = None,
    encoding: Encoding = None,
    separator: Separator = None,
    quoting: Quoting = "csv",
    labels: Labels = None,
    drop_bad_rows: DropBadRows = False,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the sweep --name, or the task's newest")] = False,
    continue_: Annotated[
        bool, typer.Option("--continue", help="start the sweep --name, or go on with it: for a job that is retried")
    ] = False,
    tracking_uri: Annotated[str | None, typer.Option(help="of MLflow; default: a SQLite file here")] = None,
    study_uri: Annotated[str | None, typer.Option(help="database of the Optuna study; default: SQLite here")] = None,
    name: Annotated[str | None, typer.Option(help="of the sweep; default: task-method-n")] = None,
    max_length: MaxLength = None,
    doc_stride: DocStride = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what it will cost, and stop there")] = False,
    corpus: Corpus = None,
    unlabelled: Unlabelled = None,
    augment: Augment = None,
    augment_with: AugmentWith = None,
    augment_vectors: AugmentVectors = None,
) -> None:
    """Search for the best student of a task: the product in one line."""
    from raykd.search.how import How
    from raykd.search.last_words import print_last_words
    from raykd.search.launch import tune as run
    from raykd.search.result import print_result

    reading = reading_of(encoding, separator, quoting, drop_bad_rows, labels)
    most = (max_train_samples, max_eval_samples)
    result = run(
        task,
        source_of(data, dev_file, text_columns, label_column, *most, doc_stride, reading, split_seed, task_name),
        method=method,
        space=space,
        teacher=teacher,
        student=student,
        head=head,
        label_map=label_map,
        how=How(
            trials,
            sampler,
            select_on,
            pruner,
            grace,
            reduction,
            max_epochs_total,
            finalists,
            final_seeds,
            extend,
            warm_start,
            aim,
        ),
        epochs=epochs,
        seed=seed,
        time_budget=time_budget,
        cache_budget=cache_budget,
        address=address,
        wait_for_nodes=wait_for_nodes,
        concurrency=concurrency,
        workers_per_trial=workers_per_trial,
        gpus_per_worker=gpus_per_worker,
        tracking_uri=tracking_uri,
        study_uri=study_uri,
        name=name,
        resume=resume,
        continue_=continue_,
        max_length=max_length,
        dry_run=dry_run,
        beside=beside_of(corpus, unlabelled, augment, augment_with, augment_vectors, reading),
        console=console,
        show=lambda found: print_result(found, console),
    )
    if result is not None:
        raise typer.Exit(print_last_words(result, console))


@app.command()
def teach(
    task: TaskOption,
    data: Data = "hub",
    teacher: Teacher = None,
    out: Annotated[Path | None, typer.Option(help="folder to save it in; default: raykd-runs/teachers/<task>")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="peak of AdamW's learning rate")] = None,
    batch_size: Annotated[int | None, typer.Option(help="sentences a step")] = None,
    max_length: MaxLength = None,
    epochs: Epochs = None,
    seed: Seed = 1,
    split_seed: SplitSeed = 0,
    task_name: TaskName = None,
    max_train_samples: MaxTrain = None,
    max_eval_samples: MaxEval = None,
    dev_file: DevFile = None,
    text_columns: TextColumns = None,
    label_column: LabelColumn = None,
    encoding: Encoding = None,
    separator: Separator = None,
    quoting: Quoting = "csv",
    labels: Labels = None,
    drop_bad_rows: DropBadRows = False,
    doc_stride: DocStride = None,
) -> None:
    """Fine-tune a teacher."""
    from raykd.api import teach as run

    reading = reading_of(encoding, separator, quoting, drop_bad_rows, labels)
    most = (max_train_samples, max_eval_samples)
    source = source_of(data, dev_file, text_columns, label_column, *most, doc_stride, reading, split_seed, task_name)
    settings = {"learning_rate": learning_rate, "batch_size": batch_size, "max_length": max_length, "epochs": epochs}
    folder, scores = run(task, source, teacher=teacher, out=out, console=console, seed=seed, **settings)
    console.print(f"teacher: {folder}  {listing.scores_text(scores)}", markup=False)


@app.command()
def distill(
    task: TaskOption,
    data: Data = "hub",
    teacher: Teacher = None,
    student: Student = None,
    head: HeadOption = "fresh",
    label_map: LabelMap = None,
    method: Annotated[str, typer.Option(help="see raykd methods")] = "kd",
    set_: Set = None,
    out: Annotated[Path | None, typer.Option(help="folder to save the student in")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="peak of AdamW's learning rate")] = None,
    batch_size: Annotated[int | None, typer.Option(help="sentences a step")] = None,
    max_length: MaxLength = None,
    epochs: Epochs = None,
    seed: Seed = 1,
    split_seed: SplitSeed = 0,
    task_name: TaskName = None,
    max_train_samples: MaxTrain = None,
    max_eval_samples: MaxEval = None,
    dev_file: DevFile = None,
    text_columns: TextColumns = None,
    label_column: LabelColumn = None,
    encoding: Encoding = None,
    separator: Separator = None,
    quoting: Quoting = "csv",
    labels: Labels = None,
    drop_bad_rows: DropBadRows = False,
    doc_stride: DocStride = None,
    corpus: Corpus = None,
    unlabelled: Unlabelled = None,
    augment: Augment = None,
    augment_with: AugmentWith = None,
    augment_vectors: AugmentVectors = None,
) -> None:
    """Distil one student with one configuration."""
    from raykd.api import distill as run

    reading = reading_of(encoding, separator, quoting, drop_bad_rows, labels)
    most = (max_train_samples, max_eval_samples)
    source = source_of(data, dev_file, text_columns, label_column, *most, doc_stride, reading, split_seed, task_name)
    settings = {"learning_rate": learning_rate, "batch_size": batch_size, "max_length": max_length, "epochs": epochs}
    parameters = listing.read_settings(set_ or [])
    folder, last = run(
        task, source, method=method, parameters=parameters, teacher=teacher, student=student, head=head,
        label_map=label_map, out=out,
        beside=beside_of(corpus, unlabelled, augment, augment_with, augment_vectors, reading), console=console,
        seed=seed, **settings,
    )  # fmt: skip
    console.print(f"student: {folder}  score {last.score:.4f}", markup=False)


@app.command()
def pretrain(
    texts: Annotated[str, typer.Argument(help="a file with a text a line, a table, or a folder of such files")],
    teacher: Annotated[str, typer.Option(help="folder or hub name of a pretrained encoder")],
    student: Annotated[str, typer.Option(help="as for tune, e.g. build:4/312/12")],
    method: Annotated[str, typer.Option(help="one that compares within the networks; see raykd methods")] = "minilmv2",
    set_: Set = None,
    out: Annotated[Path | None, typer.Option(help="folder to save the student in")] = None,
    max_texts: Annotated[int | None, typer.Option(min=1, help="only the first so many texts")] = None,
    text_column: Annotated[str | None, typer.Option(help="of a table that has more than one column")] = None,
    encoding: Encoding = None,
    separator: Separator = None,
    quoting: Quoting = "csv",
    drop_bad_rows: DropBadRows = False,
    learning_rate: Annotated[float | None, typer.Option(help="peak of AdamW's learning rate")] = None,
    batch_size: Annotated[int | None, typer.Option(help="texts a step")] = None,
    max_length: MaxLength = None,
    epochs: Epochs = None,
    seed: Seed = 1,
) -> None:
    """Distil an encoder on plain texts, before any task: a student for tune's --student."""
    from raykd.pretrain import pretrain as run

    settings = {"learning_rate": learning_rate, "batch_size": batch_size, "max_length": max_length, "epochs": epochs}
    folder, last = run(
        texts, method=method, parameters=listing.read_settings(set_ or []), teacher=teacher, student=student, out=out,
        max_texts=max_texts, text_column=text_column,
        reading=reading_of(encoding, separator, quoting, drop_bad_rows), console=console, seed=seed, **settings,
    )  # fmt: skip
    said = f"student: {folder}  loss {-last.score:.4f}; next: raykd tune --task TASK --student {folder}"
    console.print(said, markup=False)


@app.command()
def tasks(name: Annotated[str | None, typer.Argument(help="show this one in full")] = None) -> None:
    """List the tasks, or show one."""
    listing.tasks(name, console)


@app.command()
def methods(name: Annotated[str | None, typer.Argument(help="show this one in full")] = None) -> None:
    """List the distillation methods, or show one."""
    listing.methods(name, console)


@app.command()
def spaces(name: Annotated[str | None, typer.Argument(help="show this one in full")] = None) -> None:
    """List the search spaces, or show one."""
    listing.spaces(name, console)


for commands in (cli_answer, cli_report, cli_repro, cli_analyse, cli_cluster):
    commands.register(app)


def _check_words(words: list[str]) -> None:
    """UserError for bytes that are no text: they could be written neither into a sweep's files nor to MLflow."""
    strange = [word for word in words if any("\ud800" <= letter <= "\udfff" for letter in word)]
    if strange:
        raise UserError(*(f"{word!a}: not UTF-8 text, as names and values must be" for word in strange))


def main(arguments: list[str] | None = None) -> None:
    """Entry point. How it ends, and with which exit code, is `raykd.endings`' affair."""
    words = sys.argv[1:] if arguments is None else arguments
    remember(words)
    try:
        if arguments is None:
            begin()
        _check_words(words)
        with show_progress(console):
            app(args=arguments, standalone_mode=True)
    except (UserError, OSError, KeyboardInterrupt) as error:  # of reading the line; the commands' own end there
        end_by(error)
        raise
