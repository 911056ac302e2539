"""The named tasks from the Hugging Face hub, or from its local cache when the hub cannot be reached."""

from __future__ import annotations

from array import array
from typing import Any

from raykd import hub
from raykd.errors import UserError
from raykd.tasks import asked, labels
from raykd.tasks.columns import Wanted, choose
from raykd.tasks.data import Data, Split
from raykd.tasks.labelled import labelled
from raykd.tasks.read_options import ReadOptions
from raykd.tasks.table import Table
from raykd.tasks.task import Task

OTHERS = "--data FOLDER (a local folder in the GLUE layout), --data FILE (your own .csv, .tsv, .jsonl or .parquet)"
SPANS = "--data FOLDER (with train-v1.1.json and dev-v1.1.json, say), --data FILE (one such .json)"


def read(task: Task) -> Data:
    """The task by `datasets.load_dataset`. Raises UserError, within about 6 s when the hub does not answer."""
    repository, name = task.hub
    notes: list[str] = []
    state = ""
    if not hub.reachable():
        state = "offline mode is on" if hub.offline() else f"the hub at {hub.endpoint()} cannot be reached"
        hub.go_offline()
        notes.append(f"{state}: {repository}:{name} comes from the local cache")
    import datasets  # 1-2 s, and it reads the offline switch when imported

    try:
        found = datasets.load_dataset(repository, name)
    except Exception as error:  # its errors have no common class: OSError, ValueError, the HTTP client's
        why = f"{state}, and the local cache has no copy" if state else f"{hub.endpoint()}: " + str(error).rstrip(".")
        raise UserError(
            f"data set {repository}:{name} could not be loaded: {why}. Instead: {SPANS if task.span else OTHERS} or"
            " --data sample (built in)"
        ) from error
    train = _split(task, found, "train", notes)
    dev = {split: _split(task, found, split.replace("dev", "validation"), notes) for split in task.dev}
    return Data(task, train, dev, f"hub {repository}:{name}", tuple(notes), fingerprint="")


def _split(task: Task, found: Any, name: str, notes: list[str]) -> Split:
    where = f"{task.hub[0]}:{task.hub[1]} {name}"
    if name not in found:
        raise UserError(f"{where}: no such split (present: {', '.join(found)})")
    wanted = Wanted(task.texts, task.label_column)
    choose(where, wanted, list(found[name].column_names))
    if task.span:
        part, dropped = asked.split_of(task, where, map(_question, found[name]))
        notes.extend(dropped)
        return part
    cells = {column: list(found[name][column]) for column in wanted.names}
    table = Table(where, "row", cells, array("q", range(1, len(found[name]) + 1)))
    rows = labelled(table, task.texts, task.label_column, keep=False)
    part, dropped = labels.split(rows, task, task.label_column, ReadOptions())
    notes.extend(dropped)
    return part


def _question(row: dict[str, Any]) -> asked.Question:
    """A row of the hub's SQuAD: answers are columns there."""
    starts, texts = row["answers"]["answer_start"], row["answers"]["text"]
    return asked.Question(row["question"], row["context"], list(zip(starts, texts, strict=True)))
