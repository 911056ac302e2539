"""The wanted columns of one file, before anything is known of what a label means."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

from raykd.tasks.bad_rows import BadRow


@dataclass
class Table:
    """Columns by the names they are wanted by, each a list of cells; all are as long as `numbers`.

    unit: what a number of a row counts, "line" or "row" (from 1). bad: rows that are not among the cells. classes:
    names that the file gives to the integers of a column.
    """

    where: str  # for messages
    unit: str
    cells: dict[str, list[Any]]
    numbers: array[int]
    notes: list[str] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All rows, the bad ones too."""
        return len(self.numbers) + len(self.bad)
