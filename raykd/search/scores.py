"""What MLflow is told of a sweep's scores: each under a name that says whose it is and on which rows."""

from __future__ import annotations

from raykd.report.saved import Saved
from raykd.search.found import Found
from raykd.search.spec import SweepSpec


def metrics_of(spec: SweepSpec, found: Found, saved: Saved | None) -> dict[str, float]:
    """Metrics of the sweep's own run.

    Args:
        spec: The sweep.
        found: What it has found.
        saved: The run whose student is kept.

    Returns:
        By name: the teacher's on the split that reports; those of the search, one run each, on the split that selects;
        by split, under ``saved/`` the kept run's own and under ``mean_over_seeds/`` those of all runs of its
        configuration.
    """
    known = {"undistilled": found.baseline, "best": found.best}
    scores = {name: entry.score for name, entry in known.items() if entry is not None and entry.score is not None}
    if saved is not None:
        scores |= {f"saved/{split}": score for split, score in saved.scores.items() if score is not None}
        scores |= {f"mean_over_seeds/{split}": mean for split, mean in saved.means.items()}
    return {"teacher": spec.teacher_score, **scores}


def tags_of(saved: Saved) -> dict[str, str]:
    """Tags of the registered version: the run, its own score on the split that reports and on the one that selects, and
    the means over seeds, so far as there are any."""
    tags = {"raykd.trial": saved.label}
    named = {
        "raykd.score": saved.score,
        "raykd.score_select": saved.scores[saved.selecting],
        "raykd.mean": saved.means.get(saved.reporting),
        "raykd.mean_select": saved.means.get(saved.selecting),
    }
    tags |= {name: f"{value:.6f}" for name, value in named.items() if value is not None}
    return tags | ({"raykd.seeds": str(saved.runs)} if saved.means else {})
