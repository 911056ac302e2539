"""What the journal, Optuna and MLflow hold of a sweep, and how that differs from what the same sweep holds unhurt."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.chaos.processes import in_child

STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
TABLES = ("journal", "study", "mlflow")


@dataclass(frozen=True)
class Truth:
    """tables: by where it is kept and by label, every entry of that trial: [state, scores by evaluation or step].

    settings: by label, from the journal. champion: label, and the hash of its weights. again: by label, the reasons
    for which it was started again. errors: by label, of failed trials.
    """

    tables: dict[str, dict[str, list[list[Any]]]]
    settings: dict[str, dict[str, Any]]
    champion: list[str]
    again: dict[str, list[str]]
    errors: dict[str, str]


def look(folder: Path, environment: dict[str, str], tracking: str | None = None) -> Truth:
    """Read it all, in a process of its own. folder: of the sweep; tracking: MLflow's address if not the sweep's."""
    return Truth(**in_child(lambda: asdict(_read(folder, tracking)), environment))


def _read(folder: Path, tracking: str | None) -> Truth:
    logging.getLogger("raykd").setLevel(logging.ERROR)  # a damaged line was named to the user already
    from raykd.search.journal import Journal
    from raykd.search.ledger import Ledger
    from raykd.search.space_keep import kept
    from raykd.search.spec import SweepSpec

    spec = SweepSpec.read(folder)
    ledger = Ledger(Journal(folder), spec, kept(folder), "")
    entries = ledger.entries()
    tables: dict[str, dict[str, list[list[Any]]]] = {table: {} for table in TABLES}
    starts = Counter(event["trial"] for _, event in Journal(folder).read() if event["event"] == "start")
    for entry in entries:
        scores = {str(number): mark.score for number, mark in ledger.marks(entry.label).items()}
        tables["journal"][entry.label] = [[entry.state.name, scores]] * starts[entry.label]
    tables["study"] = _study(spec, folder)
    tables["mlflow"] = _mlflow(spec, tracking or spec.tracking_uri)
    done = [entry for entry in entries if entry.state.name == "COMPLETE"]
    best = max(done, key=lambda entry: (entry.score or 0.0, entry.label != "baseline")).label if done else ""
    weights = folder / "champion" / "model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.exists() else ""
    return Truth(
        tables,
        {entry.label: entry.settings for entry in entries},
        [best, digest],
        {entry.label: list(Counter(entry.again).elements()) for entry in entries if entry.again},
        {entry.label: entry.error for entry in entries if entry.error},
    )


def _study(spec: Any, folder: Path) -> dict[str, list[list[Any]]]:
    import optuna

    from raykd.tracking.study import study_name, study_uri

    found: dict[str, list[list[Any]]] = {}
    for name in (study_name(spec), study_name(spec) + "/baseline"):
        study = optuna.load_study(study_name=name, storage=spec.study_uri or study_uri(folder))
        for trial in study.get_trials(deepcopy=False):
            scores = {str(number): score for number, score in trial.intermediate_values.items()}
            found.setdefault(trial.user_attrs["label"], []).append([trial.state.name, scores])
    return found


def _mlflow(spec: Any, uri: str) -> dict[str, list[list[Any]]]:
    from mlflow import MlflowClient

    from raykd.tracking.tracker import experiment_name

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(experiment_name(spec.task.name))
    if experiment is None:
        return {}
    found: dict[str, list[list[Any]]] = {}
    for run in client.search_runs([experiment.experiment_id], f"tags.`raykd.sweep` = '{spec.uid}'"):
        if label := run.data.tags["raykd.trial"]:
            points = [[metric.step, metric.value] for metric in client.get_metric_history(run.info.run_id, "score")]
            found.setdefault(label, []).append([run.info.status, points])
        else:
            found.setdefault("", []).append([run.info.status, []])
    return found


def apart(folder: Path, place: str, environment: dict[str, str]) -> list[str]:
    """What the object store holds at `place` otherwise than `folder`, the driver's working copy."""
    return [str(name) for name in in_child(lambda: _apart(folder, place), environment)]


def _apart(folder: Path, place: str) -> list[str]:
    from raykd import storage

    with tempfile.TemporaryDirectory() as there:
        for name in ("journal", "champion"):
            storage.fetch(storage.join(place, name), Path(there, name))
        files = [*(folder / "journal").iterdir(), folder / "champion" / "model.safetensors"]
        names = [file.relative_to(folder) for file in files]
        return [str(name) for name in names if (folder / name).read_bytes() != Path(there, name).read_bytes()]


def labels(trials: int) -> list[str]:
    """Of a sweep of so many trials."""
    return ["baseline", *(f"t{number:04d}" for number in range(trials))]


def lost(truth: Truth, trials: int) -> list[str]:
    """Trials and reports that are not where they must be, and trials that have not ended."""
    problems = []
    for label in labels(trials):
        told = truth.tables["journal"].get(label)
        if not told:
            problems.append(f"journal: no {label}")
            continue
        state, scores = told[0]
        if state not in STATUS:
            problems.append(f"{label}: {state}")
        for table, wanted in (("study", state), ("mlflow", STATUS.get(state))):
            entries = truth.tables[table].get(label, [])
            if not any(found == wanted and len(points) >= len(scores) for found, points in entries):
                said = [[found, len(points)] for found, points in entries]
                problems.append(f"{table}: {label} is {said}, not {wanted} with {len(scores)} reports")
    return problems


def twice(truth: Truth) -> list[str]:
    """Trials, runs and reports of which there is more than one."""
    problems = []
    for table in TABLES:
        for label, entries in truth.tables[table].items():
            if len(entries) > 1:
                problems.append(f"{table}: {label or 'the sweep'} {len(entries)} times")
            for _, points in entries:
                steps = [point[0] for point in points] if isinstance(points, list) else []
                if len(steps) != len(set(steps)):
                    problems.append(f"{table}: {label}: a report {max(Counter(steps).values())} times")
    return problems


def different(truth: Truth, reference: Truth) -> list[str]:
    """Where settings, scores, states or the champion's weights are not what they are without a fault."""
    every = sorted({*truth.settings, *reference.settings})
    problems = [label for label in every if truth.settings.get(label) != reference.settings.get(label)]
    problems = [f"settings of {label}" for label in problems]
    for label in every:
        mine, theirs = (kept.tables["journal"].get(label, [None])[0] for kept in (truth, reference))
        if mine != theirs:
            problems.append(f"{label}: {json.dumps(mine)[:300]}, not {json.dumps(theirs)[:300]}")
    if truth.champion != reference.champion:
        problems.append(f"champion {truth.champion}, not {reference.champion}")
    return problems
