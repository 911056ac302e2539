"""Do a teacher's answers fit the data as they stand, or would its classes fit in another order?"""

from __future__ import annotations

import shlex
from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment

from raykd.errors import UserError
from raykd.models.relabel import label_map_text

SURE = 4.0  # standard errors of the gain by another order
LEAST_GAIN = 0.05


def check_order(teacher: str, answers: np.ndarray, truth: np.ndarray, labels: tuple[str, ...]) -> None:
    """Compare the classes that a teacher gives with the data's.

    Args:
        teacher: Its name.
        answers: [N], the index of the class that it gives each row.
        truth: [N], that of the class which the row has.
        labels: The data's classes.

    Raises:
        UserError: With both maps, where another order of its classes fits the rows far better than chance explains.
    """
    size = len(labels)
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (answers.astype(np.int64), truth.astype(np.int64)), 1)
    # Of orders that fit alike the one that leaves most classes where they are.
    _, classes = linear_sum_assignment(counts * (size + 1) + np.eye(size, dtype=np.int64), maximize=True)
    order = tuple(int(index) for index in classes)
    total, now, then = int(counts.sum()), int(np.trace(counts)), int(counts[np.arange(size), list(order)].sum())
    changed = now + then - 2 * sum(int(counts[index, index]) for index in range(size) if order[index] == index)
    if then - now <= max(LEAST_GAIN * total, SURE * np.sqrt(changed)):
        return
    best, own = label_map_text(order, labels), label_map_text(tuple(range(size)), labels)
    raise UserError(
        f"teacher '{teacher}': its classes fit the data in another order. Its outputs are read as {own}, and agree "
        f"with {now / total:.1%} of {total:,} rows; as {best} they would agree with {then / total:.1%}. Say "
        f"--label-map {shlex.quote(best)} if that is what they mean, or correct id2label in its config.json"
    )


def check_scale(teacher: str, answers: np.ndarray, truth: np.ndarray, say: Callable[[str], object]) -> None:
    """A warning where the numbers that a teacher gives fall as the data's rise, or lie on another scale.

    Args:
        teacher: Its name.
        answers: [N].
        truth: [N].
        say: Takes the warning.
    """
    spread = float(np.ptp(truth))
    if len(truth) < 2 or not spread or not np.isfinite(answers).all():
        return
    if float(np.std(answers)) > 0 and float(np.corrcoef(answers, truth)[0, 1]) < 0:
        say(f"warning: teacher '{teacher}' gives lower scores where the data have higher ones: is its scale reversed?")
    elif float(np.median(np.abs(answers - truth))) > spread / 2:
        say(
            f"warning: teacher '{teacher}' gives scores from {answers.min():.3g} to {answers.max():.3g}, the data have "
            f"{truth.min():.3g} to {truth.max():.3g}: students learn from both as they are"
        )
