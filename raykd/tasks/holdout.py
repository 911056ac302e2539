"""A part of a split set aside: a dev set where there is none, and the rows that a search selects by.

Which rows are held out follows from the data and a split seed alone, never from the seed of a run: every command that
reads a file holds out the same rows. Rows with equal texts stay together, so that none is on both sides.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from raykd.errors import UserError
from raykd.seeds import derive_seed
from raykd.tasks.data import Data, Split
from raykd.tasks.row_hashes import row_hashes
from raykd.tasks.task import Task

HELD_OUT = 0.1
SELECT = "select"
# Of fewer rows one is worth more than two and a half points: no better than the dev set that they would spare.
FEWEST = 40


def hold_out(split: Split, task: Task, *, seed: int, purpose: str) -> tuple[Split, Split]:
    """Set a tenth of the rows aside: of every class, or whole contexts where questions are asked on one.

    Args:
        split: The rows.
        task: Their task.
        seed: The split seed.
        purpose: What the rows are held out for; another purpose holds out other rows.

    Returns:
        The split without, and the split of only, the rows held out.

    Raises:
        UserError: There are too few rows, or a single context.
    """
    salt = derive_seed(seed, "split", purpose)
    held = _contexts(split, salt) if task.span else _stratified(split, task, salt)
    return split.take(np.flatnonzero(~held).tolist()), split.take(np.flatnonzero(held).tolist())


def with_selection(data: Data) -> Data:
    """`data` with a tenth of train as the split `select`, the first of dev. Where that would be too small, `data`."""
    try:
        train, held = hold_out(data.train, data.task, seed=data.split_seed, purpose=SELECT)
    except UserError:
        return data
    if len(held) < FEWEST or (not data.task.regression and len(set(held.labels)) < len(set(data.train.labels))):
        return data
    return replace(data, train=train, dev={SELECT: held, **data.dev})


def _stratified(split: Split, task: Task, salt: int) -> np.ndarray:
    """[N] bool. Texts in the order of their hashes are held until their class has its tenth of rows; a text that
    occurs too often for that is passed over, and a class of two texts or more gives one at least."""
    hashes, index, counts = np.unique(row_hashes(split.texts, salt=salt), return_inverse=True, return_counts=True)
    strata = np.zeros(len(split)) if task.regression else np.asarray(split.labels)
    first = np.full(len(hashes), len(split))
    np.minimum.at(first, index, np.arange(len(split)))
    of_text = strata[first]  # a text with several labels counts as its first
    held = np.zeros(len(hashes), dtype=bool)
    for stratum in np.unique(of_text):
        texts = np.flatnonzero(of_text == stratum)
        left = max(1, round(HELD_OUT * int(counts[texts].sum())))
        if len(texts) < 2:
            continue
        for text in texts:
            if left == 0:
                break
            if counts[text] <= left:
                held[text] = True
                left -= int(counts[text])
        if not held[texts].any():
            held[texts[counts[texts].argmin()]] = True
    if not held.any():
        raise UserError(f"{len(split)} rows are too few to hold some out: give a dev file")
    return held[index]


def _contexts(split: Split, salt: int) -> np.ndarray:
    """[N] bool. Contexts in the order of their hashes are held until a tenth of the questions is."""
    hashes = row_hashes([(context,) for _, context in split.texts], salt=salt)
    counts = Counter(hashes.tolist())
    if len(counts) < 2:
        raise UserError("questions on a single context cannot be divided into train and dev: give a dev file")
    held: set[int] = set()
    rows = 0
    for context in sorted(counts)[:-1]:
        held.add(context)
        rows += counts[context]
        if rows >= HELD_OUT * len(split):
            break
    return np.isin(hashes, np.array(sorted(held), dtype=np.uint64))
