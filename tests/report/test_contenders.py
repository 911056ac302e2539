"""The table of a sweep's finals: who is in it, in what order, who is champion and who is better than luck."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from raykd.report.contenders import Contender, champion, judge, significant
from raykd.report.significance import compare, holm, summarize
from raykd.tasks.predictions import pseudo_values
from raykd.train.config import TaskSpec

TASK = TaskSpec(name="two", labels=("no", "yes"), metrics=("accuracy", "matthews"), primary="accuracy")
BASELINES = ("baseline", "kd")
LABELS = {"select": np.ones(10, np.int64), "dev": np.ones(20, np.int64)}

Runs = dict[str, dict[int, dict[str, np.ndarray]]]


def right(count: int, of: int) -> np.ndarray:
    """So many answers are right; all labels are 1."""
    return (np.arange(of) < count).astype(np.uint8)


def seeds(*counts: tuple[int, int]) -> dict[int, dict[str, np.ndarray]]:
    """By seed from 1, right answers of 10 on select and of 20 on dev."""
    return {s: {"select": right(a, 10), "dev": right(b, 20)} for s, (a, b) in enumerate(counts, 1)}


def judged(runs: Mapping[str, Any], promised: Mapping[str, float] | None = None, **named: Any) -> list[Contender]:
    splits = {"selecting": "select", "reporting": "dev"} | named
    settings = {"t0": {"alpha": 0.5}}
    return judge(TASK, runs, LABELS, settings, promised or {}, baselines=BASELINES, **splits)


def test_a_table_by_hand() -> None:
    runs = {
        "t0": seeds((9, 18), (8, 19), (7, 17)),
        "baseline": seeds((6, 12), (7, 14), (8, 13)),
        "t1": seeds((6, 20), (5, 20), (7, 20)),
        "kd": seeds((7, 15), (7, 15), (7, 16)),
    }
    table = judged(runs, {"t0": 0.95, "t1": 0.5})
    assert [one.name for one in table] == ["t0", "baseline", "kd", "t1"]  # 0.8, 0.7, 0.7, 0.6
    first = table[0]
    assert first.settings == {"alpha": 0.5}
    assert table[1].settings == {}
    assert first.select == summarize([0.9, 0.8, 0.7], within=(0, 1))
    assert first.select.high == 1.0  # 1.05 by t alone
    assert first.report == summarize([0.9, 0.95, 0.85], within=(0, 1))
    assert first.seeds == (1, 2, 3)
    assert first.curse == pytest.approx(0.15)
    assert table[-1].curse == pytest.approx(-0.1)
    assert table[1].curse is None
    assert champion(table) is first  # chosen on select, though t1 is better on dev
    assert champion(table[::-1]).name == "t0"


def test_comparisons_are_on_the_reporting_split_and_corrected_together() -> None:
    chance = np.random.default_rng(0)
    labels = {"select": chance.integers(0, 2, 50), "dev": chance.integers(0, 2, 300)}
    runs: Runs = {
        name: {
            seed: {s: np.where(chance.random(len(y)) < skill, y, 1 - y).astype(np.uint8) for s, y in labels.items()}
            for seed in (1, 2, 3)
        }
        for name, skill in (("t0", 0.8), ("t1", 0.72), ("kd", 0.7), ("baseline", 0.65))
    }
    task = TASK.model_copy(update={"primary": "matthews"})
    table = judge(task, runs, labels, {}, {}, selecting="select", reporting="dev", baselines=BASELINES)
    by_name = {one.name: one for one in table}
    assert {name: tuple(one.against) for name, one in by_name.items()} == {
        "baseline": (),
        "kd": ("baseline",),
        "t0": BASELINES,
        "t1": BASELINES,
    }
    values = {
        name: np.stack([pseudo_values(task, runs[name][seed]["dev"], labels["dev"]) for seed in (1, 2, 3)])
        for name in runs
    }
    pairs = [("kd", "baseline"), ("t0", "baseline"), ("t0", "kd"), ("t1", "baseline"), ("t1", "kd")]
    gaps = [by_name[one].report.mean - by_name[other].report.mean for one, other in pairs]
    plain = [
        compare(values[one], values[other], within=(-2, 2), difference=gap)
        for (one, other), gap in zip(pairs, gaps, strict=True)
    ]
    for (one, other), alone, p in zip(pairs, plain, holm([each.p for each in plain]), strict=True):
        found = by_name[one].against[other]
        assert (found.p, found.difference, found.low) == pytest.approx((p, alone.difference, alone.low), abs=1e-12)
        pseudo = compare(values[one], values[other]).difference
        assert 0 < abs(found.difference - pseudo) < 0.005  # that of the means shown, not that of the pseudo-values
    assert by_name["t0"].against["baseline"].p > plain[1].p  # corrected
    assert significant(by_name["t0"])
    assert not significant(by_name["t1"])
    assert not significant(by_name["t0"], level=by_name["t0"].against["kd"].p)


def test_who_is_as_good_but_simpler_is_champion() -> None:
    """0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ in the last bit."""
    table = judged({"t0": seeds((1, 9), (2, 9), (3, 9)), "kd": seeds((3, 1), (2, 1), (1, 1)), "t1": seeds((1, 9))})
    assert [one.name for one in table] == ["kd", "t0", "t1"]
    assert champion(table).name == "kd"
    assert [one.name for one in judged({"kd": seeds((3, 1)), "baseline": seeds((3, 1))})] == ["baseline", "kd"]


def test_a_baseline_may_be_champion_and_kd_significantly_so() -> None:
    runs = {name: seeds(*[row] * 3) for name, row in (("kd", (9, 19)), ("baseline", (5, 5)), ("t0", (6, 8)))}
    table = judged(runs)
    assert champion(table).name == "kd"
    assert significant(champion(table))
    by_name = {one.name: one for one in table}
    assert not significant(by_name["t0"])  # better than none, worse than kd
    assert by_name["t0"].against["kd"].difference < 0
    assert by_name["t0"].against["kd"].p < 0.05
    assert not significant(by_name["baseline"])  # than nobody


def test_only_finished_seeds_count() -> None:
    runs: Runs = {
        "t0": seeds((9, 18), (8, 17), (7, 16)),
        "kd": {3: seeds((5, 9))[1], 1: seeds((4, 8))[1], 2: {"select": right(10, 10)}},  # of seed 2 no dev
        "t1": {1: {}},
        "t2": {},
    }
    table = judged(runs)
    assert [one.name for one in table] == ["t0", "kd"]
    assert table[1].seeds == (1, 3)
    assert table[1].select == summarize([0.4, 0.5], within=(0, 1))
    assert (table[1].select.low, table[1].select.high) == (None, None)  # all of accuracy: too few seeds to say
    ones = np.stack([right(18, 20), right(16, 20)]).astype(float)
    wanted = compare(ones, np.stack([right(8, 20), right(9, 20)]).astype(float), within=(-1, 1))
    assert table[0].against["kd"].p == pytest.approx(wanted.p)
    assert table[0].against["kd"].difference == pytest.approx((18 + 16 - 8 - 9) / 40)  # of the seeds that both have


def test_without_a_common_seed_nothing_is_shown() -> None:
    table = judged({"t0": {1: seeds((9, 20))[1]}, "kd": {2: seeds((1, 0))[1]}})
    assert table[0].against["kd"].p == 1.0
    assert not significant(table[0])


def test_no_baseline_and_no_one() -> None:
    table = judged({"t0": seeds((9, 18), (9, 18))})
    assert table[0].against == {}
    assert not significant(table[0])
    assert judged({}) == []
    with pytest.raises(ValueError, match="empty"):
        champion([])


def test_one_split_for_both() -> None:
    """The papers' protocol: dev selects and reports."""
    runs = {"t0": {s: {"dev": right(19, 20)} for s in (1, 2)}, "baseline": {s: {"dev": right(4, 20)} for s in (1, 2)}}
    table = judged(runs, selecting="dev", reporting="dev")
    assert [one.name for one in table] == ["t0", "baseline"]
    assert table[0].select == table[0].report
    assert significant(table[0])


def test_where_no_one_is_better_hardly_a_sweep_has_a_winner() -> None:
    """Five configurations and two baselines, all the same at heart; the champion is chosen on the split that reports,
    the worst case."""
    chance = np.random.default_rng(3)
    labels = {"dev": np.ones(277, np.int64)}
    winners = 0
    for _ in range(60):
        hard = 1 + 1.5 * chance.normal(size=277)
        runs: Runs = {}
        for name in (*BASELINES, "t0", "t1", "t2", "t3", "t4"):
            liking = 0.5 * chance.normal(size=277)
            moved = 0.06 * chance.normal(size=3)
            runs[name] = {
                s: {"dev": (hard + liking + moved[s] + 0.7 * chance.normal(size=277) > 0).astype(np.uint8)}
                for s in range(3)
            }
        table = judge(TASK, runs, labels, {}, {}, selecting="dev", reporting="dev", baselines=BASELINES)
        winners += significant(champion(table))
    assert winners <= 3
