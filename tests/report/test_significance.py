"""Intervals and p-values against numbers by hand, and against what they promise: how often they are wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from raykd.report import paired_tests, significance
from raykd.report.paired_tests import paired_bootstrap, wilcoxon
from raykd.report.significance import bounded, compare, holm, summarize

N = 277


def pair(chance: np.random.Generator, seeds: int, seed_noise: float, better: float = 0.0) -> tuple[np.ndarray, ...]:
    """Right and wrong [S, N] of two methods: some sentences are hard for both, some for one of them; a seed moves all
    answers, and each a little. Equally good on sentences drawn anew unless `better` is not 0."""
    hard = 1.0 + 1.5 * chance.normal(size=N)
    found = []
    for gain in (better, 0.0):
        method, seed = 0.5 * chance.normal(size=N), seed_noise * chance.normal(size=(seeds, 1))
        found.append((hard + method + seed + 0.7 * chance.normal(size=(seeds, N)) + gain > 0).astype(float))
    return tuple(found)


def test_summary_by_hand() -> None:
    one = summarize([0.7, 0.8, 0.9])
    assert (one.mean, one.std, one.count) == (pytest.approx(0.8), pytest.approx(0.1), 3)
    # t of two degrees at 97.5%: 4.302653
    assert (one.low, one.high) == pytest.approx((0.8 - 0.248414, 0.8 + 0.248414), abs=1e-6)
    narrow = summarize([0.7, 0.8, 0.9], level=0.5)
    assert narrow.high == pytest.approx(0.8 + 0.816497 * 0.1 / 3**0.5)


def test_one_seed_has_no_interval() -> None:
    assert summarize([0.5]) == significance.Summary(0.5, None, None, None, 1)
    with pytest.raises(ValueError, match="no values"):
        summarize([])


def test_comparison_by_hand() -> None:
    """Gaps [[1, 0], [0, 1], [1, 1]]: seeds' means 1/2, 1/2, 1 (variance 1/12), examples' 2/3, 2/3 (variance 0)."""
    one = compare(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.zeros((3, 2)))
    assert one.difference == pytest.approx(2 / 3)
    error = (1 / 12 / 3) ** 0.5
    assert one.p == pytest.approx(2 * stats.t.sf(2 / 3 / error, 2))
    assert one.high == pytest.approx(2 / 3 + 4.302653 * error)
    # gaps [[2, 0, 1], [1, 1, 1]]: means of seeds equal, of examples 3/2, 1/2, 1 (variance 1/4, two degrees)
    other = compare(np.array([[2.0, 0.0, 1.0], [1.0, 1.0, 1.0]]), np.zeros((2, 3)))
    assert other.p == pytest.approx(2 * stats.t.sf(1 / (0.25 / 3) ** 0.5, 2))


def test_degrees_of_freedom_by_satterthwaite() -> None:
    chance = np.random.default_rng(0)
    gaps = 0.3 + chance.normal(size=(3, 1)) + chance.normal(size=(1, 5))
    seeds, examples = gaps.mean(axis=1).var(ddof=1) / 3, gaps.mean(axis=0).var(ddof=1) / 5
    freedom = (seeds + examples) ** 2 / (seeds**2 / 2 + examples**2 / 4)
    one = compare(gaps, np.zeros_like(gaps))
    assert one.p == pytest.approx(2 * stats.t.sf(abs(gaps.mean()) / (seeds + examples) ** 0.5, freedom))
    assert one.low is not None
    assert one.high is not None
    assert (one.low < 0 < one.high) == (one.p > 0.05)


def test_one_seed_is_a_paired_t_test_over_examples() -> None:
    ours, theirs = np.random.default_rng(1).normal(size=(2, 1, 30))
    one = compare(ours, theirs)
    wanted = stats.ttest_rel(ours[0], theirs[0])
    assert one.p == pytest.approx(wanted.pvalue)
    assert (one.low, one.high) == pytest.approx(tuple(wanted.confidence_interval()))


def test_turned_round_it_says_the_same() -> None:
    ours, theirs = pair(np.random.default_rng(2), 4, 0.1, better=0.3)
    one, other = compare(ours, theirs), compare(theirs, ours)
    assert one.difference == -other.difference
    assert one.p == other.p


def test_equal_and_constant_differences() -> None:
    """No spread to judge by: no interval, and of four examples that all say the same the sign test's p."""
    same = np.random.default_rng(3).normal(size=(3, 9))
    assert compare(same, same) == significance.Comparison(0.0, None, None, 1.0)
    assert compare(np.ones((2, 4)), np.zeros((2, 4))) == significance.Comparison(1.0, None, None, 2 / 16)
    tiny = compare(np.full((2, 4), 0.3), np.full((2, 4), 0.1 + 0.2 - 1e-17), difference=1e-17)
    assert tiny.p == 1.0


def test_seeds_that_all_score_the_same_tell_no_spread() -> None:
    for value in (0.0, 0.7, 1.0):
        found = summarize([value] * 3, within=(0, 1))
        assert found.std == pytest.approx(0.0, abs=1e-15)
        assert (found.low, found.high) == (None, None)
    assert summarize([0.1 + 0.2, 0.3]).low is None  # but for rounding


