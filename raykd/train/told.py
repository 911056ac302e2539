"""What a trial has reported, kept in its folder, where that is in an object store.

There the sweep's journal is sent some time after it was written, and a trial's checkpoints are sent by its own machine.
If the driver's machine is lost in between, the journal that is left may lack what the checkpoints are past: a report,
or that the trial was started with these settings and no others. So both stand beside the checkpoints too.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from raykd import storage
from raykd.train.claim import CLAIM
from raykd.train.config import TrialSpec
from raykd.train.loop import Report
from raykd.train.run_files import REPORTS, clear_contents

FILE = REPORTS  # the settings, then a line a report


def settings_of(spec: TrialSpec) -> dict[str, Any]:
    """What a trial's checkpoints were made with. How its batches are split may change on the way."""
    training = spec.training.model_dump(mode="json", exclude={"accumulation"})
    return {"method": spec.method, "parameters": spec.parameters, "training": training}


class Told:
    """The reports of `spec` in its working folder, which begins anew if it holds a trial of other settings."""

    def __init__(self, spec: TrialSpec) -> None:
        folder = Path(spec.folder)
        self._file = folder / FILE
        if self._file.is_file() and _parse(self._file.read_text(), spec) is not None:
            return
        clear_contents(folder, keep=frozenset({CLAIM}))
        self._file.write_text(json.dumps(settings_of(spec)) + "\n")

    def add(self, report: Report) -> None:
        """Another one; it leaves this machine together with the next checkpoint."""
        with self._file.open("a") as file:
            file.write(json.dumps(asdict(report)) + "\n")


def told(spec: TrialSpec) -> list[dict[str, Any]]:
    """The reports that stand in the place of `spec`, if they are of a trial with its settings."""
    place = storage.join(spec.folder, FILE)
    try:
        return _parse(storage.read_text(place), spec) or []
    except FileNotFoundError:
        return []


def _parse(text: str, spec: TrialSpec) -> list[dict[str, Any]] | None:
    """The reports in `text`; None if they are of other settings. A line that was cut short ends them."""
    found: list[Any] = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found[1:] if found and found[0] == json.loads(json.dumps(settings_of(spec))) else None
