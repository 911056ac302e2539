"""What the students of a sweep cost, measured once before it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from raykd.models.classifier import load_classifier
from raykd.models.cost import Cost, about, costs_of
from raykd.models.student import make_student, parse_student
from raykd.models.turns import load
from raykd.prepare import Prepared
from raykd.tasks.encoded import Encoded


@dataclass(frozen=True)
class Costs:
    """students: by description; about: what the latency is of, for a person."""

    students: dict[str, Cost]
    teacher: Cost
    about: str


def costs(ready: Prepared) -> Costs:
    """Of a row as long as the median one of train, on this machine: a GPU where there is one, else one thread."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    length = max(1, int(np.median(Encoded.open(ready.train).lengths)))
    head = ready.task.head
    students = {name: partial(make_student, parse_student(name), ready.origin, head, seed=0) for name in ready.sizes}
    busy = load()
    found = costs_of(load_classifier(ready.teacher, head), students, length, device=device)
    if device.type == "cuda":
        torch.cuda.empty_cache()  # trials on this machine want what was used here
    return Costs(found.students, found.teacher, about(found, length, device, busy))
