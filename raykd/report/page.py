"""A story as one HTML file that needs no network: text and tables in place, figures drawn by the plotly inside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from raykd.manifest import stamp_page
from raykd.outputs import OutputFile, default_file, put_file
from raykd.report import words
from raykd.report.figures import MOST_POINTS, Drawing, theme
from raykd.report.figures_curves import final_curves, front, search_curves
from raykd.report.figures_errors import errors
from raykd.report.figures_importance import importance, importances, searched
from raykd.report.figures_space import parallel, slices
from raykd.report.mistakes import Group, by_class, by_length, judged, versus
from raykd.report.paper_card import CardRow
from raykd.report.story import Story
from raykd.report.tables import cost, failures, results
from raykd.report.verdict import verdict

REPORT = "report.html"
MOST_GROUPS = 30  # classes of which errors are shown


@dataclass(frozen=True)
class Errors:
    """A table of errors with its figure."""

    title: str
    head: str
    groups: tuple[Group, ...]
    figure: Drawing | None
    left_out: int  # groups beyond those


def write_report(story: Story, target: Path | OutputFile, card: Sequence[CardRow] = ()) -> Path:
    """Write the page of `story`, whole or not at all.

    Args:
        story: Of a sweep.
        target: The file. Only a page of raykd's that nobody has edited is replaced, else the new one lies beside.
        card: Published numbers beside ours.

    Returns:
        Where it lies.

    Raises:
        OSError: The disk is full, or fails.
    """
    page = stamp_page(render(story, card))
    return put_file(page, default_file(target) if isinstance(target, Path) else target)


def render(story: Story, card: Sequence[CardRow] = ()) -> str:
    """The whole page. Everything in it is escaped; what there is no data for is left out."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"settings": words.settings, "time": words.time, "many": words.many, "size": words.size}
    environment.filters |= {"clipped": words.clipped}
    template = environment.from_string(_resource("page.html"))
    themes = {"light": theme(dark=False), "dark": theme(dark=True)}
    return template.render(
        story=story,
        verdict=verdict(story),
        results=results(story),
        cost=cost(story),
        failures=failures(story.runs),
        card=card,
        curves=search_curves(story),
        finals=final_curves(story),
        front=front(story),
        number=story.kind == "number",
        span=story.kind == "span",
        dash=words.NONE,
        style=Markup(_resource("page.css")),
        script=Markup(_resource("page.js")),
        plotly=Markup(get_plotlyjs()),
        themes=Markup(_script_json(themes)),
        raw=Markup,
        **_space(story),
        **_errors(story),
    )


def _space(story: Story) -> dict[str, Any]:
    """What is shown of the search space."""
    parts = importances(story)
    order = [*parts, *(name for name in searched(story) if name not in parts)]
    shown = slices(story, order)
    scored = sum(trial.value is not None for trial in story.trials)
    notes = []
    if shown and len(order) > len(shown):
        notes.append(f"{len(shown)} of {len(order)} parameters are shown.")
    if shown and scored > MOST_POINTS:
        notes.append(f"{MOST_POINTS} of {scored:,} trials are drawn, evenly spread over the search.")
    return {
        "importance": importance(story, parts),
        "parallel": parallel(story, order),
        "slices": shown,
        "slices_note": " ".join(notes),
        "completed": sum(trial.state.name == "COMPLETE" for trial in story.trials),
    }


def _errors(story: Story) -> dict[str, Any]:
    """What is shown of single examples."""
    networks = judged(story)
    kinds = (
        ("by class", "class", by_class(story, networks)),
        ("by length", "tokens of the row", by_length(story, networks)),
    )
    shown = []
    for title, head, groups in kinds:
        worst = sorted(groups, key=lambda group: group.rows * group.errors[0], reverse=True)[:MOST_GROUPS]
        kept = [group for group in groups if group in worst]
        if kept:
            figure = errors(story, title.replace(" ", "-"), head, kept, networks)
            shown.append(Errors(title, head, tuple(kept), figure, len(groups) - len(kept)))
    return {"networks": [network.name for network in networks], "errors": shown, "versus": versus(story, networks)}


def _script_json(value: Any) -> str:
    """JSON that cannot end the script it stands in."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _resource(name: str) -> str:
    return files("raykd.report").joinpath(name).read_text(encoding="utf-8")
