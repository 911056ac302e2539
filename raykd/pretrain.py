"""The general stage: a student learns from a pretrained encoder on plain texts, before any task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from raykd.cpus import use_threads
from raykd.disk import require_room
from raykd.errors import UserError, together
from raykd.knowledge.teacher import live_teacher
from raykd.methods import find as find_method
from raykd.methods.general import general, in_general
from raykd.methods.method import Pair
from raykd.models.classifier import Head, load_config
from raykd.models.save import save_student
from raykd.models.seen_rows import SEEN_ROWS, SeenRows
from raykd.models.shape import shape, size_of
from raykd.models.source import resolve, version
from raykd.models.spec import Cut, Given
from raykd.models.student import check_student, make_student, parse_student
from raykd.models.tokenizer import check_vocabulary, load_tokenizer
from raykd.outputs import OutputFolder, check_folder, moved
from raykd.prepare import parameters_of, training_of
from raykd.tasks.data import Split
from raykd.tasks.encode import encode
from raykd.tasks.read_options import DEFAULT, ReadOptions
from raykd.tasks.texts import read_texts
from raykd.train.checkpoint import scratch
from raykd.train.config import TaskSpec
from raykd.train.loop import Report, distill
from raykd.train.resumable import resumable
from raykd.train.run_files import clear_run
from raykd.train.scene import Around, tokens_of
from raykd.workspace import here

NO_HEAD = Head(("none", "other"))  # a classifier is asked for by the loop; nothing looks at it, and it is not saved
PRETRAIN = "pretrain"  # the command that makes them, on their cards
TEXT = TaskSpec(name="text", labels=NO_HEAD.labels, metrics=(), primary="loss")


def pretrain(
    texts: str,
    *,
    method: str = "minilmv2",
    parameters: dict[str, Any] | None = None,
    teacher: str,
    student: str,
    out: str | Path | None = None,
    max_texts: int | None = None,
    text_column: str | None = None,
    reading: ReadOptions = DEFAULT,
    console: Console | None = None,
    **settings: Any,
) -> tuple[Path, Report]:
    """Distil an encoder on `texts` (a file of lines, a table, or a folder: see read_texts) by what `method` compares
    within the networks, or by the recipe that it has for this stage.

    Returns the student's folder, an encoder without a head, which `--student` of the other commands takes, and the
    last report. text_column: of a table, where it has several. reading: how files are written. out: a new or empty
    folder, or what this command made there and nobody has changed; by default the first of
    ``raykd-runs/students/general-<method>``, ``-2``, ``-3`` that is not there. settings: fields of Training. An
    interrupted run goes on when it is started again with the same settings. Raises UserError with every problem found;
    also for a method that looks at answers alone.
    """
    console = console or Console()
    workspace = here()
    inputs = {"texts": texts, "teacher": teacher, "student": student}
    found = find_method(method)
    checks: list[Callable[[], Any]] = [
        lambda: parse_student(student),
        lambda: training_of(settings),
        lambda: parameters_of(in_general(found), parameters or {}),
        lambda: _read(texts, text_column, max_texts, reading),
        lambda: None if out is None else check_folder(out, inputs, workspace, command=PRETRAIN),
    ]
    spec, training, values, (rows, notes), target = together(checks)
    target = target or OutputFolder(workspace.root / "students" / f"general-{method}")
    source = resolve(teacher, role="teacher")
    config = load_config(source)
    check_student(spec, config)
    tokenizer = load_tokenizer(source)
    if isinstance(spec, Given):
        check_vocabulary(tokenizer, load_tokenizer(resolve(spec.name, role="student")))
    # The whole encoder under a head of its own: the teacher may be fine-tuned for some task.
    master = make_student(Cut(config.num_hidden_layers), source, NO_HEAD, seed=0)
    learner = make_student(spec, source, NO_HEAD, seed=training.seed)
    recipe = general(found, values, Pair(shape(master), shape(learner)))
    split = Split(rows, (-100,) * len(rows))
    train = encode(split, tokenizer, max_length=training.max_length, regression=False, cache=workspace.cache)
    for note in notes:
        console.print(f"data: {note}", markup=False)
    console.print(
        f"general stage: {len(train):,} texts, {train.truncated:,} cut to {training.max_length} tokens; "
        f"{size_of(learner) / 1e6:.1f} M parameters learn from {size_of(master) / 1e6:.1f} M by {method}: "
        + " + ".join(term.name for term in recipe.stages[0].active)
    )
    use_threads()
    place = scratch(target.path, method, values, student, str(source), version(source), train.key, training)

    place.mkdir(parents=True, exist_ok=True)  # before anything is learned, so that nothing comes to be in the way

    def tell(report: Report) -> bool:
        loss = report.metrics["train/loss"]
        console.print(f"{report.progress:4.0%} trained, loss {loss:.4f}, {report.seconds:.0f} s")
        return True

    around = Around(tokens_of(tokenizer), source)
    require_room(target.path, size_of(learner))
    with resumable(place, console.print) as leave:
        last = distill(
            learner, recipe, train, {}, TEXT, training, place, tell, teacher=live_teacher(master), around=around,
            leave=leave,
        )  # fmt: skip
        assert last is not None  # only a report that answers False ends a run early
    card = {"command": PRETRAIN, "training": training.model_dump()}
    card["source"] = f"general stage of {method} from {teacher}"
    encoder: Any = learner.base_model
    seen = SeenRows(learnt=np.asarray(train.hashes)).to_bytes()
    folder = save_student(encoder, tokenizer, target, card=card, extra={SEEN_ROWS: seen})
    if out is not None and (note := moved(target.path, folder)):
        console.print(note, markup=False)
    clear_run(place)
    return folder, last


def _read(
    texts: str, column: str | None, most: int | None, options: ReadOptions
) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    if problems := options.problems():
        raise UserError(*problems)
    found = read_texts(texts, 1 if column is None else (column,), most=most, options=options)
    return found.rows, found.notes