@given(low=st.floats(-3, 3), width=st.floats(0, 4), within=st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (-2.0, 2.0)]))
def test_an_interval_is_what_of_it_lies_within_the_range(low: float, width: float, within: tuple[float, float]) -> None:
    """Point by point: what is in the result is what is in both."""
    if low > within[1] or low + width < within[0]:
        return  # never around a mean that the metric can have
    found = bounded(low, low + width, within)
    if low <= within[0] and low + width >= within[1]:
        assert found == (None, None)
        return
    assert found[0] is not None
    assert found[1] is not None
    assert within[0] <= found[0] <= found[1] <= within[1]
    for step in range(-30, 31):
        point = step / 7
        inside = low <= point <= low + width and within[0] <= point <= within[1]
        assert (found[0] <= point <= found[1]) is inside


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=6),
    st.sampled_from([(0.0, 1.0), (-1.0, 1.0)]),
)
def test_no_interval_of_a_metric_leaves_its_range(values: list[float], within: tuple[float, float]) -> None:
    found = summarize([within[0] + (within[1] - within[0]) * value for value in values], within=within)
    mean = 0.0
    for value in values:
        mean += (within[0] + (within[1] - within[0]) * value) / len(values)
    assert found.mean == pytest.approx(mean, abs=1e-12)
    if found.low is not None and found.high is not None:
        assert within[0] <= found.low <= found.mean <= found.high <= within[1]
        assert (found.low, found.high) != within


@given(st.integers(0, 10_000))
def test_no_interval_of_a_difference_leaves_its_range(seed: int) -> None:
    chance = np.random.default_rng(seed)
    rows, seeds = int(chance.integers(2, 6)), int(chance.integers(1, 4))
    ours, theirs = chance.integers(0, 2, (2, seeds, rows)).astype(float)
    found = compare(ours, theirs, within=(-1.0, 1.0))
    if found.low is not None and found.high is not None:
        assert -1 <= found.low <= found.difference <= found.high <= 1
        assert (found.low, found.high) != (-1, 1)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_bounded_intervals_hold_the_mean_as_often_as_they_promise(seeds: int) -> None:
    """Scores near the top of accuracy, where half of the plain intervals leave it. One that is not given counts for the
    whole range, which always holds the mean."""
    chance = np.random.default_rng(seeds)
    held = left = 0
    for _ in range(2000):
        scores = chance.binomial(60, np.clip(0.96 + 0.01 * chance.normal(size=seeds), 0, 1)) / 60
        found, plain = summarize(scores, within=(0, 1)), summarize(scores)
        left += plain.high is not None and plain.high > 1
        held += found.low is None or found.high is None or found.low <= 0.96 <= found.high
    assert left > 200
    assert held / 2000 > 0.93


def test_only_common_seeds_count() -> None:
    ours = {seed: np.random.default_rng(seed).normal(size=20) for seed in (1, 2, 3, 5)}
    theirs = {seed: np.random.default_rng(9 + seed).normal(size=20) for seed in (5, 4, 2, 1)}
    wanted = compare(np.stack([ours[s] for s in (1, 2, 5)]), np.stack([theirs[s] for s in (1, 2, 5)]))
    assert compare(ours, theirs) == wanted


def test_nothing_to_judge_by() -> None:
    none = compare({1: np.ones(3)}, {2: np.zeros(3)})
    assert none == significance.Comparison(1.0, None, None, 1.0)
    assert compare(np.ones((3, 1)), np.zeros((3, 1))) == significance.Comparison(1.0, None, None, 1.0)
    for ours, theirs in (((3, 4), (2, 4)), ((3, 4), (3, 5)), ((4,), (4,))):
        with pytest.raises(ValueError, match="must be"):
            compare(np.zeros(ours), np.zeros(theirs))
    with pytest.raises(ValueError, match="do not pair"):
        compare({1: np.zeros(3)}, {1: np.zeros(4)})


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("seed_noise", [0.0, 0.06, 0.12])
def test_of_equal_methods_few_differ(seeds: int, seed_noise: float) -> None:
    """Seeds that move all answers by so much are 0, 1.2 and 2.3 points apart, besides what each answer moves."""
    chance = np.random.default_rng(10 * seeds + int(100 * seed_noise))
    p = np.array([compare(*pair(chance, seeds, seed_noise)).p for _ in range(500)])
    assert (p < 0.05).mean() <= 0.06
    assert (p < 0.01).mean() <= 0.02
    assert (p > 0.5).mean() > 0.3  # and it is not 1 for all


def test_a_t_test_over_examples_alone_would_not_do() -> None:
    """The simulation has seed noise that matters: who takes each seed's answers for new examples finds too much."""
    chance = np.random.default_rng(4)
    naive = []
    for _ in range(300):
        ours, theirs = pair(chance, 3, 0.12)
        naive.append(stats.ttest_rel(ours.ravel(), theirs.ravel()).pvalue)
    assert (np.array(naive) < 0.05).mean() > 0.15


