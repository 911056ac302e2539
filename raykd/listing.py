"""What the list commands print, and how the command line reads rows and settings."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from raykd.errors import UserError
from raykd.tasks.encodings import fault
from raykd.tasks.formats import is_table, lines_of_text, open_text
from raykd.tasks.quoting import LINE_ENDS
from raykd.tasks.read_options import DEFAULT, ReadOptions
from raykd.tasks.texts import lines_of, read_inputs

if TYPE_CHECKING:
    from raykd.methods.method import Method

ABOUT = (
    "Distil a large fine-tuned transformer into the best small one for a task, searching methods and hyperparameters "
    "on a Ray cluster. Start with: raykd tune --task rte --data sample"
)


def tasks(name: str | None, console: Console) -> None:
    """Every task in a line, or one in full."""
    from raykd.tasks.task import TASKS, find

    if name is None:
        table = _table("task", "what", "texts", "labels", "selects by")
        for task in TASKS.values():
            labels = ", ".join(task.labels) or ("a span of the context" if task.span else "a number")
            table.add_row(task.name, task.title, ", ".join(task.texts), labels, task.primary)
        table.add_row("custom", "your own classes or scores", "--text-columns", "--label-column", "accuracy or pearson")
        console.print(table)
        return
    task = find(name)
    _pairs(
        console,
        {
            "task": f"{task.name}: {task.title}",
            "texts": ", ".join(task.texts),
            "labels": ", ".join(f"{index} {label}" for index, label in enumerate(task.labels))
            or ("a span of the context" if task.span else "a real number"),
            "metrics": ", ".join(task.metrics) + f" (selects by {task.primary})",
            "dev splits": ", ".join(task.dev),
            "on the hub": "/".join(task.hub),
            "local folder": task.folder or "train-v*.json and dev-v*.json",
        },
    )


def methods(name: str | None, console: Console) -> None:
    """Every method: paper, terms, needs, stages, hyperparameters with defaults, grid size; or one in full."""
    from raykd.methods import METHODS, find

    if name is None:
        for method in METHODS.values():
            about = _about(method)
            console.print(f"[bold]{method.name}[/]: {method.title}")
            lines = {
                "paper": method.paper,
                "terms": about.stages,
                "asks for": about.needs,
                "defaults": ", ".join(f"{key}={value}" for key, value in about.defaults.items()) or "-",
                "grid": f"{about.grid} points" if about.grid != "-" else "-",
            }
            for key, text in lines.items():
                console.print(f"  {key:<9}{escape(text)}")
        return
    method = find(name)
    about = _about(method)
    _pairs(
        console,
        {
            "method": f"{method.name}: {method.title}",
            "paper": method.paper,
            "terms": f"{about.stages}   (defaults, 12 to 6 layers)",
            "needs of the teacher": about.needs,
            "live teacher": "yes" if about.live else "no",
            "trains beside the student": about.beside,
            "answers": ", ".join(sorted(method.answers)),
            "its space": f"{method.name}, {about.grid} points" if about.grid != "-" else "-",
        },
    )
    for title, parameters in {
        "hyperparameter": method.parameters,
        "general stage": method.general_parameters,
    }.items():
        if parameters is None or not parameters.model_fields:
            continue
        table = _table(title, "default", "allowed", "what")
        for key, schema in parameters.model_json_schema()["properties"].items():
            table.add_row(key, str(schema["default"]), _limits(schema), schema.get("description", ""))
        console.print(table)


@dataclass(frozen=True)
class _About:
    """What a method's recipe says of itself, for a BERT-base teacher and a student of half its layers."""

    stages: str
    needs: str
    beside: str
    live: bool
    defaults: dict[str, Any]
    grid: str


def _about(method: Method) -> _About:
    from raykd.methods.method import Pair
    from raykd.models.shape import Shape
    from raykd.search.space import load, shipped

    pair = Pair(Shape(12, 768, 12, 30522), Shape(6, 768, 12, 30522), corpus=True)
    if "classes" not in method.answers:
        pair = replace(pair, answers=next(iter(method.answers)))
    parameters = method.parameters()
    links = method.links(parameters, pair)
    recipe = links[-1].recipe(pair)
    stages = "; ".join(
        f"{stage.name} to {stage.until:.0%}: " + " + ".join(f"{term.weight:.4g} {term.name}" for term in stage.active)
        for stage in recipe.stages
    )
    if len(links) > 1:
        stages = " > ".join(link.name for link in links) + f" ({stages})"
    asked: dict[str, list[str]] = {}
    for need in sorted(recipe.teacher_needs()):
        which = [] if need.kind == "logits" else [f"{need.letters} {need.layer}".strip()]
        asked.setdefault(need.kind, []).extend(which)
    needs = "; ".join(f"{kind} {', '.join(layers)}".strip() for kind, layers in asked.items())
    grid = load(method.name).size() if method.name in shipped() else 0
    return _About(
        stages=stages,
        needs=needs + (" (live)" if recipe.live else "") or "nothing",
        beside=", ".join([*recipe.extras, *(["an opponent"] if recipe.opponent else [])]) or "nothing",
        live=recipe.live,
        defaults=parameters.model_dump(),
        grid="endless" if grid is None else f"{grid:,}" if grid else "-",
    )


