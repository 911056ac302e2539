"""How well a search chooses, and how honestly it reports, on synthetic response surfaces over the papers' grids.

``python -m tests.benchmarks.simulate [--sweeps 40] [--quick] [--tasks rte cola] [--parts rivals ceiling null staged]``

Nothing is trained: simulate_surfaces says what is assumed. Each sweep is a world of its own (surface, examples), the
same for all rivals, who may all spend the same epochs, baselines and finals included; four runs at a time.

- gain: true quality of the configuration chosen, on endless examples and seeds, over no distillation, as a share of
  what the best point of the grid gains.
- too much: the score reported, minus what fresh seeds score on the same dev set; points.
- elsewhere: the score reported, minus true quality; the luck that all points have with this dev set is taken out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import numpy as np

from raykd.search.space import Space, load
from tests.benchmarks.simulate_ours import Staged, Ways, ours, survivors
from tests.benchmarks.simulate_rivals import Outcome, chance, grid, ray
from tests.benchmarks.simulate_runs import ends
from tests.benchmarks.simulate_surfaces import SHAPES, World
from tests.benchmarks.simulate_tasks import TASKS, Task

Rival = Callable[[World, int, float], Outcome]
SHARE = {"ckd": 0.05, "pkd": 0.5, "tkd": 0.25}  # of the grid's cost: the smaller ones hold less than their finals
RIVALS: dict[str, Rival] = {
    "grid, all of it": lambda world, seed, budget: grid(world, np.random.default_rng([seed, 1])),
    "random": lambda world, seed, budget: chance(world, np.random.default_rng([seed, 2]), budget),
    "OptunaSearch + ASHA": lambda world, seed, budget: ray(world, np.random.default_rng([seed, 3]), budget),
    "the same, grace 2, 1 in 2": lambda world, seed, budget: ray(
        world, np.random.default_rng([seed, 4]), budget, grace=2, reduction=2
    ),
    "ours": lambda world, seed, budget: _ours(Ways(), world, seed, budget),
}


def rows(
    task: Task, space: Space, rivals: dict[str, Rival], seeds: Iterable[int], share: float, shape: str
) -> dict[str, np.ndarray]:
    """By rival [sweeps, 6]: gain, too much, elsewhere, cost (all in percent or points), seconds, and whether it says
    that its choice is better than the baselines (in percent)."""
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in rivals}
    for seed in seeds:
        world = World(task, space, seed, shape=shape)
        whole = float(world.epochs[: world.none].sum())
        draws = np.random.default_rng([seed, 99])
        some = draws.choice(world.none, min(200, world.none), replace=False)
        luck = float((ends(world, "dev", some, draws) - world.truth[some])[~world.dead[some]].mean())
        for name, rival in rivals.items():
            before = time.perf_counter()
            one = rival(world, seed, share * whole)
            seconds = time.perf_counter() - before
            fresh = float(ends(world, "dev", np.full(400, one.number), draws).mean())
            elsewhere = one.reported - luck - float(world.truth[one.number])
            found[name].append(
                (100 * world.share(one.number), 100 * (one.reported - fresh), 100 * elsewhere,
                 100 * one.epochs / whole, seconds, 100 * bool(one.found))
            )  # fmt: skip
    return {name: np.array(of) for name, of in found.items()}


def table(title: str, found: dict[str, np.ndarray], against: str | None) -> None:
    """Means and their standard errors. against: whose gain is compared with everyone's, world by world."""
    print(f"\n{title}")
    print(f"{'':28}{'gain, %':>15}{'ours more by':>16}{'too much':>16}{'elsewhere':>16}{'cost, %':>9}{'s':>7}")
    for name, of in found.items():
        mean, error = of.mean(axis=0), of.std(axis=0, ddof=1) / len(of) ** 0.5
        gap = found[against][:, 0] - of[:, 0] if against else np.zeros(len(of))
        more = f"{gap.mean():8.1f} ± {gap.std(ddof=1) / len(of) ** 0.5:4.1f}" if against and name != against else ""
        print(
            f"{name:28}{mean[0]:8.1f} ± {error[0]:4.1f}{more:>16}{mean[1]:+9.2f} ± {error[1]:4.2f}"
            f"{mean[2]:+9.2f} ± {error[2]:4.2f}{mean[3]:9.1f}{mean[4]:7.2f}",
            flush=True,
        )

    if against:
        print(f"{against} says that its choice beats both baselines in {found[against][:, 5].mean():.0f}% of worlds")


