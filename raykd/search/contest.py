"""What the finals of a sweep say, from its runs as a report shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from raykd.report.contenders import Contender, judge
from raykd.report.significance import Summary, summarize
from raykd.report.story import Run
from raykd.search.configuration import configuration
from raykd.search.finals import BASELINE, KD
from raykd.search.spec import SweepSpec
from raykd.tasks.metrics import RANGES


def contest(
    spec: SweepSpec, runs: Sequence[Run], labels: Mapping[str, np.ndarray], selecting: str, reporting: str
) -> list[Contender]:
    """The configurations that ran on fresh seeds; none while no finalist has. Where answers or labels are not at hand,
    their scores alone, compared with nothing."""
    by_name: dict[str, dict[int, Run]] = {}
    for run in runs:
        if run.kind == "final" and run.state == "complete":
            by_name.setdefault(run.configuration, {})[int(run.label.rpartition("-s")[2])] = run
    every = {name: next(iter(seeds.values())).settings for name, seeds in by_name.items()}
    settings = {name: {key: of for key, of in given.items() if key != "seed"} for name, given in every.items()}
    baselines = [name for name in (BASELINE, KD) if name in by_name]
    twins = {name: _twins(spec, settings[name], runs) for name in baselines}
    if by_name.keys() <= {*baselines} and not any(twins.values()):
        return []
    promised = _promises(spec, runs, twins)
    answered = all(run.answers for seeds in by_name.values() for run in seeds.values())
    if answered and {selecting, reporting} <= labels.keys():
        found = judge(
            spec.task,
            {name: {seed: run.answers for seed, run in seeds.items()} for name, seeds in by_name.items()},
            labels,
            settings,
            promised,
            selecting=selecting,
            reporting=reporting,
            baselines=baselines,
        )
    else:
        found = [
            Contender(
                name,
                settings[name],
                promised.get(name),
                _summary(spec, seeds, selecting),
                _summary(spec, seeds, reporting),
                {},
                tuple(seeds),
            )
            for name, seeds in by_name.items()
        ]
    return [replace(one, trials=twins.get(one.name, ())) for one in found]


def _summary(spec: SweepSpec, seeds: Mapping[int, Run], split: str) -> Summary:
    """The metric of the runs on a split."""
    metric, within = spec.task.primary, RANGES[spec.task.primary]
    return summarize([run.metrics[f"{split}/{metric}"] for run in seeds.values()], within=within)


def _twins(spec: SweepSpec, settings: Mapping[str, Any], runs: Sequence[Run]) -> tuple[str, ...]:
    """The search's completed trials that are the same configuration, the best first."""
    own = configuration(spec, settings)
    found = [run for run in _searched(runs) if run.settings["method"] == settings["method"]]
    return tuple(run.label for run in found if configuration(spec, run.settings) == own)


def _promises(spec: SweepSpec, runs: Sequence[Run], twins: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """What the search said of those that were chosen by it. Nobody chose a baseline, unless it is the configuration of
    a trial that came as far up as a finalist."""
    ranked = _searched(runs)
    scores = {run.label: run.score for run in ranked if run.score is not None}
    best = {run.label for run in ranked[: spec.finalists]}
    chosen = {name: scores[found[0]] for name, found in twins.items() if found and found[0] in best}
    return scores | chosen


def _searched(runs: Sequence[Run]) -> list[Run]:
    """The search's completed trials, the best first."""
    done = [run for run in runs if run.kind == "search" and run.state == "complete" and run.score is not None]
    return sorted(done, key=lambda run: -(run.score or 0.0))
