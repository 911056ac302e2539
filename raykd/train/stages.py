"""From the stages of a recipe to steps: when each begins, its learning rate, and what is done as it begins."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from raykd.methods.recipe import Recipe, Stage
from raykd.train.world import World

BEST = "best"


@dataclass(frozen=True)
class Span:
    """The steps [start, end) of one stage; [rate_start, rate_end) those that share its learning rate schedule."""

    stage: Stage
    start: int
    end: int
    rate_start: int
    rate_end: int


def plan_stages(recipe: Recipe, total: int) -> list[Span]:
    """Each stage's steps out of `total`; a stage too short for one step is left out.

    0-based step k belongs to the first stage with k < floor(until * total), as in LRC-BERT's 80 %.
    """
    bounds: list[tuple[Stage, int, int]] = []
    start = 0
    for stage in recipe.stages:
        end = min(total, math.floor(stage.until * total + 1e-9))
        if end > start:
            bounds.append((stage, start, end))
            start = end
    spans = []
    for index, (stage, begin, end) in enumerate(bounds):
        first = max(i for i in range(index + 1) if i == 0 or bounds[i][0].anew)
        last = next((i for i in range(index + 1, len(bounds)) if bounds[i][0].anew), len(bounds)) - 1
        spans.append(Span(stage, begin, end, bounds[first][1], bounds[last][2]))
    return spans


class Best:
    """The student at its best evaluation of a stage, kept in the run's folder for a stage that starts from it."""

    def __init__(self, folder: Path) -> None:
        self.weights = folder / f"{BEST}.safetensors"
        self.about = folder / f"{BEST}.json"

    def offer(self, student: nn.Module, stage: str, score: float) -> None:
        """Keep `student` if it is the first of its stage or better than the one kept."""
        kept = json.loads(self.about.read_text()) if self.about.is_file() else {}
        # An evaluation repeated after a crash finds itself kept, and writes nothing.
        if kept.get("stage") == stage and kept["score"] >= score:
            return
        self.about.unlink(missing_ok=True)  # weights without their note count as none
        self.weights.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.weights.with_suffix(".tmp")
        save_file(
            {name: tensor.detach().clone().contiguous() for name, tensor in student.state_dict().items()}, temporary
        )
        os.replace(temporary, self.weights)
        note = self.about.with_suffix(".tmp")
        note.write_text(json.dumps({"stage": stage, "score": score}))
        os.replace(note, self.about)

    def restore(self, student: nn.Module, stage: str) -> bool:
        """Put the kept weights of `stage` into `student`; False where none are kept."""
        if not self.about.is_file() or json.loads(self.about.read_text())["stage"] != stage:
            return False
        device = next(student.parameters()).device
        with torch.no_grad():
            student.load_state_dict(load_file(self.weights, device=str(device)))
        return True

    def forget(self) -> None:
        """Remove what is kept."""
        for file in (self.weights, self.about):
            file.unlink(missing_ok=True)


def begin_stage(
    stage: Stage, before: Stage, student: nn.Module, optimizer: torch.optim.Optimizer, best: Best, world: World
) -> None:
    """What `stage` asks for as it begins: the best student of the stage before, a fresh optimiser."""
    if stage.from_best:
        if world.main:
            best.restore(student, before.name)
        world.share(student)
    if stage.anew:
        optimizer.state.clear()