def null(task: Task, space: Space, sweeps: int) -> None:
    """How often a winner is found where there is none."""
    winners = 0
    for seed in range(1, sweeps + 1):
        world = World(task, space, seed, gain=0.0)
        winners += bool(ours(world, Ways(trials=20), seed, np.inf).found)
    print(
        f"{task.name}: {winners} of {sweeps} sweeps report a winner where no point is better than the baseline",
        flush=True,
    )


def staged(task: Task, space: Space, sweeps: int) -> None:
    """How many trials come through halving, with and without a first stage of 80%, by kind of the late ones' scores."""
    for late, said in ((False, "learns in it"), (True, "learns only after it")):
        through = np.array(
            [survivors(World(task, space, seed), seed, Staged(0.8, late)) for seed in range(1, sweeps + 1)]
        )
        plain, all_plain, stage, all_stage = through.sum(axis=0)
        shares = plain / all_plain, stage / all_stage
        print(
            f"{task.name}: without a stage {shares[0]:.1%} of {all_plain} come through, with one that {said} "
            f"{shares[1]:.1%} of {all_stage}: {shares[1] / shares[0]:.2f} times",
            flush=True,
        )


def ceiling(task: Task, space: Space, sweeps: int, shape: str, seeds: int = 40) -> None:
    """What could be chosen if training cost nothing: every point of the grid on many seeds. What is then still missing
    is lost to the finite number of examples that select."""
    shares = []
    for seed in range(1, sweeps + 1):
        world, draws = World(task, space, seed, shape=shape), np.random.default_rng([seed, 5])
        points = np.arange(world.none)
        known = np.mean([ends(world, "select", points, draws) for _ in range(seeds)], axis=0)
        shares.append(100 * world.share(int(known.argmax())))
    error = np.std(shares, ddof=1) / sweeps**0.5
    print(
        f"{task.name}, {shape}: every point on {seeds} seeds ({seeds * 100:,}% of the grid's cost) has the best at "
        f"{np.mean(shares):.1f} ± {error:.1f}% of the gain",
        flush=True,
    )


def ways() -> dict[str, Rival]:
    """What the defaults are chosen by."""
    base = Ways()
    finals = ((3, 3), (0, 0), (3, 5), (5, 3), (2, 5), (5, 5), (8, 2))
    few = ((1, 2), (1, 4), (2, 3), (4, 2))
    named = {
        **{f"{k} finalists, {s} seeds": replace(base, finalists=k, final_seeds=s) for k, s in finals},
        **{f"pruner {pruner}": replace(base, pruner=pruner) for pruner in ("paired", "none")},
        **{f"grace {grace}, 1 in {r}": replace(base, grace=grace, reduction=r) for grace, r in few},
        "sampler random": replace(base, sampler="random"),
    }
    return {name: partial(_ours, way) for name, way in named.items()}


def _ours(way: Ways, world: World, seed: int, budget: float) -> Outcome:
    return ours(world, way, seed, budget)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=40)
    parser.add_argument("--null-sweeps", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="three sweeps of each")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=[*TASKS])
    parser.add_argument("--grid", choices=SHARE, default="ckd")
    parser.add_argument("--shape", choices=SHAPES, default="peak")
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=("rivals", "ceiling", "null", "staged", "ways"),
        default=("rivals", "null", "staged"),
    )
    chosen = parser.parse_args()
    sweeps, nulls = (3, 3) if chosen.quick else (chosen.sweeps, chosen.null_sweeps)
    space, share = load(chosen.grid), SHARE[chosen.grid]
    for task in (TASKS[name] for name in chosen.tasks):
        title = f"{task.name}, {chosen.shape}, {sweeps} worlds, {share:.0%} of the cost of {space.name}'s grid"
        title += f" ({space.size():,} points)"
        if "rivals" in chosen.parts:
            table(title, rows(task, space, RIVALS, range(1, sweeps + 1), share, chosen.shape), "ours")
        if "ways" in chosen.parts:
            table(title, rows(task, space, ways(), range(1, sweeps + 1), share, chosen.shape), "3 finalists, 3 seeds")
        if "ceiling" in chosen.parts:
            ceiling(task, space, sweeps, chosen.shape)
        if "null" in chosen.parts:
            null(task, space, nulls)
        if "staged" in chosen.parts:
            staged(task, space, sweeps)


if __name__ == "__main__":
    main()
