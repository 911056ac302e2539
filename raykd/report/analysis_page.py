"""What was found of each student beside its teacher, as a table, a JSON file and pictures, or as one page."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from raykd.manifest import stamp_page, write_manifest
from raykd.outputs import OutputFile, OutputFolder, default_file, default_folder, put_file, put_folder, staged
from raykd.report.cka_map import picture
from raykd.report.ranks import MEAN, ranks

JSON = "analysis.json"
ANALYSE = "analyse"  # the command that makes it
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.3rem .8rem;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}"
    "th:first-child,td:first-child{text-align:left}img{max-width:100%}"
)


@dataclass(frozen=True)
class Analysis:
    """One student beside its teacher on one split."""

    name: str  # short, unlike the others'
    student: str  # folder
    teacher: str  # folder
    task: str
    split: str
    rows: int
    scores: dict[str, float]  # the student's own, by metric
    teacher_scores: dict[str, float]
    restoration: dict[str, float]  # against the teacher's predictions
    loyalty: dict[str, float]  # {} for a number
    relations: dict[str, dict[str, float]]  # by relation, the fields of `Difference`
    cka: dict[str, np.ndarray]  # by what stands for a text, [teacher's layers, student's layers]

    @property
    def differences(self) -> dict[str, float]:
        """Of each relation the mean difference; the smaller the nearer to the teacher."""
        return {name: values["difference"] for name, values in self.relations.items()}


@dataclass(frozen=True)
class Grid:
    """A table as text."""

    title: str
    headings: list[str]
    lines: list[list[str]]


def ranked(found: Sequence[Analysis]) -> dict[str, dict[str, float]]:
    """The students' ranks by each relation difference, and their mean; 1 is the nearest to the teacher."""
    return ranks({one.name: one.differences for one in found})


def grids(found: Sequence[Analysis]) -> list[Grid]:
    """A student a line: what was taken over of the answers, and how far relations are apart. A rank only where there
    are several students."""
    first, places, several = found[0], ranked(found), len(found) > 1
    restored = [name for name in first.restoration if not name.endswith("_positive")]  # the JSON has them
    answers = Grid("answers", ["student", *first.scores], [])
    answers.headings.extend(f"restored {name.replace('_', ' ')}" for name in restored)
    answers.headings.extend(f"{name} loyalty" for name in first.loyalty)
    relations = Grid("relations, mean difference from the teacher's", ["student"], [])
    relations.headings.extend([*(name.replace("_", " ") for name in first.differences), *([MEAN] if several else [])])
    for one in found:
        values = [*one.scores.values(), *(one.restoration[name] for name in restored), *one.loyalty.values()]
        answers.lines.append([one.name, *(f"{value:.4f}" for value in values)])
        rank = [f"{places[one.name][MEAN]:.2f}"] if several else []
        relations.lines.append([one.name, *(f"{value:.4g}" for value in one.differences.values()), *rank])
    return [answers, relations]


def tables(found: Sequence[Analysis]) -> Iterator[str | Table]:
    """For a terminal: what was looked at, and the students as rows."""
    yield escape(_title(found))
    for grid in grids(found):
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", title=grid.title, title_justify="left")
        for place, heading in enumerate(grid.headings):
            heading = "\n".join(heading.rsplit(" ", 1))
            table.add_column(heading, justify="right" if place else "left", overflow="fold", no_wrap=not place)
        for line in grid.lines:
            table.add_row(*map(escape, line))
        yield table


def save(found: Sequence[Analysis], out: Path | OutputFile | OutputFolder) -> list[Path]:
    """Write what was found, whole or not at all.

    Args:
        found: Of each student.
        out: A folder, for ``analysis.json`` and ``cka-<student>.png`` of each; or a file, for one page with all of it.
            Of a path its ending, .html or another one, says which. Only what this function wrote there is replaced,
            else it lies beside.

    Returns:
        The files.
    """
    if isinstance(out, Path):
        out = default_file(out) if is_page(out) else default_folder(out, card=JSON)
    if isinstance(out, OutputFile):
        return [put_file(stamp_page(_page(found)), out)]
    names = [f"cka-{one.name.replace('/', '-')}.png" for one in found]
    with staged(out.path) as new:
        for one, name in zip(found, names, strict=True):
            (new / name).write_bytes(picture(one.cka, one.name))
        write_manifest(new, {"command": ANALYSE, **as_json(found)}, JSON)
        folder = put_folder(new, out)
    return [folder / name for name in (JSON, *names)]


def is_page(out: Path) -> bool:
    """Whether a path is that of a page, by its ending."""
    return out.suffix.lower() == ".html"


def as_json(found: Sequence[Analysis]) -> dict[str, Any]:
    """Everything, in JSON's own types; what is not defined is null."""
    students = [{**vars(one), "cka": {name: values.tolist() for name, values in one.cka.items()}} for one in found]
    plain: dict[str, Any] = _plain({"students": students, "ranks of relation differences": ranked(found)})
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _title(found: Sequence[Analysis]) -> str:
    one = found[0]
    own = ", ".join(f"{name} {value:.4f}" for name, value in one.teacher_scores.items())
    return f"{one.task}, {one.split}, {one.rows:,} rows; teacher {one.teacher}: {own}"


def _page(found: Sequence[Analysis]) -> str:
    pictures = "".join(
        f"<h2>{html.escape(one.name)}</h2><img alt=\"CKA of teacher's and student's layers\" "
        f'src="data:image/png;base64,{base64.b64encode(picture(one.cka, one.name)).decode()}">'
        for one in found
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>raykd analyse</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><h1>Students beside their teacher</h1><p>{html.escape(_title(found))}</p>"
        f"{''.join(map(_html, grids(found)))}{pictures}</body></html>\n"
    )


def _html(grid: Grid) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in grid.headings)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>" for line in grid.lines)
    return f'<h2>{html.escape(grid.title)}</h2><div class="wide"><table><tr>{head}</tr>{body}</table></div>'
