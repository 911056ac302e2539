"""Which columns of a file are the wanted ones: by name, near name, or place."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from raykd.errors import UserError
from raykd.tasks.bad_rows import some

SHOWN = 20  # names of a file's columns in a message
NAME = re.compile(r"[^\W\d][\w.#-]{0,39}")  # what the cells of a header look like


@dataclass(frozen=True)
class Wanted:
    """The columns to read. label: the one that says where rows begin, should a quotation mark swallow some.

    nested: columns whose cells may be lists and objects. placed: where a file has none of the names, its columns are
    taken in their order if there are as many.
    """

    texts: tuple[str, ...]
    label: str | None = None
    nested: frozenset[str] = frozenset()
    placed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in order."""
        return self.texts if self.label is None else (*self.texts, self.label)


@dataclass(frozen=True)
class Choice:
    """places: which column of the file each wanted one is. headless: the first line is a row, not a header."""

    indices: tuple[int, ...]
    notes: tuple[str, ...] = ()
    headless: bool = False


def choose(
    where: str, wanted: Wanted, present: Sequence[str], following: Sequence[Sequence[str]] | None = None
) -> Choice:
    """The wanted columns among those present.

    Args:
        where: the file, for messages.
        wanted: names, and whether columns may be taken in order where none of the names is there.
        present: the names in the file, in its order.
        following: some rows after the line that `present` was read from, which may be a row itself; None: it is none.

    Returns:
        Which column each wanted name is, and what is to be said of it.

    Raises:
        UserError: names that are absent, with the nearest ones; names that stand twice.
    """
    if wanted.placed and not any(matching(name, present) for name in wanted.names):
        return _by_place(where, wanted, present, following)
    problems, notes, indices = [], [], []
    for name in wanted.names:
        matches = matching(name, present)
        if len(matches) > 1:
            numbers = " and ".join(str(index + 1) for index in matches)
            problems.append(f"{where} has the column '{name}' more than once (columns {numbers}): rename all but one")
        elif not matches:
            problems.append(absent(where, name, present))
        else:
            indices.append(matches[0])
            if present[matches[0]] != name:
                notes.append(
                    f"column '{present[matches[0]]}' of {where} taken as '{bare(name)}': the space is left out"
                )
    if problems:
        raise UserError(*problems)
    if len(set(indices)) < len(indices):
        raise UserError(f"{where}: columns {some(wanted.names)} are one column: texts and label must be different ones")
    twice = sorted(name for name, count in Counter(present).items() if count > 1 and name.strip())
    if twice:
        notes.append(f"{where} has more than one column {some(twice)}: not needed, left aside")
    return Choice(tuple(indices), tuple(notes))


def absent(where: str, name: str, present: Sequence[str]) -> str:
    """A sentence for a column that is not there, with the nearest one that is."""
    same = [other for other in present if bare(other).casefold() == bare(name).casefold()]
    near = same or difflib.get_close_matches(name, present, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    shown = ", ".join(present[:SHOWN]) + (", ..." if len(present) > SHOWN else "")
    return f"{where} has no column '{name}': {hint}(present: {shown[:1000]})"


def matching(name: str, present: Sequence[str]) -> list[int]:
    """The columns of that name; where there is none, those that differ by spaces around it."""
    exact = [index for index, other in enumerate(present) if other == name]
    return exact or [index for index, other in enumerate(present) if bare(other) == bare(name)]


def bare(name: str) -> str:
    """A column's name without spaces around it, and without the marks that stand before a file's text."""
    return name.strip().strip("\ufeff\u200b").strip()


def _by_place(where: str, wanted: Wanted, present: Sequence[str], following: Sequence[Sequence[str]] | None) -> Choice:
    names = ", ".join(wanted.texts)
    if len(present) != len(wanted.names):
        shown = ", ".join(present[:SHOWN])[:1000]
        raise UserError(
            f"{where} has {len(present)} columns ({shown}), none of them called {names}: say which by --text-columns"
        )
    note = f"{where} has no column called {names}: its {len(present)} ({', '.join(present)[:200]}) taken in order"
    if following is None:
        return Choice(tuple(range(len(present))), (note,))
    sentences = sum(" " in cell.strip() for row in following for cell in row)
    cells = sum(map(len, following))
    header = all(NAME.fullmatch(cell.strip()) for cell in present) and 2 * sentences > cells
    first = "its first line as a header" if header else "its first line as a row, not as a header"
    return Choice(tuple(range(len(present))), (f"{note}, {first}",), headless=not header)
