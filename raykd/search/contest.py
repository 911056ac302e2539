"""What the finals of a sweep say, from its runs as a report shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from raykd.report.contenders import Contender, judge
from raykd.report.significance import summarize
from raykd.report.story import Run
from raykd.search.finals import BASELINE, KD
from raykd.search.spec import SweepSpec


def contest(
    spec: SweepSpec, runs: Sequence[Run], labels: Mapping[str, np.ndarray], selecting: str, reporting: str
) -> list[Contender]:
    """The configurations that ran on fresh seeds; none while no finalist has. Where answers or labels are not at hand,
    their scores alone, compared with nothing."""
    by_name: dict[str, dict[int, Run]] = {}
    for run in runs:
        if run.kind == "final" and run.state == "complete":
            by_name.setdefault(run.configuration, {})[int(run.label.rpartition("-s")[2])] = run
    if by_name.keys() <= {BASELINE, KD}:
        return []
    every = {name: next(iter(seeds.values())).settings for name, seeds in by_name.items()}
    settings = {name: {key: of for key, of in given.items() if key != "seed"} for name, given in every.items()}
    promised = {run.label: run.score for run in runs if run.kind != "final" and run.state == "complete"}
    known = {label: score for label, score in promised.items() if score is not None}
    answered = all(run.answers for seeds in by_name.values() for run in seeds.values())
    if answered and {selecting, reporting} <= labels.keys():
        return judge(
            spec.task,
            {name: {seed: run.answers for seed, run in seeds.items()} for name, seeds in by_name.items()},
            labels,
            settings,
            known,
            selecting=selecting,
            reporting=reporting,
            baselines=[name for name in (BASELINE, KD) if name in by_name],
        )
    found = []
    for name, seeds in by_name.items():
        select, report = (
            summarize([run.metrics[f"{split}/{spec.task.primary}"] for run in seeds.values()])
            for split in (selecting, reporting)
        )
        found.append(Contender(name, settings[name], known.get(name), select, report, {}, tuple(seeds)))
    return found