def spaces(name: str | None, console: Console) -> None:
    """Every shipped space in a line, or one as its file."""
    from raykd.search.space import load, shipped

    if name is None:
        table = _table("space", "points", "what", "source")
        for key in shipped():
            space = load(key)
            size = space.size()
            table.add_row(key, "endless" if size is None else f"{size:,}", space.about, space.source)
        console.print(table)
        return
    load(name)  # a clear error for a name that is none
    console.print(escape(shipped().get(name, Path(name)).read_text(encoding="utf-8").rstrip()))


def scores_text(scores: dict[str, float]) -> str:
    """``dev/accuracy 0.9123  dev/f1 0.9001``."""
    return "  ".join(f"{name} {value:.4f}" for name, value in scores.items())


def read_settings(pairs: list[str]) -> dict[str, Any]:
    """``["alpha=0.7", "variant=code"]`` as values: numbers and booleans where they read as such, else text."""
    problems = [f"--set {pair}: write name=value" for pair in pairs if "=" not in pair]
    if problems:
        raise UserError(*problems)
    found = {}
    for name, text in (pair.split("=", 1) for pair in pairs):
        try:
            found[name.strip()] = json.loads(text)
        except (ValueError, RecursionError):  # ValueError: also a number of thousands of digits
            found[name.strip()] = text
    return found


def read_rows(
    file: Path | None,
    texts: int | None = None,
    columns: Sequence[str] = (),
    options: ReadOptions = DEFAULT,
) -> list[list[str]]:
    """The rows to answer, one for every line of `file` or of stdin, or for every row of a table.

    Args:
        file: lines, each one text or a tab-separated pair, or a table by its name (.csv, .jsonl, .parquet, ...); None:
            lines on stdin. All is UTF-8 whatever the locale, unless the options say otherwise.
        texts: how many a row has; None: as many as the columns, or as the first line that is not blank.
        columns: names of a table's text columns; without such columns, its own are taken in order if they are as many.
        options: how text files are written.

    Returns:
        The texts of each row, empty ones for a blank line. How a table was read is said on stderr.

    Raises:
        UserError: no such file, another number of texts, with the line, and what a table is refused for.
    """
    if file is None:
        lines = _stdin(options)
        wanted = texts or len(columns) or next((line.count("\t") + 1 for line in lines if line.strip()), 1)
        return [list(row) for row in lines_of("the input", lines, wanted)]
    count = texts or len(columns) or (1 if is_table(file) else _texts_in(file, options))
    found = read_inputs(file, tuple(columns) if len(columns) == count else count, options)
    for note in found.notes:
        sys.stderr.write(f"note: {note}\n")
    return [list(row) for row in found.rows]


def _stdin(options: ReadOptions) -> list[str]:
    content = sys.stdin.buffer.read() if isinstance(sys.stdin, io.TextIOWrapper) else sys.stdin.read().encode()
    try:
        # Not splitlines(): a text may hold other signs that end a line for Unicode.
        lines = LINE_ENDS.split(content.decode(options.codec))
    except UnicodeError as error:
        raise UserError(fault("the input", io.BytesIO(content), options.codec, error)) from None
    return lines[:-1] if lines[-1] == "" else lines


def _texts_in(file: Path, options: ReadOptions) -> int:
    """How many texts the first line of a file has that is not blank."""
    if not file.is_file():
        raise UserError(f"no such file: {file}")
    with open_text(file, lines_of_text(file), options) as lines:
        return next((line.count("\t") + 1 for line in lines if line.strip()), 1)


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _pairs(console: Console, values: dict[str, str]) -> None:
    width = max(map(len, values))
    for key, value in values.items():
        console.print(f"[bold]{key:<{width}}[/]  {escape(value)}")


def _limits(schema: dict[str, Any]) -> str:
    """What a JSON schema allows, in signs."""
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    return ", ".join(bounds) or " or ".join(schema.get("enum", [schema.get("type", "")]))
