"""A sweep's result in a few lines of Markdown, for pages that are not ours."""

from __future__ import annotations

from raykd.report.story import Story
from raykd.report.tables import results, store
from raykd.report.verdict import verdict

MOST = 12  # rows of the table
SPECIAL = str.maketrans({letter: f"\\{letter}" for letter in "\\`*_{}[]<>|"})


def note(story: Story) -> str:
    """The verdict, the result table without its finer print, what weakens both, and what the store saved. The table has
    few columns: a wide one breaks a narrow page."""
    said, table = verdict(story), results(story)
    sizes = {"parameters"} if len(story.students) > 1 else set[str]()
    others = [name for name in table.columns[1:] if name in sizes or name.startswith("against ")]
    columns = [*table.columns[:1], *others]
    lines = [f"**{_plain(said.headline)}**", "", _row(["", *columns]), f"| :-- |{' --: |' * len(columns)}"]
    for row in table.rows[:MOST]:
        name = row.name + " (champion)" * (row.mark == "champion" and bool(story.contenders))
        lines.append(_row([name, *(row.cells.get(column, ("", ""))[0] for column in columns)]))
    lines += ["", *(f"- {_plain(sentence)}" for sentence in (*said.sentences, store(story)) if sentence)]
    lines += [line for warning in said.warnings for line in ("", f"> {_plain(warning)}")]
    return "\n".join(lines).strip()


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: str) -> str:
    """`text` as itself: names may hold what Markdown or HTML means something by."""
    return " ".join(text.split()).translate(SPECIAL)
