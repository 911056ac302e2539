"""Parts of a sweep's story that its journal does not hold: read from its splits and from the student that it left."""

from __future__ import annotations

import json

import numpy as np

from raykd import storage
from raykd.models.save import CARD
from raykd.report.floor import Floor, floor_of
from raykd.search.room import CHAMPION, Room
from raykd.search.spec import SweepSpec
from raykd.tasks.encoded import Encoded
from raykd.tasks.questions import Questions


def floor_of_split(spec: SweepSpec, split: Encoded) -> Floor | None:
    """What always giving the same answer scores on a split.

    Returns:
        None where the questions of a split of spans are not at hand.
    """
    if spec.task.kind != "span":
        return floor_of(spec.task, np.asarray(split.labels))
    try:
        return floor_of(spec.task, np.array([int(bool(answers)) for answers in Questions.of(split).answers]))
    except (OSError, ValueError):
        return None


def saved_label(found: Room) -> str | None:
    """The run whose student lies in the sweep's folder, by that student's own card.

    Returns:
        None while none does.
    """
    place = storage.join(found.place, CHAMPION, CARD)
    try:
        return str(json.loads(storage.read_text(place))["spec"]["label"]) if storage.exists(place) else None
    except (KeyError, TypeError, ValueError):  # no card of a trial
        return None
