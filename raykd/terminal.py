"""The console that commands print to: nothing is cut off, and a closed pipe is an error like another."""

from __future__ import annotations

import errno
import os
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

WIDE = 10_000  # letters of a line in a file or pipe: whoever reads it wraps, or cuts, as they like


class Output(Console):
    """A rich console that prints tables whole: where they are too wide the terminal wraps their lines."""

    def print(self, *objects: Any, **settings: Any) -> None:
        """As rich does."""
        tables = [one for one in objects if isinstance(one, Table)]
        wide = self.options.update(width=WIDE)
        for column in (column for table in tables for column in table.columns if column.no_wrap):
            # Rich cuts the cells of such a column off rather than let the table be wider than the terminal.
            cells = [column.header, *column.cells]
            column.min_width = max(Measurement.get(self, wide, cell).maximum for cell in cells)
        least = max((Measurement.get(self, wide, table).minimum for table in tables), default=0)
        width = self.width
        if least <= width:
            super().print(*objects, **settings)
            return
        self.width = least
        try:
            super().print(*objects, **settings)
        finally:
            self.width = width

    def on_broken_pipe(self) -> None:
        """Whoever read along has gone. By itself rich would end the process."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def terminal() -> Console:
    """The console of a command: as wide as the terminal; in a file or pipe no line is wrapped."""
    console = Output(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = WIDE
    return console
