"""Rows that cannot be used: refused in one message, or left out, counted, and listed in a file."""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raykd.errors import UserError
from raykd.tasks.read_options import ReadOptions

FEW = 5  # numbers or values shown of many


@dataclass(frozen=True)
class BadRow:
    """number: its line in the file (its first one), or its number among the rows. reason: as in "with no label".
    value: what is unknown, where that is the reason. row: what it holds, for the listing."""

    number: int
    reason: str
    row: Any = None
    value: str | None = None


def numbers(unit: str, every: Sequence[int]) -> str:
    """``line 3``, or ``lines 3, 9, 12, ...``; unit: "line" or "row"."""
    shown = ", ".join(f"{number:,}" for number in every[:FEW]) + (", ..." if len(every) > FEW else "")
    return f"{unit}{'s' if len(every) > 1 else ''} {shown}"


def some(values: Iterable[str], most: int = FEW) -> str:
    """The first few values in quotation marks."""
    every = list(dict.fromkeys(values))
    return ", ".join(f"'{value[:60]}'" for value in every[:most]) + (", ..." if len(every) > most else "")


def rows_text(count: int) -> str:
    """``1 row``, ``1,234 rows``."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def settle(where: str, unit: str, total: int, bad: Sequence[BadRow], options: ReadOptions) -> tuple[str, ...]:
    """The bad rows of a file, refused, or left out and listed in a file of the workspace if the options say so.

    Args:
        where: the file, for messages.
        unit: what a row's number counts, "line" or "row".
        total: all rows of the file.
        bad: those that cannot be used.
        options: whether they are dropped.

    Returns:
        A note that says how many, why, and where they are listed; none where there are none.

    Raises:
        UserError: one sentence for all of them, if they are not to be dropped, or if no other row is there.
    """
    if not bad:
        return ()
    bad = sorted(bad, key=lambda row: row.number)
    reasons: dict[str, list[BadRow]] = {}
    for row in bad:
        reasons.setdefault(row.reason, []).append(row)
    parts = []
    for reason, rows in reasons.items():
        values = some(row.value for row in rows if row.value is not None)
        what = f"{reason}: {values}" if values else reason
        parts.append(f"{len(rows):,} with {what} ({numbers(unit, [row.number for row in rows])})")
    said = "; ".join(parts)
    if not options.drop_bad_rows:
        raise UserError(
            f"{where}: {len(bad):,} of {rows_text(total)} cannot be used: {said}. Mend them, or say --drop-bad-rows: "
            "they are then left out, counted, and listed in a file"
        )
    if len(bad) == total:
        raise UserError(f"{where}: no row is left of {total:,}: {said}")
    return (f"{len(bad):,} of {rows_text(total)} of {where} dropped: {said}; listed in {_listed(where, unit, bad)}",)


def _listed(where: str, unit: str, bad: Sequence[BadRow]) -> Path:
    """The file in the workspace that lists the rows, one a line; of equal content only one is kept."""
    from raykd.workspace import here  # it takes a fifth of a second to import

    lines = [json.dumps({unit: row.number, "reason": row.reason, "row": row.row}, default=str) + "\n" for row in bad]
    text = json.dumps({"file": where}) + "\n" + "".join(lines)
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(where).name.split(".")[0])[:40] or "rows"
    folder = here().root / "dropped"
    path = folder / f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.jsonl"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{path.name}-{uuid.uuid4().hex}"
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    return path