def test_a_better_method_is_found() -> None:
    """Seven points better, seeds about 1.3 points apart."""
    chance = np.random.default_rng(5)
    found = [compare(*pair(chance, 5, 0.06, better=0.4)) for _ in range(100)]
    assert np.mean([one.difference for one in found]) == pytest.approx(0.07, abs=0.01)
    assert np.mean([one.p < 0.05 and one.difference > 0 for one in found]) > 0.85
    assert np.mean([one.low is not None and one.low < 0.073 < (one.high or 0) for one in found]) > 0.9


def test_holm_by_hand() -> None:
    assert holm([]) == []
    assert holm([0.03]) == [0.03]
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])  # 3 * .01, 2 * .03, then not below that
    assert holm([0.5, 0.9, 0.01]) == pytest.approx([1.0, 1.0, 0.03])


@given(p=st.lists(st.floats(0, 1), max_size=12))
def test_holm_rejects_what_the_procedure_does(p: list[float]) -> None:
    """Step by step: the smallest against level / m, the next against level / (m - 1), until one fails."""
    rejected = set()
    for place, index in enumerate(sorted(range(len(p)), key=lambda index: p[index])):
        if p[index] * (len(p) - place) > 0.05:
            break
        rejected.add(index)
    assert {index for index, value in enumerate(holm(p)) if value <= 0.05} == rejected


BETTER = np.array([1.0] * 40 + [0.0] * 10)
WORSE = np.array([1.0] * 30 + [0.0] * 10 + [1.0] * 2 + [0.0] * 8)  # loses 10, wins 2


def test_signed_ranks_of_right_and_wrong_are_the_sign_test() -> None:
    # 10 or more of 12 heads: (66 + 12 + 1) / 4096
    assert wilcoxon(BETTER, WORSE) == pytest.approx(79 / 4096)
    assert wilcoxon(WORSE, BETTER) == pytest.approx(1 - (12 + 1) / 4096)
    assert wilcoxon(np.array([1.0, 1.0, 1.0, 0.5]), np.array([0.0, 0.0, 0.0, 0.5])) == 0.125


def test_signed_ranks_by_hand() -> None:
    """Ranks 1, 2, 3, 4 with one of the smallest negative: sums of 9 or more: {all, all but the 1}: 2 / 16."""
    assert wilcoxon(np.array([-0.1, 0.2, 0.3, 0.5]), np.zeros(4)) == pytest.approx(2 / 16)
    assert wilcoxon(np.array([-0.1, 0.2, 0.2, 0.5]), np.zeros(4)) == pytest.approx(2 / 16)  # with a tie as well


@pytest.mark.parametrize("test", [wilcoxon, paired_bootstrap])
@pytest.mark.parametrize("count", [1, 277, 6000])
def test_no_difference_at_all(test: object, count: int) -> None:
    same = np.random.default_rng(0).normal(size=count)
    assert test(same, same) == 1.0  # type: ignore[operator]


@pytest.mark.parametrize("test", [wilcoxon, paired_bootstrap])
@pytest.mark.parametrize(("a", "b"), [((3,), (4,)), ((0,), (0,)), ((2, 2), (2, 2))])
def test_examples_must_pair(test: object, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="do not pair"):
        test(np.zeros(a), np.zeros(b))  # type: ignore[operator]


def test_bootstrap_by_hand() -> None:
    """Three of 277 differ, all for the better: (274 / 277) ** 277 of the samples drawn anew hold none of them."""
    better, worse = np.ones(N), np.ones(N)
    worse[:3] = 0
    assert paired_bootstrap(better, worse, rounds=20_000) == pytest.approx((274 / 277) ** 277, abs=0.006)
    assert paired_bootstrap(better, worse) == paired_bootstrap(better, worse)
    assert paired_bootstrap(better, worse, seed=1) != paired_bootstrap(better, worse)
    assert paired_bootstrap(worse, better) == 1.0
    assert paired_bootstrap(np.ones(9), np.zeros(9), rounds=99) == 0.01


def test_bootstrap_of_many_is_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = np.random.default_rng(6).normal(size=(2, 6000))
    ours += 0.02 - (ours - theirs).mean()
    quick = paired_bootstrap(ours, theirs)
    monkeypatch.setattr(paired_tests, "NORMAL", 10**9)
    assert quick == pytest.approx(stats.norm.sf(0.02 / (2 / 6000) ** 0.5), abs=0.01)  # 0.137
    assert paired_bootstrap(ours, theirs) == pytest.approx(quick, abs=0.03)


@pytest.mark.parametrize("test", [wilcoxon, paired_bootstrap])
def test_one_sided_tests_of_equals(test: object) -> None:
    """At most about one in twenty of equal models is called worse, and not hardly any."""
    chance = np.random.default_rng(7)
    p = [test(*(one[0] for one in pair(chance, 1, 0.0))) for _ in range(400)]  # type: ignore[operator]
    assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.07
