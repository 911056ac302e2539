"""Training that takes no time: what it would leave is there at once, so that a command goes on to save it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from raykd.manifest import write_manifest
from raykd.train import teach
from raykd.train.loop import Report
from tests.fuzz.case import Case

DONE = Report(1, 1.0, 1, 0.5, True, {"train/loss": 0.1, "dev/accuracy": 0.5}, 0.0, 0.0, 0.0)


@contextmanager
def at_once(case: Case, folder: Path) -> Iterator[None]:
    """Every command of `case` finds its networks trained; meanwhile somebody has put `case.meanwhile` into `folder`."""

    def train(*_: Any, **__: Any) -> Report:
        case.put_meanwhile(folder)
        return DONE

    def run_trial(spec: Any, report: Any, **_: Any) -> Report:
        student = Path(spec.folder) / "student"
        student.mkdir(parents=True, exist_ok=True)
        for name in ("config.json", "model.safetensors"):
            (student / name).write_text("new")
        write_manifest(student, {"command": "distill"})
        return train()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("raykd.train.trial.run_trial", run_trial)
        patch.setattr("raykd.train.teach.distill", train)
        patch.setattr("raykd.pretrain.distill", train)
        patch.setattr("raykd.teachers.teach", teach.teach)
        patch.setattr("raykd.report.page.render", lambda story, card: f"<head></head>{story.sweep}")
        yield
