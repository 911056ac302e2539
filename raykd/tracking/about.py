"""What MLflow's own pages say of a sweep beside its numbers: names, descriptions, where runs came from, what they cost.

MLflow's table of runs shows names and little else unless a user picks columns, so a name says what a run is.
"""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from raykd.search.display import settings_text
from raykd.search.found import splits_of

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

    from raykd.models.cost import Cost
    from raykd.search.entry import Entry
    from raykd.search.spec import SweepSpec

MOST = 5000  # letters of a description, links left aside: a tag of MLflow's SQL store takes 8,000
NOTE = "mlflow.note.content"  # a description, in Markdown
KIND = "mlflow.experimentKind"
TRAINING = "custom_model_development"  # which MLflow would otherwise guess, and ask about


def experiment_tags(task: str) -> dict[str, str]:
    """What an experiment of `task` is, for those who find it in MLflow's list."""
    note = (
        f"Students for the task `{task}`, distilled by raykd. **A run is a sweep**; nested in it are its trials, the "
        "undistilled baseline, and the finals (`...-s1`, `...-s2`: the best configurations again on fresh seeds). "
        "`score` is what a sweep selects by; steps are per cent of a run; a trial that was stopped early is "
        "shown as Killed. Each sweep's description has its result, and its artifacts hold `report.html`."
    )
    return {KIND: TRAINING, NOTE: note}


def made_by() -> dict[str, str]:
    """Tags for what MLflow shows as a run's source and creator."""
    tags = {"mlflow.source.name": "raykd tune", "mlflow.source.type": "LOCAL"}
    with suppress(Exception):  # an account without a name, as in some containers
        tags["mlflow.user"] = getpass.getuser()
    return tags


def run_name(sweep: str, entry: Entry) -> str:
    """``sweep/t0003 ckd``; the baselines' labels say themselves what they are."""
    method = str(entry.settings["method"])
    known = entry.kind == "baseline" or method == "none" or entry.label.startswith(method)
    return f"{sweep}/{entry.label}" + ("" if known else f" {method}")


def trial_note(spec: SweepSpec, entry: Entry, progress: float) -> str:
    """A trial in a few words. progress: the part of it that is done."""
    whats = {"baseline": "The undistilled student", "search": "A trial of the search", "final": "A run on a fresh seed"}
    lines = [f"{whats[entry.kind]}: `{spec.student_of(entry.settings)}`, {settings_text(entry.settings)}."]
    ends = {
        "complete": f"Score {entry.score:.4f}." if entry.score is not None else "",
        "pruned": f"Stopped early, after {progress:.0%} of its training, as others were ahead.",
        "fail": f"Failed: {(entry.error or 'unknown').splitlines()[0][:300]}",
    }
    return "\n\n".join([*lines, ends.get(entry.state.name.lower(), "")]).strip()


def sweep_note(spec: SweepSpec) -> str:
    """A sweep that is under way, or that says nothing of its result."""
    found = f"`{spec.student}` learns from `{spec.teacher_name}` ({spec.task.primary} {spec.teacher_score:.4f})."
    seeds = f"; then the best {spec.finalists} on {spec.final_seeds} fresh seeds" if spec.finalists else ""
    return f"{found} Space `{spec.space}`, {spec.trials} trials, sampler {spec.sampler}{seeds}."


def linked(note: str, experiment: str, run: str, files: Sequence[Path], model: str | None) -> str:
    """`note` of a run, and where on MLflow's pages the rest is: its pages among `files`, and the registered `model`."""
    artifacts = f"#/experiments/{experiment}/runs/{run}/artifacts"
    links = [f"[{file.name}]({artifacts}/{file.name})" for file in files if file.suffix == ".html"]
    if model is not None:
        name = re.split("[@/]", model.removeprefix("models:/"))[0]
        links.append(f"[the saved model](#/models/{name})")
    return note[:MOST] + (f"\n\nMore: {', '.join(links)}" if links else "")


def data_of(spec: SweepSpec) -> list[DatasetInput]:
    """A sweep's data as MLflow shows it of a run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"description": spec.source})
    data = Dataset(spec.task.name, spec.fingerprint[:36], "raykd", source)
    return [DatasetInput(data, [InputTag("mlflow.data.context", "training")])]


def model_note(task: str) -> str:
    """What a registered model of `task` is."""
    return (
        f"The champions of raykd's sweeps on the task `{task}`; `@champion` is the latest one that answers better than "
        "always giving the same answer."
    )


def version_note(spec: SweepSpec, tags: Mapping[str, str], entry: Entry, refused: str = "") -> str:
    """A champion in a few words: the run that is saved, its own scores, and the means over fresh seeds where it ran on
    several: it is the best of them where trials are selected, and what the next one will be is rather the mean.

    Args:
        spec: The sweep.
        tags: Of the version (raykd.search.scores.tags_of).
        entry: The run.
        refused: Why it is not the champion, if so.
    """
    metric = spec.task.primary
    selecting, reporting = splits_of(spec)

    def scores(own: str, on_select: str) -> str:
        found = f"{float(tags[own]):.4f} {metric} on {reporting}" if own in tags else ""
        if found and on_select in tags and selecting != reporting:
            found += f" ({float(tags[on_select]):.4f} on {selecting})"
        return found

    said = [f"{'Champion' if not refused else 'Best student'} of sweep `{spec.name}`, run {entry.label}"]
    if own := scores("raykd.score", "raykd.score_select"):
        said.append(f"its own score: {own}")
    if mean := scores("raykd.mean", "raykd.mean_select"):
        said.append(f"the mean over {tags.get('raykd.seeds', 'its')} fresh seeds: {mean}")
    said.append(f"`{spec.student_of(entry.settings)}` of `{spec.teacher_name}`, {settings_text(entry.settings)}.")
    return "; ".join(said) + (f"\n\n{refused}" if refused else "")


def cost_metrics(cost: Cost | None, of: str = "student_cost") -> dict[str, float]:
    """What a network costs, so far as it was measured, under names that MLflow groups."""
    if cost is None:
        return {}
    found = {"parameters": cost.parameters, "flops": cost.flops, "latency_ms": cost.latency}
    return {f"{of}/{name}": float(value) for name, value in found.items()}
